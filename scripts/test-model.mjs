// Sequences that the tests do not run: `npm run test:model -- --minutes 10 --seed 5` compares random ones with the
// reference broker, each of the three worlds for so long, by this seed. What it finds becomes a test in
// test/model/found.test.ts.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { prepare, root } from './prepare.mjs'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' } },
})
const minutes = Number(values.minutes)
// Another place each time, and the one that was named again.
const seed = Number(values.seed ?? Date.now() % 1_000_000_000)
for (const [name, value] of Object.entries({ minutes, seed })) {
  if (Number.isNaN(value)) throw new Error(`--${name} is a number, and not '${values[name]}'`)
}
prepare()
process.stdout.write(`model: ${minutes} minutes in each world, seed ${seed}\n`)
const env = { ...process.env, SLUICE_TEST_MODEL_MINUTES: String(minutes), SLUICE_TEST_MODEL_SEED: String(seed) }
const command = ['node_modules/vitest/vitest.mjs', 'run', 'test/model/sessions.test.ts']
const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit', env })
process.exitCode = status ?? 1
