// Prints `N passed, N failed` over the JSON results in a folder: vitest's, and { passed, failed, skipped } of others,
// each a number or a list.
// Arguments: the folder, how many steps outside these runners failed, and the exit code of the tests themselves.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, failedSteps, testsExitCode] = process.argv.slice(2)
const total = { passed: 0, failed: 0, skipped: 0 }
for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const result = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const counted = 'numTotalTests' in result ? ofVitest(result) : result
  for (const kind of Object.keys(total)) {
    total[kind] += Array.isArray(counted[kind]) ? counted[kind].length : counted[kind]
  }
}
// A runner that broke down, or an error outside any test, has no case to blame.
if (total.failed === 0 && (testsExitCode !== '0' || total.passed === 0)) total.failed = 1
total.failed += Number(failedSteps)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
process.exitCode = total.failed > 0 ? 1 : 0

function ofVitest(result) {
  // A file that does not load has no tests to fail.
  const unloaded = result.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + unloaded.length,
    skipped: result.numPendingTests + result.numTodoTests,
  }
}
