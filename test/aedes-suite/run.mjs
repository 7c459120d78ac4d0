// Runs aedes' own test suite, unchanged from its npm package but for what resolve.mjs replaces, against the built Broker.
//
//   node test/aedes-suite/run.mjs [summary.json] [file.js ...]
//
// SLUICE_TEST_PEER=aedes runs it against plain aedes without the skip list: the base line.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

// A file whose cases all run into their own timeout would take longer than anybody waits.
const FILE_TIMEOUT_MS = 180_000
const FILES_AT_ONCE = 2
const FILES_LEFT_OUT = new Map([['drain-toxiproxy.js', 'needs a toxiproxy server in Docker']])
// No cases of their own.
const HELPERS = new Set(['helper.js'])

const suite = new URL('../../node_modules/aedes/test/', import.meta.url)
const skipList = JSON.parse(readFileSync(new URL('./skip.json', import.meta.url), 'utf8'))
const args = process.argv.slice(2)
const summaryPath = args[0]?.endsWith('.json') ? args.shift() : undefined

const files = readdirSync(suite)
  .filter((name) => name.endsWith('.js') && !HELPERS.has(name) && !FILES_LEFT_OUT.has(name))
  .filter((name) => args.length === 0 || args.includes(name))
  .sort()

const cases = []

/** One `node --test` for each file: the events say where `test` was called, which is in the wrapper for all of them. */
async function runFile(name) {
  const child = spawn(
    process.execPath,
    [
      '--import',
      new URL('./hook.mjs', import.meta.url).href,
      '--test',
      `--test-timeout=${FILE_TIMEOUT_MS}`,
      `--test-reporter=${new URL('./reporter.mjs', import.meta.url).href}`,
      '--test-reporter-destination=stdout',
      fileURLToPath(new URL(name, suite)),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  for await (const line of createInterface({ input: child.stdout })) {
    // The suite's console.log comes through the same pipe.
    if (line.startsWith('{"')) cases.push({ file: name, ...JSON.parse(line) })
  }
}

const waiting = [...files]
async function work() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await runFile(name)
}
await Promise.all(Array.from({ length: FILES_AT_ONCE }, work))

const key = (one) => `${one.file}: ${one.name}`
const isSkipped = (one) => one.skip !== undefined && one.skip !== false
const skipped = cases.filter(isSkipped)
const failed = cases.filter((one) => !one.passed && !isSkipped(one))
const passed = cases.filter((one) => one.passed && !isSkipped(one))
// A reason whose case is gone or renamed would hide nothing and mislead the reader.
const seen = new Set(cases.map(key))
const stale =
  args.length === 0 && process.env.SLUICE_TEST_PEER !== 'aedes'
    ? Object.keys(skipList).filter((name) => !seen.has(name))
    : []

for (const one of failed) console.log(`FAILED ${key(one)}\n    ${one.error?.split('\n').slice(0, 6).join('\n    ')}`)
for (const name of stale) console.log(`NO SUCH CASE ${name} (skip.json)`)
for (const [name, reason] of FILES_LEFT_OUT) console.log(`left out ${name}: ${reason}`)
console.log(
  `aedes' suite: ${cases.length} cases, ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`,
)

if (summaryPath !== undefined) {
  const summary = {
    passed: passed.length,
    failed: failed.map((one) => ({ name: key(one), error: one.error })),
    skipped: skipped.map((one) => ({ name: key(one), reason: one.skip === true ? 'skipped in aedes' : one.skip })),
  }
  writeFileSync(summaryPath, `${JSON.stringify(summary, null, 2)}\n`)
}
process.exitCode = failed.length === 0 && stale.length === 0 && passed.length > 0 ? 0 : 1
