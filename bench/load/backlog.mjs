import { account, crew, openPublishers, openSubscribers } from './crew.mjs'
import { cpuSeconds, residentBytes } from './process-figures.mjs'

/**
 * Fills the sessions of subscribers that are away, then lets them come back and drain: the rates in and out.
 *
 * @param {import('./crew.mjs').Job & { backlog: number }} job `backlog` messages of each publisher
 */
export async function backlog(job) {
  const { pump, publishers, subscribers } = crew(job)
  await openSubscribers(job, subscribers)
  await Promise.all(subscribers.map((subscriber) => subscriber.close()))
  await openPublishers(job, publishers)
  const total = job.backlog * publishers.length

  const cpuBefore = cpuSeconds(job.pid)
  const audiences = publishers.map((publisher) => publisher.audience)
  for (const publisher of publishers) publisher.audience = []
  const fillMs = performance.now()
  pump.flood(job.backlog)
  await until('filling', () => publishers.every((publisher) => publisher.settled === job.backlog))
  const fillSeconds = (performance.now() - fillMs) / 1000
  const rssBytes = residentBytes(job.pid)
  const cpuIn = cpuSeconds(job.pid) - cpuBefore
  pump.stop()
  for (const [n, publisher] of publishers.entries()) publisher.audience = audiences[n] ?? []

  const drainMs = performance.now()
  await openSubscribers(job, subscribers)
  if (!job.queues && !subscribers.every((subscriber) => 'sessionPresent' in subscriber && subscriber.sessionPresent)) {
    throw new Error('a session was not kept')
  }
  await pump.drained(60_000)
  const drainSeconds = (performance.now() - drainMs) / 1000
  const result = {
    inPerSecond: total / fillSeconds,
    outPerSecond: total / drainSeconds,
    cpuInSeconds: cpuIn,
    cpuOutSeconds: cpuSeconds(job.pid) - cpuBefore - cpuIn,
    messages: total,
    rssBytes,
    account: account(publishers, subscribers),
  }
  await Promise.all([...publishers, ...subscribers].map((client) => client.close()))
  return result
}

/** @param {string} what @param {() => boolean} condition */
async function until(what, condition) {
  const endMs = performance.now() + 120_000
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`${what} took more than two minutes`)
    await new Promise((next) => setTimeout(next, 1))
  }
}
