import { faults } from './measure.mjs'
import { median } from './median.mjs'

/**
 * All runs of one row.
 *
 * @typedef {object} Result
 * @property {import('./scenarios.mjs').Scenario} scenario
 * @property {Array<Map<string, import('./measure.mjs').Outcome>>} rounds outcome by broker
 */

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const none = '–'

/** @param {number} ms */
const milliseconds = (ms) => (ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : grouped.format(ms))
/** @param {number} bytes */
const mebibytes = (bytes) => grouped.format(bytes / 2 ** 20)

/**
 * @param {Result[]} results
 * @param {Record<string, number> | undefined} trie
 * @returns {import('./table.mjs').Table[]}
 */
export function tables(results, trie) {
  const of = (/** @type {string} */ kind) => results.filter(({ scenario }) => scenario.kind === kind)
  return [
    {
      title: 'Messages between connected clients, at full load',
      head: ['row', 'broker', 'msgs/s', 'ratio', 'p50 ms', 'p99 ms', 'CPU s per M', 'RSS MiB', 'generator'],
      rows: of('traffic')
        .filter(({ scenario }) => scenario.load.flood)
        .flatMap(throughput),
    },
    {
      title: 'The same at a fixed rate: latency',
      head: ['row', 'broker', 'sent/s', 'p50 ms', 'p99 ms', 'max ms', 'ack p50 ms', 'ack p99 ms'],
      rows: of('traffic').flatMap(steady),
    },
    {
      title: 'Stored messages for clients that are away',
      head: ['row', 'broker', 'in msgs/s', 'ratio', 'out msgs/s', 'ratio', 'messages', 'CPU s', 'RSS MiB'],
      rows: of('backlog').flatMap(stored),
    },
    {
      title: 'From publishers through durable queues to consumers, at full load',
      head: ['row', 'broker', 'msgs/s', 'ratio', 'p50 ms', 'p99 ms', 'CPU s per M', 'RSS MiB', 'generator'],
      rows: of('queue').flatMap(throughput),
    },
    {
      title: 'Queues at a fixed rate: latency',
      head: ['row', 'broker', 'sent/s', 'p50 ms', 'p99 ms', 'max ms', 'ack p50 ms', 'ack p99 ms'],
      rows: of('queue').flatMap(steady),
    },
    {
      title: 'A queue that nobody drains, then drained',
      head: ['row', 'broker', 'in msgs/s', 'ratio', 'out msgs/s', 'ratio', 'messages', 'CPU s', 'RSS MiB'],
      rows: of('queue-backlog').flatMap(stored),
    },
    {
      title: 'Idle connections and start',
      head: ['row', 'broker', 'figure', 'ratio', 'connects/s', 'RSS MiB'],
      rows: [...of('idle').flatMap(idle), ...of('start').flatMap(start)],
    },
    { title: 'The router alone', head: ['figure', 'unit', 'value'], rows: trie ? trieRows(trie) : [] },
  ].filter(({ rows }) => rows.length > 0)
}

/** @param {Result} result */
const throughput = (result) =>
  perBroker(result, (figure) => [
    grouped.format(figure('messagesPerSecond')),
    ratio(result, 'messagesPerSecond'),
    milliseconds(figure('loaded.delivery.p50Ms')),
    milliseconds(figure('loaded.delivery.p99Ms')),
    ((figure('cpuSeconds') / figure('seconds') / figure('messagesPerSecond')) * 1e6).toFixed(2),
    mebibytes(figure('rssBytes')),
    `${Math.round(figure('generatorBusy') * 100)} %`,
  ])

/** @param {Result} result */
const steady = (result) =>
  perBroker(result, (figure) => [
    grouped.format(figure('steady.rate')),
    milliseconds(figure('steady.delivery.p50Ms')),
    milliseconds(figure('steady.delivery.p99Ms')),
    milliseconds(figure('steady.delivery.maxMs')),
    ...(result.scenario.load.qos === 0
      ? [none, none]
      : [milliseconds(figure('steady.acknowledgement.p50Ms')), milliseconds(figure('steady.acknowledgement.p99Ms'))]),
  ])

/** @param {Result} result */
const stored = (result) =>
  perBroker(result, (figure) => [
    grouped.format(figure('inPerSecond')),
    ratio(result, 'inPerSecond'),
    grouped.format(figure('outPerSecond')),
    ratio(result, 'outPerSecond'),
    grouped.format(figure('messages')),
    (figure('cpuInSeconds') + figure('cpuOutSeconds')).toFixed(2),
    mebibytes(figure('rssBytes')),
  ])

/** @param {Result} result */
const idle = (result) =>
  perBroker(result, (figure) => [
    `${(figure('bytesPerConnection') / 1000).toFixed(1)} KB each of ${grouped.format(figure('connections'))}`,
    ratio(result, 'bytesPerConnection'),
    grouped.format(figure('connectsPerSecond')),
    mebibytes(figure('rssBytes')),
  ])

/** @param {Result} result */
const start = (result) =>
  perBroker(result, (figure) => [`${milliseconds(figure('readyMs'))} ms`, ratio(result, 'readyMs'), none, none])

/** @param {Record<string, number>} trie */
function trieRows(trie) {
  const shown = [
    ['subscriptions', 'in the trie', trie.subscriptions],
    ['topics matched', 'a second', trie.matchesPerSecond],
    ['topics routed past the cache', 'a second', trie.uncachedRoutesPerSecond],
    ['topics routed from the cache', 'a second', trie.cachedRoutesPerSecond],
    ['time to build', 'ms', trie.buildMs],
    ['memory', 'bytes a subscription', trie.bytesEach],
    ['one more subscription', 'µs', trie.subscribeMicroseconds],
  ]
  return shown.map(([name, unit, value]) => [
    String(name),
    String(unit),
    Number(value) < 100 ? String(value) : grouped.format(Number(value)),
  ])
}

/**
 * One line for each broker that ran, with medians over the rounds.
 *
 * @param {Result} result
 * @param {(figure: (path: string) => number) => string[]} cells
 */
function perBroker({ scenario, rounds }, cells) {
  const names = [...new Set(rounds.flatMap((round) => [...round.keys()]))]
  return names.map((name) => {
    const outcomes = rounds.flatMap((round) => round.get(name) ?? [])
    const wrong = outcomes.flatMap(faults)
    const title = wrong.length > 0 ? `${scenario.title} (${wrong.join(', ')})` : scenario.title
    return [title, name, ...cells((path) => median(outcomes.map((outcome) => at(outcome, path))))].map((cell, n) =>
      n > 1 && name !== 'sluice' && cell.startsWith('×') ? '' : cell,
    )
  })
}

/**
 * Median of the rounds' ratios of Sluice to mosquitto, or to RabbitMQ; the two of a round ran one after the other.
 *
 * @param {Result} result
 * @param {string} path
 */
function ratio({ rounds }, path) {
  const ratios = rounds.flatMap((round) => {
    const [ours, theirs] = [round.get('sluice'), round.get('mosquitto') ?? round.get('rabbitmq')]
    return ours && theirs ? [at(ours, path) / at(theirs, path)] : []
  })
  return ratios.length === 0 ? none : `×${median(ratios).toFixed(2)}`
}

/** @param {any} outcome @param {string} path @returns {number} NaN where a run has no such figure */
const at = (outcome, path) => Number(path.split('.').reduce((value, key) => value?.[key], outcome))
