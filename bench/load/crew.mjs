import { AmqpConsumer } from './amqp-consumer.mjs'
import { filterOf, publishLayout } from './frames.mjs'
import { Publisher } from './publisher.mjs'
import { Pump } from './pump.mjs'
import { QueueConsumer } from './queue-consumer.mjs'
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
 * @property {Array<{ name: string, prefetch: number }>} [queues] one consumer for each in the place of subscribers;
 *   publisher n is bound to queue n modulo their number
 * @property {number} [amqpPort] the queues are consumed over AMQP 0-9-1
 */

/** Who receives. @typedef {Subscriber | QueueConsumer | AmqpConsumer} Receiver */

/** The clients of a run, not yet connected. @param {Job} job */
export function crew(job) {
  const layout = publishLayout(job.qos, job.payloadBytes, job.topics)
  const pump = new Pump()
  pump.batchMin = job.qos === 0 ? Math.max(1, job.outstanding >> 3) : 1
  for (let n = 0; n < job.publishers; n++) pump.publishers.push(new Publisher(n, layout, job, pump.wake))
  const subscribers = job.queues
    ? job.queues.map((queue, n) => consumer(job, queue, n, pump.wake))
    : Array.from({ length: job.subscribers }, (_, n) => new Subscriber(n, layout, job.publishers, pump.wake))
  const receipts = subscribers.map((subscriber) => subscriber.receipts)
  for (const { number, audience } of pump.publishers) {
    if (job.audience === 'all') audience.push(...receipts)
    else audience.push(...receipts.slice(number % receipts.length, (number % receipts.length) + 1))
  }
  return { pump, subscribers, publishers: pump.publishers }
}

/** @param {Job} job @param {{ name: string, prefetch: number }} queue @param {number} number @param {() => void} wake */
function consumer(job, queue, number, wake) {
  return job.amqpPort === undefined
    ? new QueueConsumer(number, queue, job.publishers, job.payloadBytes, wake)
    : new AmqpConsumer(number, queue, job.publishers, wake)
}

/** @param {Job} job @param {Receiver[]} subscribers */
export async function openSubscribers(job, subscribers) {
  for (const [n, subscriber] of subscribers.entries()) {
    if (subscriber instanceof AmqpConsumer) await subscriber.open({ amqpPort: Number(job.amqpPort) })
    else if (subscriber instanceof QueueConsumer) await subscriber.open(job)
    else {
      await subscriber.open(job, !job.persistent)
      if (subscriber.sessionPresent) continue
      await subscriber.subscribe(filterOf(job.audience === 'all' ? 'all' : n, job.topics), job.qos)
    }
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
 * @param {Receiver[]} subscribers
 */
export function account(publishers, subscribers) {
  const sum = (/** @type {number[]} */ numbers) => numbers.reduce((total, n) => total + n, 0)
  const receipts = subscribers.map((subscriber) => subscriber.receipts)
  // What a subscriber still waits for, beyond the gaps it has seen.
  const pending = sum(publishers.map((p) => sum(p.audience.map((r) => p.sent - (r.next[p.number] ?? 0)))))
  return {
    due: sum(publishers.map((p) => p.sent * p.audience.length)),
    received: sum(receipts.map((r) => r.received)),
    missing: sum(receipts.map((r) => r.missing)) + pending,
    repeatedOrLate: sum(receipts.map((r) => r.repeatedOrLate)),
    unacknowledged: sum(publishers.map((p) => (p.layout.qos === 0 ? 0 : p.sent - p.settled))),
    misorderedAcks: sum(publishers.map((p) => p.misorderedAcks)),
  }
}
