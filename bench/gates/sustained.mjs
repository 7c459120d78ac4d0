import { writtenBytes } from '../load/process-figures.mjs'
import { generate } from '../generator.mjs'
import { Sluice, using } from './broker.mjs'
import { atLeast, atMost, mebibytes, nothingLost } from './gate.mjs'
import { watch } from './watch.mjs'

const rate = 20_000
const payloadBytes = 1024
const ackDelayMs = 25

/** @type {import('./gate.mjs').Gate} */
export const sustained = {
  name: 'sustained',
  title: '20,000 persistent messages/s of 1 KiB, in and out, for 10 minutes',
  minutes: 10,
  run: ({ minutes, quick }) =>
    using(new Sluice({}, { anyCore: true }), (sluice) => measure(sluice, minutes, quick ? minutes : 10)),
}

/** @param {Sluice} sluice @param {number} minutes @param {number} wanted @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, minutes, wanted) {
  const { port, pid } = await sluice.start()
  const seconds = minutes * 60
  const everySeconds = Math.min(60, seconds / 5)
  const load = { qos: 1, payloadBytes, topics: 1, publishers: 10, subscribers: 10, audience: 'own', persistent: true }
  const windows = { inflight: 1000, outstanding: 1e9 }
  // The first seconds, in which the generator warms up, are not what the stalls are counted in.
  const running = generate({
    kind: 'sustained',
    ...load,
    ...windows,
    rate,
    seconds,
    everySeconds,
    ackDelayMs,
    port,
    pid,
  })
  running.catch(() => {})
  await new Promise((next) => setTimeout(next, Math.min(5, seconds / 4) * 1000))
  await sluice.figures()
  const writtenBefore = writtenBytes(pid)
  const watching = watch(sluice, everySeconds)
  const outcome = await running
  const writtenPerMessage = (writtenBytes(pid) - writtenBefore) / outcome.sent
  const { samples, rssMax, storeMax, stallMaxMs, waitedPercent } = await watching.end()
  const parts = outcome.parts.slice(0, samples.length)
  return {
    how:
      '10 publishers and 10 subscribers with persistent sessions, QoS 1. Each subscriber acknowledges 100 ms late, so that every ' +
      'message is written to the disk, read back by nobody and deleted.',
    checks: [
      atLeast('duration', outcome.seconds / 60, wanted, 'min'),
      atLeast('rate in and out', outcome.perSecond, rate * 0.99, 'messages/s'),
      atMost('longest stall', stallMaxMs, 250, 'ms'),
      atMost('acknowledgement, p99', outcome.acknowledgement.p99Ms, 50, 'ms'),
      ...nothingLost(outcome.account),
      atLeast('written to the disk for each message', writtenPerMessage, payloadBytes, 'bytes'),
    ],
    figures: [
      ['acknowledgement, p50', outcome.acknowledgement.p50Ms, 'ms'],
      ['acknowledgement, longest', outcome.acknowledgement.maxMs, 'ms'],
      ['delivery, p50', outcome.delivery.p50Ms, 'ms'],
      ['delivery, p99', outcome.delivery.p99Ms, 'ms'],
      ['memory, most', mebibytes(rssMax), 'MiB'],
      ['store, most', mebibytes(storeMax), 'MiB'],
      ['generator busy', outcome.generatorBusy * 100, '%'],
      ['broker ready but without a core', waitedPercent, '%'],
    ],
    series: [
      {
        head: ['at s', 'ack p99 ms', 'delivery p99 ms', 'longest stall ms', 'memory MiB', 'store MiB'],
        rows: parts.map((/** @type {any} */ part, /** @type {number} */ n) => {
          const sample = samples[n] ?? { seconds: 0, stallMaxMs: 0, rssBytes: 0, storeBytes: 0 }
          const delays = [part.acknowledgement?.p99Ms ?? Number.NaN, part.delivery?.p99Ms ?? Number.NaN]
          const sizes = [mebibytes(sample.rssBytes), mebibytes(sample.storeBytes)]
          return [Math.round(sample.seconds), ...delays, sample.stallMaxMs, ...sizes]
        }),
      },
    ],
  }
}
