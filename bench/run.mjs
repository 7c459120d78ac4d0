import { writeFileSync } from 'node:fs'
import { readArguments } from './arguments.mjs'
import { brokers } from './brokers/catalogue.mjs'
import { machine } from './machine.mjs'
import { runGates } from './gates/run.mjs'
import { faults, measure, measureTrie } from './measure.mjs'
import { conditionsOf } from './parts/conditions.mjs'
import { tables } from './report.mjs'
import { saveResult } from './results.mjs'
import { rowsOf, scenarios } from './scenarios.mjs'
import { asText } from './table.mjs'

const say = (/** @type {string} */ line) => process.stderr.write(`${line}\n`)

/** @returns {import('./arguments.mjs').Options} */
function options() {
  try {
    const read = readArguments(process.argv.slice(2))
    if (!('help' in read)) return read
    console.log(read.help)
    process.exit(0)
  } catch (error) {
    say(`bench: ${/** @type {Error} */ (error).message}`)
    process.exit(2)
  }
}

/**
 * Those of the wanted brokers that can run. RabbitMQ may be missing, and mosquitto except where everything has to be checked.
 *
 * @param {string[]} wanted
 */
function present(wanted) {
  return wanted.filter((name) => {
    const reason = brokers.get(name)?.unavailable()
    if (!reason) return true
    say(`bench: without ${name}: ${reason}`)
    const optional = name === 'rabbitmq' || (name === 'mosquitto' && !process.env.CI)
    if (!optional) process.exit(1)
    return false
  })
}

/**
 * All rounds of one row, the brokers in turn: A B A B.
 *
 * @param {import('./scenarios.mjs').Scenario} scenario
 * @param {string[]} names
 * @param {import('./scenarios.mjs').Effort} effort
 * @returns {Promise<import('./report.mjs').Result>}
 */
async function runRow(scenario, names, effort) {
  const able = names.filter((name) => !brokers.get(name)?.unavailable(scenario))
  const rounds = []
  for (let round = 1; round <= (scenario.kind === 'start' ? 1 : effort.rounds); round++) {
    const outcomes = new Map()
    for (const name of able) {
      say(`${scenario.name} ${round}/${effort.rounds} ${name}`)
      outcomes.set(name, await measure(scenario, name, effort))
    }
    rounds.push(outcomes)
  }
  return { scenario, rounds }
}

const asked = options()
if (asked.load) process.exit((await runGates(asked)) ? 0 : 1)

const { quick, only, brokers: wanted, effort, json, complete } = asked
const names = present(wanted)
const chosen = (/** @type {string} */ name) => only.length === 0 || only.includes(name)
const results = []
/** @type {string[]} */
const failures = []
for (const scenario of scenarios.filter(({ name }) => chosen(name))) {
  try {
    results.push(await runRow(scenario, names, effort))
  } catch (error) {
    failures.push(`${scenario.name}: ${/** @type {Error} */ (error).message}`)
  }
}
if (chosen('trie')) say('trie')
const trie = chosen('trie') && names.includes('sluice') ? measureTrie(quick) : undefined

for (const { scenario, rounds } of results) {
  for (const outcome of rounds.flatMap((round) => round.get('sluice') ?? [])) {
    for (const fault of faults(outcome)) failures.push(`${scenario.name}: ${fault}`)
  }
}
const inPart = (/** @type {string} */ part) =>
  results.filter(({ scenario }) => rowsOf.get(part)?.includes(scenario.name))
const measured = [...rowsOf].map(([part, rows]) => ({
  part,
  shown: tables(inPart(part), rows.includes('trie') ? trie : undefined),
  rows: inPart(part),
  isWhole: rows.every(chosen),
}))
console.log(measured.flatMap(({ shown }) => shown.map(asText)).join('\n\n'))

const conditions = (/** @type {import('./report.mjs').Result[]} */ rows) => {
  const took = names.filter((name) => rows.some(({ rounds }) => rounds.some((round) => round.has(name))))
  return conditionsOf(
    machine(),
    took.map((name) => brokers.get(name)?.version() ?? name),
  )
}
const raw = (/** @type {import('./report.mjs').Result[]} */ rows) =>
  rows.map(({ scenario, rounds }) => ({
    name: scenario.name,
    rounds: rounds.map((round) => Object.fromEntries(round)),
  }))
if (json !== undefined) {
  writeFileSync(json, `${JSON.stringify({ ...conditions(results), effort, rows: raw(results), trie }, null, 2)}\n`)
}
if (complete && names.includes('mosquitto') && failures.length === 0) {
  for (const { part, shown, rows } of measured.filter(({ isWhole }) => isWhole)) {
    saveResult(part, { ...conditions(rows), effort, tables: shown, rows: raw(rows) })
    say(`wrote ${part} to docs/benchmarks.md`)
  }
}
for (const failure of failures) say(`bench: ${failure}`)
process.exitCode = failures.length > 0 ? 1 : 0
