// Packs Sluice as npm would publish it, installs that in an empty project and uses it there.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'

const PROGRAM = `
import { connect } from 'node:net'
import { once } from 'node:events'
import { createBroker } from 'sluicemq'
const broker = await createBroker({ memory: true, mqtt: { port: 0 } })
const { hostname, port } = new URL(broker.addresses[0].url)
const socket = connect(Number(port), hostname)
// CONNECT, MQTT 3.1.1, clean session, client identifier 'p'.
socket.write(Buffer.from('100d00044d5154540402003c000170', 'hex'))
const [connack] = await once(socket, 'data')
if (connack.toString('hex') !== '20020000') throw new Error('CONNACK was ' + connack.toString('hex'))
socket.end()
await broker.close()
console.log('works')
`

prepare()
const project = mkdtempSync(join(tmpdir(), 'sluice-package-'))
try {
  const [{ filename, files, size }] = JSON.parse(npm(root, 'pack', '--json', '--pack-destination', project))
  const names = files.map(({ path }) => path)
  const stray = names.filter(
    (name) => !/^(dist\/.+\.(js|d\.ts)|README\.md|LICENSE|CHANGELOG\.md|package\.json)$/.test(name),
  )
  expect(stray.length === 0, `the package holds what nobody needs: ${stray.join(', ')}`)
  for (const name of ['dist/main.js', 'dist/index.js', 'dist/index.d.ts', 'LICENSE', 'README.md']) {
    expect(names.includes(name), `the package lacks ${name}`)
  }
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n')
  npm(project, 'install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error', join(project, filename))
  writeFileSync(join(project, 'program.js'), PROGRAM)
  expect(run(process.execPath, project, 'program.js') === 'works', 'a program cannot use the package')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(npm(project, 'exec', '--', 'sluice', '--version') === version, 'sluice --version does not answer')
  console.log(`the package works: ${names.length} files, ${Math.round(size / 1024)} KiB`)
} finally {
  rmSync(project, { recursive: true, force: true })
}

function npm(folder, ...args) {
  const script = process.env.npm_execpath
  return script ? run(process.execPath, folder, script, ...args) : run('npm', folder, ...args)
}

function run(command, cwd, ...args) {
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
  }).trim()
}

function expect(holds, text) {
  if (holds) return
  console.error(`sluice: ${text}`)
  process.exit(1)
}
