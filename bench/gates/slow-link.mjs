import { generate, startGenerator } from '../generator.mjs'
import { median } from '../median.mjs'
import { faults } from '../measure.mjs'
import { Sluice, using } from './broker.mjs'
import { atLeast, atMost } from './gate.mjs'

const bytesPerSecond = 10 * 1024

/** @type {import('./gate.mjs').Gate} */
export const slowLink = {
  name: 'slow-link',
  title: 'a session with 100,000 queued messages and a slow link, beside others',
  run: ({ quick }) =>
    using(new Sluice(), (sluice) =>
      measure(sluice, quick ? { messages: 5000, rounds: 1, seconds: 1 } : { messages: 100_000, rounds: 5, seconds: 8 }),
    ),
}

/** @param {Sluice} sluice @param {{ messages: number, rounds: number, seconds: number }} size @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, { messages, rounds, seconds }) {
  const { port, pid } = await sluice.start()
  await generate({ kind: 'hoard', port, messages, payloadBytes: 256 })
  const crew = {
    qos: 1,
    payloadBytes: 64,
    topics: 1,
    publishers: 10,
    subscribers: 10,
    audience: 'own',
    persistent: false,
  }
  const windows = { inflight: 100, outstanding: 200 }
  const pace = { flood: true, warmupSeconds: 1, seconds: seconds / 2, steadyRate: 1000, steadySeconds: seconds }
  const pairs = async () => {
    const outcome = await generate({ kind: 'traffic', ...crew, ...windows, ...pace, port, pid })
    const wrong = faults(outcome)
    if (wrong.length > 0) throw new Error(`pairs: ${wrong.join(', ')}`)
    return outcome
  }
  const alone = []
  const beside = []
  let slow = { readBytes: 0, messages: 0, seconds: 0, lost: false }
  for (let round = 0; round < rounds; round++) {
    alone.push(await pairs())
    const link = startGenerator({ kind: 'slow-link', port, bytesPerSecond })
    beside.push(await pairs())
    link.end()
    const held = await link.outcome
    if (held.lost) throw new Error('the broker closed the slow link')
    slow = {
      readBytes: slow.readBytes + held.readBytes,
      messages: slow.messages + held.messages,
      seconds: slow.seconds + held.seconds,
      lost: false,
    }
  }
  const p99 = (/** @type {any[]} */ outcomes) => median(outcomes.map(({ steady }) => steady.delivery.p99Ms))
  const rate = (/** @type {any[]} */ outcomes) => median(outcomes.map(({ messagesPerSecond }) => messagesPerSecond))
  return {
    how:
      `10 pairs of clients, QoS 1, with and without the slow client in turn, ${rounds} times each; medians. The slow one reads ${bytesPerSecond / 1024} KiB/s ` +
      'and acknowledges what it has read. Full load for the rate, then 1,000 messages/s for the latency.',
    checks: [
      atMost('p99 of the others, more by', p99(beside) - p99(alone), 1, 'ms'),
      atLeast('rate of the others, of the rate without', (rate(beside) / rate(alone)) * 100, 90, '%'),
      atLeast('messages that the slow client has got', slow.messages, 1, ''),
    ],
    figures: [
      ['messages queued', messages, ''],
      ['p99 without', p99(alone), 'ms'],
      ['p99 beside', p99(beside), 'ms'],
      ['full load without', rate(alone), 'messages/s'],
      ['full load beside', rate(beside), 'messages/s'],
      ['the slow client read', slow.readBytes / 1024 / slow.seconds, 'KiB/s'],
    ],
  }
}
