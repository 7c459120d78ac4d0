import { account, crew, openPublishers, openSubscribers } from './crew.mjs'
import { byFifths } from './progress.mjs'

/**
 * Fills the sessions of subscribers that are away, or queues that nobody consumes.
 *
 * @param {import('./crew.mjs').Job & { each: number }} job `each`: messages of each publisher
 */
export async function fill(job) {
  const { pump, publishers, subscribers } = crew(job)
  if (!job.queues) {
    await openSubscribers(job, subscribers)
    await Promise.all(subscribers.map((subscriber) => subscriber.close()))
  }
  await openPublishers(job, publishers)
  for (const publisher of publishers) publisher.audience = []
  const total = job.each * publishers.length
  pump.flood(job.each)
  const rates = await byFifths('filling', total, () => publishers.reduce((sum, { settled }) => sum + settled, 0))
  pump.stop()
  const result = { ...rates, messages: total, account: account(publishers, []) }
  await Promise.all(publishers.map((client) => client.close()))
  return result
}
