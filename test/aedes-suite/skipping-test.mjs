import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import * as nodeTest from 'node:test'

/** @type {Record<string, string>} "file: case name" → why it does not count */
const skipped = JSON.parse(readFileSync(new URL('./skip.json', import.meta.url), 'utf8'))
const reasons = new Map(process.env.SLUICE_TEST_PEER === 'aedes' ? [] : Object.entries(skipped))
// The runner gives each file a process of its own.
const file = basename(process.argv[1] ?? '')

// Slower than any case needs; a case that waits for ever must not hold up those behind it.
const CASE_TIMEOUT_MS = 10_000

/** node:test's `test`, with the cases of skip.json reported as skipped. */
export function test(name, options, run) {
  const reason = reasons.get(`${file}: ${name}`)
  const given = typeof options === 'function' ? {} : options
  const limited = { timeout: CASE_TIMEOUT_MS, ...given, ...(reason === undefined ? {} : { skip: reason }) }
  return nodeTest.test(name, limited, typeof options === 'function' ? options : run)
}

export * from 'node:test'
export default test
