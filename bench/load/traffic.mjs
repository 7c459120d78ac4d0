import { account, crew, openPublishers, openSubscribers } from './crew.mjs'
import { latency, summary } from './latency.mjs'
import { cpuSeconds, residentBytes } from './process-figures.mjs'

const sleep = (/** @type {number} */ seconds) => new Promise((done) => setTimeout(done, seconds * 1000))

/**
 * Full load for a while, then a moderate fixed rate: throughput and latency of messages between connected clients.
 *
 * @param {import('./crew.mjs').Job & { warmupSeconds: number, seconds: number, steadySeconds: number, steadyRate: number, flood: boolean }} job
 */
export async function traffic(job) {
  const { pump, publishers, subscribers } = crew(job)
  await openSubscribers(job, subscribers)
  await openPublishers(job, publishers)
  const loaded = job.flood ? await underLoad(job, pump, subscribers) : undefined

  const delivery = latency(false)
  const acknowledgement = latency(false)
  for (const subscriber of subscribers) subscriber.receipts.latency = delivery
  for (const publisher of publishers) publisher.latency = acknowledgement
  await pump.steady(job.steadyRate, job.steadySeconds)
  await pump.drained()
  const result = {
    ...loaded,
    steady: { rate: job.steadyRate, delivery: summary(delivery), acknowledgement: summary(acknowledgement) },
    rssBytes: loaded?.rssBytes ?? residentBytes(job.pid),
    account: account(publishers, subscribers),
  }
  await Promise.all([...publishers, ...subscribers].map((client) => client.close()))
  return result
}

/**
 * @param {Parameters<typeof traffic>[0]} job
 * @param {import('./pump.mjs').Pump} pump
 * @param {import('./crew.mjs').Receiver[]} subscribers
 */
async function underLoad(job, pump, subscribers) {
  const received = () => subscribers.reduce((total, subscriber) => total + subscriber.receipts.received, 0)
  pump.flood()
  await sleep(job.warmupSeconds)

  const sampled = latency(true)
  for (const subscriber of subscribers) subscriber.receipts.latency = sampled
  const before = { ms: performance.now(), received: received(), cpu: cpuSeconds(job.pid), own: process.cpuUsage() }
  await sleep(job.seconds)
  const seconds = (performance.now() - before.ms) / 1000
  const count = received() - before.received
  const own = process.cpuUsage(before.own)
  const result = {
    messagesPerSecond: count / seconds,
    seconds,
    cpuSeconds: cpuSeconds(job.pid) - before.cpu,
    generatorBusy: (own.user + own.system) / 1e6 / seconds,
    rssBytes: residentBytes(job.pid),
    loaded: { delivery: summary(sampled) },
  }
  pump.stop()
  for (const subscriber of subscribers) subscriber.receipts.latency = undefined
  await pump.drained()
  return result
}
