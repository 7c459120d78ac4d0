import { parseArgs } from 'node:util'
import { brokers } from './brokers/catalogue.mjs'
import { gates } from './gates/catalogue.mjs'
import { full, quick, rowsOf, scenarios } from './scenarios.mjs'

/** Those that are compared unless told otherwise. */
const compared = 'sluice,mosquitto,rabbitmq'
const comparedQuickly = 'sluice,mosquitto'

const help = `Measures Sluice against other brokers, in alternation, or with --load under loads that it has to bear, and writes
docs/benchmarks.md.

Usage: npm run bench -- [options]

  --quick            all rows once and briefly, in less than a minute; writes nothing
  --only NAME        only this row, or the rows of this part of the page (may be given more than once); writes only a part
                     whose rows are all there
  --brokers A,B      which brokers, of ${[...brokers.keys()].join(', ')} (default ${compared}; RabbitMQ
                     takes part in the rows of queues only, and with --quick not by itself)
  --seconds N        time under full load, for each row, round and broker (default ${full.seconds})
  --rounds N         rounds of each row (default ${full.rounds})
  --json FILE        write all figures of all rounds to this file too
  --load             the load gates in the place of the rows: Sluice alone, each with a verdict; what was measured is
                     written, also with --only
  --minutes N        how long the gates take that have a duration: ${gates.flatMap((gate) => (gate.minutes ? [`${gate.name} (default ${gate.minutes})`] : [])).join(', ')}
  --help             show this

Rows: ${[...scenarios.map((scenario) => scenario.name), 'trie'].join(', ')}
Parts: ${[...rowsOf.keys()].join(', ')}
Gates: ${gates.map((gate) => gate.name).join(', ')}
'mirror' is not a broker: it copies frames blindly and shows what the load generator itself can do.`

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {string[]} only empty: all rows
 * @property {string[]} brokers
 * @property {import('./scenarios.mjs').Effort} effort
 * @property {string | undefined} json
 * @property {boolean} complete nothing was shortened, so what has all its rows may be written to the page
 * @property {boolean} load
 * @property {number | undefined} minutes
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
      brokers: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      json: { type: 'string' },
      load: { type: 'boolean', default: false },
      minutes: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return { help }
  const known = new Set(
    values.load ? gates.map((gate) => gate.name) : [...[...rowsOf.values()].flat(), ...rowsOf.keys()],
  )
  for (const name of values.only) {
    if (!known.has(name))
      throw new Error(`--only: no ${values.load ? 'gate' : 'row'} '${name}'; there are ${[...known].join(', ')}`)
  }
  const wanted = values.brokers ?? (values.quick ? comparedQuickly : compared)
  const chosen = wanted.split(',')
  for (const name of chosen) {
    if (!brokers.has(name))
      throw new Error(`--brokers: no broker '${name}'; there are ${[...brokers.keys()].join(', ')}`)
  }
  const effort = { ...(values.quick ? quick : full) }
  if (values.seconds !== undefined) effort.seconds = positive('--seconds', values.seconds)
  if (values.rounds !== undefined) effort.rounds = Math.ceil(positive('--rounds', values.rounds))
  return {
    quick: values.quick,
    only: values.load ? values.only : values.only.flatMap((name) => rowsOf.get(name) ?? [name]),
    brokers: chosen,
    effort,
    json: values.json,
    load: values.load,
    minutes: values.minutes === undefined ? undefined : positive('--minutes', values.minutes),
    complete: !values.quick && wanted === compared,
  }
}

/** @param {string} option @param {string} text */
function positive(option, text) {
  const value = Number(text)
  if (!(value > 0 && value <= 3600)) throw new Error(`${option}: '${text}' is not a number from 1 to 3600`)
  return value
}
