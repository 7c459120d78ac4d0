import { account, crew, openSubscribers } from './crew.mjs'
import { byFifths } from './progress.mjs'
import { QueueConsumer } from './queue-consumer.mjs'

/**
 * Takes what `fill` has left. With `keepFirst` the first message of a queue is never acknowledged.
 *
 * @param {import('./crew.mjs').Job & { each: number, keepFirst?: boolean }} job as that of `fill`
 */
export async function drain(job) {
  const { publishers, subscribers } = crew(job)
  for (const publisher of publishers) publisher.sent = publisher.settled = job.each
  for (const subscriber of subscribers) {
    if (subscriber instanceof QueueConsumer) subscriber.keepsNext = job.keepFirst ?? false
  }
  const startMs = performance.now()
  await openSubscribers(job, subscribers)
  const sessionsKept = job.queues !== undefined || subscribers.every((subscriber) => subscriber.sessionPresent)
  const total = job.each * publishers.length
  const received = () => subscribers.reduce((sum, { receipts }) => sum + receipts.received, 0)
  let firstMs = 0
  const rates = await byFifths(
    'draining',
    total,
    () => {
      const count = received()
      if (firstMs === 0 && count > 0) firstMs = performance.now() - startMs
      return count
    },
    startMs,
  )
  const result = { ...rates, messages: total, firstMs, sessionsKept, account: account(publishers, subscribers) }
  await Promise.all(subscribers.map((client) => client.close()))
  return result
}

/**
 * Takes for a while what is still there.
 *
 * @param {import('./crew.mjs').Job & { seconds: number }} job as that of `fill`
 */
export async function leftovers(job) {
  const { subscribers } = crew(job)
  await openSubscribers(job, subscribers)
  await new Promise((done) => setTimeout(done, job.seconds * 1000))
  const received = subscribers.reduce((sum, { receipts }) => sum + receipts.received, 0)
  await Promise.all(subscribers.map((client) => client.close()))
  return { received }
}
