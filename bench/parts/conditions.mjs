import { cores } from '../brokers/process.mjs'

/**
 * Under what conditions rows were measured, as they are kept with them.
 *
 * @typedef {object} Conditions
 * @property {string} date ISO 8601
 * @property {string[]} versions
 * @property {ReturnType<typeof import('../machine.mjs').machine>} machine
 * @property {boolean} pinned
 */

/** @param {Conditions} conditions */
export function conditionsTable({ date, versions, machine }) {
  return `| | |
| --- | --- |
| measured on | ${date.slice(0, 10)} |
| brokers | ${versions.join('; ')} |
| machine | ${machine.cpu}, ${machine.memory}, ${machine.system} |
| load generator | ${machine.node}, raw sockets, in its own process |
| writing 4 KiB and \`fdatasync\` | ${machine.sync} |`
}

/** @param {Conditions} conditions */
export const pinning = ({ pinned }) =>
  pinned
    ? 'The broker has one core and the load generator another (`taskset`).'
    : 'Broker and load generator share the cores: `taskset` is not at hand.'

/** @param {ReturnType<typeof import('../machine.mjs').machine>} machine @param {string[]} versions @returns {Conditions} */
export const conditionsOf = (machine, versions) => ({
  date: new Date().toISOString(),
  versions,
  machine,
  pinned: cores.pinned,
})
