import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brokers } from './brokers/catalogue.mjs'
import { generate } from './generator.mjs'
import { median } from './median.mjs'

const trieProgram = fileURLToPath(new URL('./trie.mjs', import.meta.url))
const built = fileURLToPath(new URL('../dist/router/router.js', import.meta.url))

/** What came of one run, as the load generator prints it. @typedef {Record<string, any>} Outcome */

/**
 * One run of one row against a fresh broker.
 *
 * @param {import('./scenarios.mjs').Scenario} scenario
 * @param {string} name of the broker
 * @param {import('./scenarios.mjs').Effort} effort
 * @returns {Promise<Outcome>}
 */
export async function measure(scenario, name, effort) {
  const kind = brokers.get(name)
  if (!kind) throw new Error(`no broker '${name}'`)
  if (scenario.kind === 'start') return startTime(kind, scenario, effort.starts)
  const broker = await kind.start(scenario)
  try {
    return await generate({
      ...scenario.load,
      ...effort,
      port: broker.port,
      amqpPort: broker.amqpPort,
      pid: broker.pid,
    })
  } finally {
    await broker.stop()
  }
}

/**
 * @param {import('./brokers/catalogue.mjs').Kind} kind
 * @param {import('./scenarios.mjs').Scenario} scenario
 * @param {number} starts
 */
async function startTime(kind, scenario, starts) {
  const times = []
  for (let n = 0; n < starts; n++) {
    const broker = await kind.start(scenario)
    times.push(broker.readyMs)
    await broker.stop()
  }
  return { readyMs: median(times) }
}

/** The router alone, without a broker around it; undefined when there is no build. @param {boolean} quick */
export function measureTrie(quick) {
  if (!existsSync(built)) return undefined
  const effort = quick ? ['--subscriptions', '100000', '--seconds', '0.2'] : []
  const run = spawnSync(process.execPath, [trieProgram, '--json', ...effort], { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(`bench/trie.mjs: ${run.stderr}`)
  return JSON.parse(run.stdout)
}

/** What is wrong with a run's account, in words; empty: every message came once, in order, and was acknowledged. @param {Outcome} outcome */
export function faults({ account }) {
  if (!account) return []
  /** @type {Array<[keyof typeof account, string]>} */
  const kinds = [
    ['missing', 'missing'],
    ['repeatedOrLate', 'repeated or out of order'],
    ['unacknowledged', 'unacknowledged'],
    ['misorderedAcks', 'acknowledgements out of order'],
  ]
  return kinds.filter(([key]) => account[key] > 0).map(([key, words]) => `${account[key]} ${words}`)
}
