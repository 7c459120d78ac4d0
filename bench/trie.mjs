import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Router } from '../dist/router/router.js'

const HELP = `node bench/trie.mjs [--subscriptions N] [--seconds S] [--json]

Fills the router with N subscriptions (default 1,000,000), one topic filter each, and measures, each for S seconds
(default 2): topics that are routed past the cache, topics that are routed from it, and subscribing while it is full.`

const { values } = parseArgs({
  options: {
    subscriptions: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const CACHED_TOPICS = 60_000
const WORDS = ['temp', 'humidity', 'status', 'battery', 'cmd']

if (values.help) {
  process.stdout.write(`${HELP}\n`)
} else {
  const figures = measure(Number(values.subscriptions), Number(values.seconds) * 1000)
  process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : asText(figures))
}

/** Rates are a second; bytes are a subscription's, the caller's being those of its object and its filter. */
function measure(subscriptions, limitMs) {
  const destinations = Array.from({ length: 1000 }, () => ({ offer() {} }))
  const heapEmpty = heapUsed()
  const wanted = Array.from({ length: subscriptions }, (_, i) => subscriptionOf(flat(filterOf(i))))
  const heapBefore = heapUsed()
  const begun = performance.now()
  const router = new Router()
  for (let i = 0; i < subscriptions; i++) {
    const subscription = wanted[i]
    router.subscribe(subscription.filter, destinations[i % destinations.length], subscription)
  }
  const buildMs = performance.now() - begun
  const bytesEach = (heapUsed() - heapBefore) / subscriptions
  // Topics of their own strings, as they come from the wire, spread over the whole trie.
  const topics = Array.from({ length: CACHED_TOPICS }, (_, i) => topicOf((i * 7919) % subscriptions))
  const matches = ratePerSecond(limitMs, topics, (topic) => router.subscribersOf(topic).length)
  const without = new Router({ cacheRoutesMax: 1000 })
  for (const subscription of wanted) without.subscribe(subscription.filter, destinations[0], subscription)
  const uncached = ratePerSecond(limitMs, topics, (topic) => without.route(topic).deliveries.length)
  for (const topic of topics) router.route(topic)
  const cached = ratePerSecond(limitMs, topics, (topic) => router.route(topic).deliveries.length)
  const late = topics.map((topic) => subscriptionOf(topic.replace('/device/', '/+/')))
  const before = performance.now()
  for (const subscription of late) router.subscribe(subscription.filter, destinations[0], subscription)
  const subscribeMicroseconds = ((performance.now() - before) * 1000) / late.length
  return {
    subscriptions,
    buildMs: Math.round(buildMs),
    bytesEach: Math.round(bytesEach),
    callerBytesEach: Math.round((heapBefore - heapEmpty) / subscriptions),
    matchesPerSecond: Math.round(matches),
    uncachedRoutesPerSecond: Math.round(uncached),
    cachedRoutesPerSecond: Math.round(cached),
    subscribeMicroseconds: Number(subscribeMicroseconds.toFixed(2)),
  }
}

/** Nine of ten filters name one topic of one device, each tenth has a wildcard. */
function filterOf(i) {
  const device = `site/${i % 100}/device/${100_000 + i}`
  if (i % 20 === 0) return `${device}/#`
  if (i % 20 === 10) return `${device}/+/state`
  return `${device}/${WORDS[i % WORDS.length]}`
}

function topicOf(i) {
  return `site/${i % 100}/device/${100_000 + i}/${WORDS[i % WORDS.length]}`
}

/** A string of its own, as it comes from the wire. */
function flat(text) {
  return Buffer.from(text).toString('latin1')
}

function subscriptionOf(filter) {
  return { filter, qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 }
}

/** Each round takes fresh strings, as a topic that was just read has no hash yet. */
function ratePerSecond(limitMs, topics, work) {
  let done = 0
  let found = 0
  let spentMs = 0
  while (spentMs < limitMs) {
    const fresh = topics.map(flat)
    const begun = performance.now()
    for (const topic of fresh) found += work(topic)
    spentMs += performance.now() - begun
    done += fresh.length
  }
  if (found === 0) throw new Error('no topic found a subscription')
  return (done / spentMs) * 1000
}

function heapUsed() {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  collect()
  return process.memoryUsage().heapUsed
}

function asText(figures) {
  const number = new Intl.NumberFormat('en')
  return `${Object.entries(figures)
    .map(([name, value]) => `${name.padEnd(24)} ${number.format(value)}`)
    .join('\n')}\n`
}
