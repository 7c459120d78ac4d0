import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newDataFolder } from '../machine.mjs'
import { startBroker } from './process.mjs'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const manifest = new URL('../../package.json', import.meta.url)

/** @type {import('./catalogue.mjs').Kind} */
export const sluice = {
  unavailable: () => (existsSync(main) ? undefined : 'dist/main.js is missing: run `npm run build` first'),
  version: () => `Sluice ${JSON.parse(readFileSync(manifest, 'utf8')).version}, Node.js ${process.versions.node}`,
  start({ store, queues }) {
    const folder = store === 'disk' ? newDataFolder() : undefined
    const where = folder ? ['--data', join(folder, 'data'), '--durability', 'fsync'] : ['--memory']
    if (folder && queues) {
      const file = join(folder, 'sluice.yaml')
      const entries = queues.map(({ name, filters }) => [name, { bindings: filters }])
      // JSON is YAML too.
      writeFileSync(file, JSON.stringify({ queues: Object.fromEntries(entries) }))
      where.push('--config', file)
    }
    const command = [
      process.execPath,
      // For a profile: SLUICE_BENCH_NODE_FLAGS='--cpu-prof --cpu-prof-dir=/tmp/profiles'
      ...(process.env.SLUICE_BENCH_NODE_FLAGS?.split(' ') ?? []),
      main,
      'start',
      '--mqtt-port',
      '0',
      '--http-port',
      '0',
      '--log-level',
      'warn',
      ...where,
    ]
    return startBroker(command, /^listening mqtt:\/\/.*:(\d+)$/, {
      clean: () => folder && rmSync(folder, { recursive: true, force: true }),
    })
  },
}
