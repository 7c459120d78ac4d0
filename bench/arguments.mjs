import { parseArgs } from 'node:util'
import { brokers } from './brokers/catalogue.mjs'
import { full, quick, scenarios } from './scenarios.mjs'

const help = `Measures Sluice against mosquitto, in alternation, and writes docs/benchmarks.md.

Usage: npm run bench -- [options]

  --quick            all rows once and briefly, in less than a minute; writes nothing
  --only NAME        only this row (may be given more than once); writes nothing
  --brokers A,B      which brokers, of ${[...brokers.keys()].join(', ')} (default sluice,mosquitto)
  --seconds N        time under full load, for each row, round and broker (default ${full.seconds})
  --rounds N         rounds of each row (default ${full.rounds})
  --json FILE        write all figures of all rounds to this file too
  --help             show this

Rows: ${[...scenarios.map((scenario) => scenario.name), 'trie'].join(', ')}
'mirror' is not a broker: it copies frames blindly and shows what the load generator itself can do.`

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {string[]} only empty: all rows
 * @property {string[]} brokers
 * @property {import('./scenarios.mjs').Effort} effort
 * @property {string | undefined} json
 * @property {boolean} complete nothing was left out or shortened, so the page may be written
 *
 * @param {string[]} argv
 * @returns {Options | { help: string }}
 */
export function readArguments(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      brokers: { type: 'string', default: 'sluice,mosquitto' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return { help }
  const known = new Set([...scenarios.map((scenario) => scenario.name), 'trie'])
  for (const name of values.only) {
    if (!known.has(name)) throw new Error(`--only: no row '${name}'; there are ${[...known].join(', ')}`)
  }
  const chosen = values.brokers.split(',')
  for (const name of chosen) {
    if (!brokers.has(name))
      throw new Error(`--brokers: no broker '${name}'; there are ${[...brokers.keys()].join(', ')}`)
  }
  const effort = { ...(values.quick ? quick : full) }
  if (values.seconds !== undefined) effort.seconds = positive('--seconds', values.seconds)
  if (values.rounds !== undefined) effort.rounds = Math.ceil(positive('--rounds', values.rounds))
  return {
    quick: values.quick,
    only: values.only,
    brokers: chosen,
    effort,
    json: values.json,
    complete: !values.quick && values.only.length === 0 && values.brokers === 'sluice,mosquitto',
  }
}

/** @param {string} option @param {string} text */
function positive(option, text) {
  const value = Number(text)
  if (!(value > 0 && value <= 3600)) throw new Error(`${option}: '${text}' is not a number from 1 to 3600`)
  return value
}
