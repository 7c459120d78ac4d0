import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import * as nodeTest from 'node:test'

/** @type {Record<string, string>} "file: case name" → why it does not count */
const skipped = JSON.parse(readFileSync(new URL('./skip.json', import.meta.url), 'utf8'))
const reasons = new Map(process.env.SLUICE_TEST_PEER === 'aedes' ? [] : Object.entries(skipped))
// The runner gives each file a process of its own.
const file = basename(process.argv[1] ?? '')

/** node:test's `test`, with the cases of skip.json reported as skipped. */
export function test(name, options, run) {
  const reason = reasons.get(`${file}: ${name}`)
  if (typeof options === 'function') return nodeTest.test(name, reason === undefined ? {} : { skip: reason }, options)
  return nodeTest.test(name, reason === undefined ? options : { ...options, skip: reason }, run)
}

export * from 'node:test'
export default test
