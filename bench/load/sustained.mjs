import { account, crew, openPublishers, openSubscribers } from './crew.mjs'
import { latency, summary } from './latency.mjs'

/**
 * Messages at one rate for long, to persistent sessions whose clients acknowledge late, so that each message is stored
 * before it is done with.
 *
 * @param {import('./crew.mjs').Job & { rate: number, seconds: number, everySeconds: number, ackDelayMs: number }} job
 */
export async function sustained(job) {
  const { pump, publishers, subscribers } = crew(job)
  await openSubscribers(job, subscribers)
  await openPublishers(job, publishers)
  for (const subscriber of subscribers) subscriber.ackDelayMs = job.ackDelayMs
  // What is compiled and opened in the first seconds is not what ten minutes are about.
  await pump.steady(job.rate, Math.min(5, job.seconds / 4))

  const whole = { delivery: latency(false), acknowledgement: latency(false) }
  let part = whole
  const next = () => {
    part = { delivery: latency(false), acknowledgement: latency(false) }
    for (const { receipts } of subscribers) receipts.latency = part.delivery
    for (const publisher of publishers) publisher.latency = part.acknowledgement
  }
  /** @type {Array<Record<string, unknown>>} */
  const parts = []
  const finish = () => {
    whole.delivery.histogram.add(part.delivery.histogram)
    whole.acknowledgement.histogram.add(part.acknowledgement.histogram)
    parts.push({ delivery: summary(part.delivery), acknowledgement: summary(part.acknowledgement) })
  }
  next()
  const sentBefore = publishers.reduce((sum, { sent }) => sum + sent, 0)
  const before = { ms: performance.now(), cpu: process.cpuUsage() }
  const timer = setInterval(() => {
    finish()
    next()
  }, job.everySeconds * 1000)
  await pump.steady(job.rate, job.seconds)
  clearInterval(timer)
  const seconds = (performance.now() - before.ms) / 1000
  const sent = publishers.reduce((sum, publisher) => sum + publisher.sent, 0) - sentBefore
  const cpu = process.cpuUsage(before.cpu)
  await pump.drained()
  finish()
  await new Promise((done) => setTimeout(done, 2 * job.ackDelayMs))
  const result = {
    seconds,
    perSecond: sent / seconds,
    sent,
    generatorBusy: (cpu.user + cpu.system) / 1e6 / seconds,
    delivery: summary(whole.delivery),
    acknowledgement: summary(whole.acknowledgement),
    parts,
    account: account(publishers, subscribers),
  }
  await Promise.all([...publishers, ...subscribers].map((client) => client.close()))
  return result
}
