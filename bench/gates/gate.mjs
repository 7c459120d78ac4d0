/**
 * A load that Sluice has to bear, with what is asked of it.
 *
 * @typedef {object} Gate
 * @property {string} name as `--only` knows it
 * @property {string} title
 * @property {number} [minutes] how long it takes in full, for those that have a duration of their own
 * @property {(effort: Effort) => Promise<Finding>} run
 *
 * @typedef {object} Effort
 * @property {boolean} quick in small, to see that it works
 * @property {number} minutes for a gate with a duration
 * @property {(line: string) => void} say
 *
 * What one requirement is, and what was measured.
 *
 * @typedef {object} Check
 * @property {string} what
 * @property {number} value
 * @property {'≤' | '≥' | '='} is what the value has to be
 * @property {number} goal
 * @property {string} unit
 *
 * @typedef {object} Finding
 * @property {string} how what was done, in a sentence or two
 * @property {Check[]} checks all of them met: the gate is met
 * @property {Array<[what: string, value: number, unit: string]>} figures without a goal
 * @property {Series[]} [series]
 *
 * @typedef {object} Series figures over time
 * @property {string[]} head
 * @property {number[][]} rows
 */

/** @param {string} what @param {number} value @param {number} goal @param {string} unit @returns {Check} */
export const atMost = (what, value, goal, unit) => ({ what, value, is: '≤', goal, unit })

/** @param {string} what @param {number} value @param {number} goal @param {string} unit @returns {Check} */
export const atLeast = (what, value, goal, unit) => ({ what, value, is: '≥', goal, unit })

/** @param {string} what @param {number} value @param {number} goal @param {string} unit @returns {Check} */
export const exactly = (what, value, goal, unit) => ({ what, value, is: '=', goal, unit })

/** Nothing missing, nothing twice, nothing out of order. @param {Record<string, number>} account @returns {Check[]} */
export const nothingLost = (account) => [
  exactly('messages missing', account.missing ?? Number.NaN, 0, ''),
  exactly('repeated or out of order', account.repeatedOrLate ?? Number.NaN, 0, ''),
  exactly('without acknowledgement', account.unacknowledged ?? 0, 0, ''),
]

/** A backlog must not become slower to deal with as it goes. @param {number[]} fifths messages a second @returns {Check} */
export const staysFast = ([first = Number.NaN, ...later]) =>
  atLeast('slowest later fifth, of the first', (Math.min(...later) / first) * 100, 80, '%')

/** A figure that could not be measured meets nothing. @param {Check} check */
export function isMet({ value, is, goal }) {
  if (is === '≤') return value <= goal
  if (is === '≥') return value >= goal
  return value === goal
}

export const mebibytes = (/** @type {number} */ bytes) => bytes / 2 ** 20
