import { cores } from '../brokers/process.mjs'
import { sluice } from '../brokers/sluice.mjs'
import { machine } from '../machine.mjs'
import { loadTables } from '../parts/load.mjs'
import { readResult, saveResult } from '../results.mjs'
import { asText } from '../table.mjs'
import { gates } from './catalogue.mjs'
import { isMet } from './gate.mjs'

const say = (/** @type {string} */ line) => process.stderr.write(`${line}\n`)

/**
 * Runs gates one after the other, prints what each has found, and keeps it unless it was measured in small.
 *
 * @param {{ quick: boolean, only: string[], minutes: number | undefined }} options
 * @returns {Promise<boolean>} all of them are met
 */
export async function runGates({ quick, only, minutes }) {
  const missing = sluice.unavailable()
  if (missing) throw new Error(missing)
  let allMet = true
  for (const gate of gates.filter(({ name }) => only.length === 0 || only.includes(name))) {
    say(`${gate.name}: ${gate.title}`)
    const startMs = performance.now()
    const effort = { quick, minutes: minutes ?? (quick ? 0.1 : (gate.minutes ?? 0)), say }
    const finding = await gate.run(effort).catch(failed)
    const met = finding.checks.every(isMet)
    const seconds = Math.round((performance.now() - startMs) / 1000)
    const measured = {
      ...{ name: gate.name, title: gate.title, date: new Date().toISOString(), version: sluice.version() },
      ...{ machine: machine(), pinned: cores.pinned, seconds, met, ...finding },
    }
    allMet &&= met
    console.log(`\n${loadTables([measured]).map(asText).join('\n\n')}\n`)
    if (!quick) keep(measured)
  }
  return allMet
}

/** @param {unknown} error @returns {import('./gate.mjs').Finding} */
function failed(error) {
  const message = error instanceof Error ? error.message : String(error)
  say(`bench: ${message}`)
  const unfinished = { what: `not finished: ${message}`, value: 1, goal: 0, unit: '' }
  return { how: 'It did not come to an end.', checks: [{ ...unfinished, is: '=' }], figures: [] }
}

/** In the place of what was measured of this gate before. @param {import('../parts/load.mjs').Measured} measured */
function keep(measured) {
  /** @type {import('../parts/load.mjs').Measured[]} */
  const before = readResult('load')?.gates ?? []
  const known = new Map([...before.map((each) => /** @type {const} */ ([each.name, each])), [measured.name, measured]])
  saveResult('load', { gates: gates.flatMap(({ name }) => known.get(name) ?? []) })
}
