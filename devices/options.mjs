import { parseArgs } from 'node:util'

/**
 * What every board is told on its command line.
 *
 * @typedef {object} Options
 * @property {string} host
 * @property {number} port
 * @property {string} id also the MQTT client identifier
 * @property {number} count how many reports to send before switching off; 0: no end
 * @property {number} intervalMs between two reports
 */

/**
 * Reads the command line. Prints the help, or one line about a wrong flag, and ends the process where that is due.
 *
 * @param {{ command: string, summary: string, topics: string[], id: string, intervalSeconds: number }} board
 * @returns {Options}
 */
export function readOptions(board) {
  try {
    const { values } = parseArgs({
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '1883' },
        id: { type: 'string', default: board.id },
        count: { type: 'string', default: '0' },
        interval: { type: 'string', default: String(board.intervalSeconds) },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      console.log(help(board))
      process.exit(0)
    }
    if (!/^[\w.-]{1,64}$/.test(values.id))
      throw new Error(`--id: '${values.id}' is not 1 to 64 letters, digits, . _ or -`)
    if (values.host === '') throw new Error('--host: is empty')
    return {
      host: values.host,
      port: number('--port', values.port, /^\d+$/, 1, 65_535),
      id: values.id,
      count: number('--count', values.count, /^\d+$/, 0, 1_000_000_000),
      intervalMs: number('--interval', values.interval, /^\d+(\.\d+)?$/, 0.01, 86_400) * 1000,
    }
  } catch (error) {
    const [line] = /** @type {Error} */ (error).message.split('\n')
    console.error(`${board.command}: ${line}`)
    process.exit(2)
  }
}

/** @param {string} flag @param {string} text @param {RegExp} form @param {number} min @param {number} max */
function number(flag, text, form, min, max) {
  const value = Number(text)
  if (!form.test(text) || value < min || value > max)
    throw new Error(`${flag}: '${text}' is not a number from ${min} to ${max}`)
  return value
}

/** @param {Parameters<typeof readOptions>[0]} board */
const help = ({ command, summary, topics, id, intervalSeconds }) => `${summary}

Usage: node devices/${command}/${command}.mjs [options]

  --host NAME       the broker's host (default 127.0.0.1)
  --port N          its MQTT port (default 1883)
  --id NAME         name of this board, part of its topics (default ${id})
  --count N         switch off after N reports (default 0: never)
  --interval S      seconds between two reports, may be a fraction (default ${intervalSeconds})
  --help            show this

Topics:
${topics.map((topic) => `  ${topic}`).join('\n')}`
