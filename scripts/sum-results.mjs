// Prints `N passed, N failed` over the JSON results in a folder: vitest's, and { passed, failed, skipped } of others.
// Arguments: the folder, and how many steps outside these runners have failed.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, failedSteps = '0'] = process.argv.slice(2)
const total = { passed: 0, failed: Number(failedSteps), skipped: 0 }
for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const result = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const counted = 'numTotalTests' in result ? ofVitest(result) : result
  total.passed += counted.passed
  total.failed += counted.failed
  total.skipped += counted.skipped
}
if (total.passed === 0 && total.failed === 0) total.failed = 1
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
