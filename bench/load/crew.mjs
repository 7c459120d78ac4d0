import { filterOf, publishLayout } from './frames.mjs'
import { Publisher } from './publisher.mjs'
import { Pump } from './pump.mjs'
import { Subscriber } from './subscriber.mjs'

/**
 * What a run is about; the rest of a job is read by the kind of run itself.
 *
 * @typedef {object} Job
 * @property {number} port
 * @property {number} pid the broker's process
 * @property {number} qos
 * @property {number} payloadBytes
 * @property {number} topics topics that each publisher goes through, message by message
 * @property {number} publishers
 * @property {number} subscribers
 * @property {'all' | 'own'} audience each subscriber gets everything, or what the publisher of its number sends
 * @property {boolean} persistent subscribers connect with clean session 0
 * @property {number} inflight messages of a publisher without acknowledgement (QoS 1 and 2)
 * @property {number} outstanding messages of a publisher that its audience has not received
 */

/** The clients of a run, not yet connected. @param {Job} job */
export function crew(job) {
  const layout = publishLayout(job.qos, job.payloadBytes, job.topics)
  const pump = new Pump()
  pump.batchMin = job.qos === 0 ? Math.max(1, job.outstanding >> 3) : 1
  for (let n = 0; n < job.publishers; n++) pump.publishers.push(new Publisher(n, layout, job, pump.wake))
  /** @type {Subscriber[]} */
  const subscribers = []
  for (let n = 0; n < job.subscribers; n++) subscribers.push(new Subscriber(n, layout, job.publishers, pump.wake))
  for (const publisher of pump.publishers) {
    publisher.audience =
      job.audience === 'all' ? subscribers : subscribers.slice(publisher.number, publisher.number + 1)
  }
  return { pump, subscribers, publishers: pump.publishers }
}

/** @param {Job} job @param {Subscriber[]} subscribers */
export async function openSubscribers(job, subscribers) {
  for (const [n, subscriber] of subscribers.entries()) {
    await subscriber.open(job, !job.persistent)
    if (!subscriber.sessionPresent)
      await subscriber.subscribe(filterOf(job.audience === 'all' ? 'all' : n, job.topics), job.qos)
  }
}

/** @param {Job} job @param {Publisher[]} publishers */
export async function openPublishers(job, publishers) {
  for (const publisher of publishers) await publisher.open(job)
}

/**
 * The account of a run, taken when all has been given time to arrive.
 *
 * @param {Publisher[]} publishers
 * @param {Subscriber[]} subscribers
 */
export function account(publishers, subscribers) {
  const sum = (/** @type {number[]} */ numbers) => numbers.reduce((total, n) => total + n, 0)
  const due = sum(publishers.map((p) => p.sent * p.audience.length))
  const cameLate = sum(subscribers.map((s) => s.repeatedOrLate))
  // What a subscriber still waits for, beyond the gaps it has seen.
  const pending = sum(publishers.map((p) => sum(p.audience.map((s) => p.sent - (s.next[p.number] ?? 0)))))
  return {
    due,
    received: sum(subscribers.map((s) => s.received)),
    missing: sum(subscribers.map((s) => s.missing)) + pending,
    repeatedOrLate: cameLate,
    unacknowledged: sum(publishers.map((p) => (p.layout.qos === 0 ? 0 : p.sent - p.settled))),
    misorderedAcks: sum(publishers.map((p) => p.misorderedAcks)),
  }
}
