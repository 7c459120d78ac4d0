import { isMet } from '../gates/gate.mjs'
import { asMarkdown } from '../table.mjs'

/**
 * What one gate has found, as it is kept.
 *
 * @typedef {import('../gates/gate.mjs').Finding & {
 *   name: string, title: string, date: string, version: string, seconds: number, met: boolean, pinned: boolean,
 *   machine: ReturnType<typeof import('../machine.mjs').machine>
 * }} Measured
 */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** @param {number} value @param {string} unit */
function figure(value, unit) {
  if (!Number.isFinite(value)) return 'not measured'
  const size = Math.abs(value)
  const digits = Number.isInteger(value) || size >= 100 ? whole.format(value) : value.toFixed(size >= 10 ? 1 : 2)
  return unit === '' ? digits : `${digits} ${unit}`
}

const verdict = (/** @type {boolean} */ met) => (met ? 'met' : '**missed**')

/** @param {Measured} measured @returns {import('../table.mjs').Table} */
function gateTable({ name, checks, figures }) {
  return {
    title: name,
    head: ['figure', 'verdict', 'goal', 'measured'],
    rows: [
      ...checks.map((check) => [
        check.what,
        verdict(isMet(check)),
        `${check.is} ${figure(check.goal, check.unit)}`,
        figure(check.value, check.unit),
      ]),
      ...figures.map(([what, value, unit]) => [what, '', '', figure(value, unit)]),
    ],
  }
}

/** @param {Measured} measured @returns {import('../table.mjs').Table[]} */
const seriesTables = ({ name, series = [] }) =>
  series.map(({ head, rows }) => ({
    title: `${name}, over time`,
    head,
    rows: rows.map((row) => row.map((value) => figure(value, ''))),
  }))

/** @param {Measured[]} gates */
export const loadTables = (gates) => gates.flatMap((gate) => [gateTable(gate), ...seriesTables(gate)])

/** @param {Measured} gate */
function gateSection(gate) {
  const { title, how, machine, date, version, pinned, seconds } = gate
  const [table, ...series] = [gateTable(gate), ...seriesTables(gate)].map(asMarkdown)
  const where = `${machine.cpu}, ${machine.memory}, ${machine.system}, ${machine.sync} for 4 KiB and \`fdatasync\``
  return `${table?.replace('\n', `: ${title}\n\n${how}\n`)}

Measured on ${date.slice(0, 10)} in ${whole.format(seconds)} s: ${version}; ${where}${pinned ? '; one core for the broker' : ''}.${series.map((each) => `\n\n${each.replace(/^### .*\n\n/, '')}`).join('')}`
}

/** The gates of bench/gates. @type {import('./catalogue.mjs').Part} */
export const load = {
  name: 'load',
  section: ({ gates }) => `## Load and time

What Sluice has to bear, with durability \`fsync\` and a verdict. Other brokers are not measured here. Stalls are the longest
times that the broker's event loop stood still, measured inside its process; memory is that of the whole process.

${asMarkdown({
  title: 'Verdicts',
  head: ['gate', 'what', 'verdict'],
  rows: gates.map((/** @type {Measured} */ { name, title, met }) => [name, title, verdict(met)]),
})}

${gates.map(gateSection).join('\n\n')}`,
}
