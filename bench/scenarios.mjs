import { filterOf } from './load/frames.mjs'

/**
 * The rows of the benchmark, as data.
 *
 * @typedef {object} Scenario
 * @property {string} name as `--only` knows it
 * @property {string} title
 * @property {'traffic' | 'backlog' | 'queue' | 'queue-backlog' | 'idle' | 'start'} kind
 * @property {'memory' | 'disk'} store where Sluice keeps what it has to; mosquitto runs with `persistence false` throughout
 * @property {Record<string, unknown>} load what the load generator is told
 * @property {BenchQueue[]} [queues] durable ones that the broker has to have
 *
 * @typedef {object} BenchQueue
 * @property {string} name
 * @property {string[]} filters topic filters it is bound to
 */

const payloadBytes = 64

/**
 * Windows. At QoS 0 nothing acknowledges, so a publisher waits while `outstanding` of its messages have not arrived:
 * enough to keep a broker busy without a pause, little enough that no broker has a reason to drop. At QoS 1 and 2 a
 * publisher has up to `inflight` without acknowledgement, as a busy client has.
 */
const many = { inflight: 100, outstanding: 200 }

/** @param {number} publishers @param {number} subscribers @param {'all' | 'own'} audience @param {number} qos */
const traffic = (publishers, subscribers, audience, qos, window = many, extra = {}) => ({
  kind: 'traffic',
  payloadBytes,
  topics: 1,
  publishers,
  subscribers,
  audience,
  qos,
  persistent: false,
  flood: true,
  steadyRate: 1000,
  ...window,
  ...extra,
})

/**
 * Publishers at QoS 1, durable queues, for each queue a consumer with a prefetch of 100. Publisher n is bound to queue n
 * modulo their number.
 *
 * @param {string} name
 * @param {string} title
 * @param {'queue' | 'queue-backlog'} kind
 * @param {number} count of queues
 * @param {Record<string, unknown>} [extra]
 * @returns {Scenario}
 */
function queueRow(name, title, kind, count, extra = {}) {
  const publishers = 12
  const load = traffic(publishers, count, 'own', 1, many, extra)
  const names = Array.from({ length: count }, (_, n) => `bench-${n}`)
  const bound = (/** @type {number} */ queue) =>
    Array.from({ length: publishers / count }, (_, n) => filterOf(n * count + queue, 1))
  return {
    name,
    title,
    kind,
    store: 'disk',
    load: { ...load, queues: names.map((queue) => ({ name: queue, prefetch: 100 })) },
    queues: names.map((queue, n) => ({ name: queue, filters: count === 1 ? [filterOf('all', 1)] : bound(n) })),
  }
}

/** @type {Scenario[]} */
export const scenarios = [
  {
    name: 'fan-in-qos0',
    title: 'fan-in 10→1, QoS 0',
    kind: 'traffic',
    store: 'memory',
    load: traffic(10, 1, 'all', 0, { inflight: 0, outstanding: 1600 }),
  },
  {
    name: 'fan-in-qos0-topics',
    title: 'fan-in 10→1, QoS 0, 10 topics each in turn',
    kind: 'traffic',
    store: 'memory',
    // No two messages that follow each other have the same topic, so nothing can be gained by handling them together.
    load: traffic(10, 1, 'all', 0, { inflight: 0, outstanding: 1600 }, { topics: 10 }),
  },
  {
    name: 'fan-out-qos0',
    title: 'fan-out 1→50, QoS 0',
    kind: 'traffic',
    store: 'memory',
    // 100 messages a second become 5,000 deliveries.
    load: traffic(1, 50, 'all', 0, { inflight: 0, outstanding: 2000 }, { steadyRate: 100 }),
  },
  {
    name: 'fan-out-qos0-topics',
    title: 'fan-out 1→50, QoS 0, 10 topics in turn',
    kind: 'traffic',
    store: 'memory',
    load: traffic(1, 50, 'all', 0, { inflight: 0, outstanding: 2000 }, { steadyRate: 100, topics: 10 }),
  },
  {
    name: 'pairs-qos1',
    title: 'pairs 10→10, QoS 1',
    kind: 'traffic',
    store: 'memory',
    load: traffic(10, 10, 'own', 1),
  },
  {
    name: 'fan-in-qos2',
    title: 'fan-in 10→1, QoS 2',
    kind: 'traffic',
    store: 'memory',
    load: traffic(10, 1, 'all', 2),
  },
  {
    name: 'pairs-qos2',
    title: 'pairs 10→10, QoS 2',
    kind: 'traffic',
    store: 'memory',
    load: traffic(10, 10, 'own', 2),
  },
  {
    name: 'persistent-qos1',
    title: 'persistent sessions, connected, 10→10, QoS 1',
    kind: 'traffic',
    store: 'disk',
    load: traffic(10, 10, 'own', 1, many, { persistent: true }),
  },
  {
    name: 'persistent-qos2',
    title: 'persistent sessions, connected, 10→10, QoS 2',
    kind: 'traffic',
    store: 'disk',
    load: traffic(10, 10, 'own', 2, many, { persistent: true }),
  },
  {
    name: 'backlog-qos1',
    title: 'persistent sessions, away, 10→10, QoS 1',
    kind: 'backlog',
    store: 'disk',
    load: { ...traffic(10, 10, 'own', 1, { inflight: 100, outstanding: 1e9 }, { persistent: true }), kind: 'backlog' },
  },
  {
    name: 'fleet-qos1',
    title: '1,000 publishers, one message a second each, QoS 1, into a persistent session',
    kind: 'traffic',
    store: 'disk',
    load: traffic(1000, 1, 'all', 1, { inflight: 10, outstanding: 10 }, { persistent: true, flood: false }),
  },
  queueRow('queue', '12 → one durable queue → 1, QoS 1', 'queue', 1),
  queueRow('queue-1k', '12 → one durable queue → 1, QoS 1, 1 KiB', 'queue', 1, { payloadBytes: 1024 }),
  queueRow('queues-4', '12 → four durable queues → 4, QoS 1', 'queue', 4),
  queueRow('queues-4-1k', '12 → four durable queues → 4, QoS 1, 1 KiB', 'queue', 4, { payloadBytes: 1024 }),
  queueRow('queue-backlog', 'one durable queue without a consumer, then drained', 'queue-backlog', 1, {
    kind: 'backlog',
    // 500,000 messages in all, as in the row of the sessions.
    publishers: 10,
    outstanding: 1e9,
  }),
  {
    name: 'idle',
    title: 'idle connections with one subscription',
    kind: 'idle',
    store: 'memory',
    load: { kind: 'idle' },
  },
  { name: 'start', title: 'start, to the first listener', kind: 'start', store: 'disk', load: {} },
]

/** Names of the rows by the part of the page that they are on; `trie` is measured without a broker. */
export const rowsOf = new Map([
  ['messages', [...scenarios.filter(({ queues }) => !queues).map(({ name }) => name), 'trie']],
  ['queues', scenarios.filter(({ queues }) => queues).map(({ name }) => name)],
])

/**
 * How long each part of a row takes.
 *
 * @typedef {object} Effort
 * @property {number} rounds
 * @property {number} warmupSeconds
 * @property {number} seconds under full load
 * @property {number} steadySeconds at the fixed rate
 * @property {number} backlog messages per publisher
 * @property {number} connections idle ones
 * @property {number} settleSeconds how long their memory may take to stop moving
 * @property {number} starts
 */

/** @type {Effort} */
export const full = {
  rounds: 5,
  warmupSeconds: 1,
  seconds: 4,
  steadySeconds: 4,
  backlog: 50_000,
  connections: 10_000,
  settleSeconds: 10,
  starts: 5,
}

/** Everything once, briefly, in less than a minute: to see that it works, not how fast it is. @type {Effort} */
export const quick = {
  rounds: 1,
  warmupSeconds: 0.2,
  seconds: 0.4,
  steadySeconds: 0.3,
  backlog: 2000,
  connections: 1000,
  settleSeconds: 1,
  starts: 1,
}
