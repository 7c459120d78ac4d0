import { generate } from '../generator.mjs'
import { Sluice, using } from './broker.mjs'
import { atMost, nothingLost } from './gate.mjs'

const publishers = 1000

/** @type {import('./gate.mjs').Gate} */
export const fleet = {
  name: 'fleet',
  title: '1,000 publishers of one message a second each, QoS 1',
  minutes: 1,
  run: ({ minutes }) => using(new Sluice(), (sluice) => measure(sluice, minutes)),
}

/** @param {Sluice} sluice @param {number} minutes @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, minutes) {
  const { port, pid } = await sluice.start()
  const crew = { qos: 1, payloadBytes: 64, topics: 1, publishers, subscribers: 1, audience: 'all', persistent: true }
  const windows = { inflight: 10, outstanding: 10 }
  const pace = { flood: false, steadyRate: publishers, steadySeconds: minutes * 60 }
  const outcome = await generate({ kind: 'traffic', ...crew, ...windows, ...pace, port, pid })
  const { acknowledgement, delivery } = outcome.steady
  return {
    how: 'Into one persistent session whose client is connected; the acknowledgement is that of the publisher.',
    checks: [
      atMost('acknowledgement, p99', acknowledgement.p99Ms, 10, 'ms'),
      atMost('delivery, p99', delivery.p99Ms, 10, 'ms'),
      ...nothingLost(outcome.account),
    ],
    figures: [
      ['acknowledgement, p50', acknowledgement.p50Ms, 'ms'],
      ['acknowledgement, longest', acknowledgement.maxMs, 'ms'],
      ['delivery, p50', delivery.p50Ms, 'ms'],
      ['delivery, longest', delivery.maxMs, 'ms'],
      ['duration', minutes, 'min'],
    ],
  }
}
