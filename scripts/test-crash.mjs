// The broker under faults: `npm run test:crash` in its short form, `npm run test:crash -- --minutes 10` in its long one.
// The minutes are those of each of the four checkers. `--seed N` takes the same choices again, when the minutes are the
// same, too; what the machine does in between is its own.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { prepare, root } from './prepare.mjs'

const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
for (const [name, value] of Object.entries(values)) {
  if (Number.isNaN(Number(value))) throw new Error(`--${name} is a number, and not '${value}'`)
}
prepare()
const env = { ...process.env }
if (values.minutes !== undefined) env.CRASH_CHECKER_MINUTES = values.minutes
if (values.seed !== undefined) env.CRASH_CHECKER_SEED = values.seed
const command = ['node_modules/vitest/vitest.mjs', 'run', 'test/crash/checker']
const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit', env })
process.exitCode = status ?? 1
