// All tests: vitest, then aedes' own suite against the built broker. With arguments: vitest alone, with them.
// SLUICE_TEST_RESULTS names a folder for results in JSON, one file for each runner.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'

prepare()
const results = process.env.SLUICE_TEST_RESULTS
const args = process.argv.slice(2)

const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...args]
if (results) vitest.push('--reporter=default', '--reporter=json', `--outputFile.json=${join(results, 'vitest.json')}`)
let code = run(vitest)

const suite = 'test/aedes-suite/run.mjs'
if (args.length === 0 && existsSync(join(root, suite))) {
  code = run([suite, ...(results ? [join(results, 'aedes-suite.json')] : [])]) || code
}
process.exitCode = code

function run(command) {
  const { status, signal } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' })
  if (signal) process.exit(130)
  return status ?? 1
}
