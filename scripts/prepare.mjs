// What `npm start` and `npm test` do first: install and build, each only when something has changed since.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const BUILT = join(root, 'dist', '.built')
const STDERR = 2

export function prepare() {
  checkNode()
  if (!isInstalled()) install()
  const sources = hashOfSources()
  if (!isBuilt(sources)) build(sources)
}

function checkNode() {
  const wanted = readJson('package.json')
    .engines.node.match(/(\d+)\.(\d+)/)
    .slice(1)
    .map(Number)
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > wanted[0] || (major === wanted[0] && minor >= wanted[1])) return
  fail(`Node ${wanted.join('.')} or newer is needed, this is ${process.versions.node}`, 1)
}

function readJson(...path) {
  return JSON.parse(readFileSync(join(root, ...path), 'utf8'))
}

/** True when node_modules holds each package at the version of the lock file; npm keeps its own list of them there. */
export function isInstalled() {
  let present
  try {
    present = readJson('node_modules', '.package-lock.json').packages
  } catch {
    return false
  }
  return Object.entries(readJson('package-lock.json').packages).every(([path, wanted]) => {
    if (path === '') return true
    const found = Object.hasOwn(present, path) ? present[path] : undefined
    // Optional: for another platform.
    if (found === undefined) return wanted.optional === true
    return found.version === wanted.version && found.integrity === wanted.integrity
  })
}

function install() {
  say('installing packages')
  const npm = process.env.npm_execpath
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  run(...(npm ? [process.execPath, [npm, ...args]] : ['npm', args]), 'npm ci')
}

/** By content, not by time: a checkout of another branch and back builds nothing. */
function hashOfSources() {
  const hash = createHash('sha256')
  const files = readdirSync(join(root, 'src'), { recursive: true }).filter((name) => name.endsWith('.ts'))
  for (const name of files.sort())
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(join(root, 'src', name)))
  for (const name of ['tsconfig.json', 'package-lock.json']) hash.update(readFileSync(join(root, name)))
  return hash.digest('hex')
}

function isBuilt(sources) {
  return existsSync(BUILT) && readFileSync(BUILT, 'utf8') === sources
}

function build(sources) {
  say('building')
  const dist = join(root, 'dist')
  const fresh = join(root, `dist.${process.pid}.new`)
  const old = join(root, `dist.${process.pid}.old`)
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  try {
    run(process.execPath, [compiler, '-p', join(root, 'tsconfig.json'), '--outDir', fresh], 'the build')
    writeFileSync(join(fresh, '.built'), sources)
    // Whole at once, so that no file of an older build stays and a broken one replaces nothing.
    if (existsSync(dist)) renameSync(dist, old)
    renameSync(fresh, dist)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
    rmSync(old, { recursive: true, force: true })
  }
}

/** Standard output belongs to what comes after. */
function run(command, args, what) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', STDERR, STDERR] })
  if (status === 0) return
  if (signal === 'SIGINT') process.exit(130)
  fail(`${what} failed${error ? `: ${error.message}` : ''}`, status ?? 1)
}

function say(text) {
  process.stderr.write(`sluice: ${text}\n`)
}

function fail(text, code) {
  say(text)
  process.exit(code)
}
