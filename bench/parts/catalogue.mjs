import { load } from './load.mjs'
import { messages } from './messages.mjs'
import { queues } from './queues.mjs'

/**
 * A part of docs/benchmarks.md that is measured by itself, and kept in bench/results/<name>.json.
 *
 * @typedef {object} Part
 * @property {string} name
 * @property {(result: any) => string} section Markdown from its own heading on
 */

/** In the order of the page. @type {Part[]} */
export const parts = [messages, queues, load]
