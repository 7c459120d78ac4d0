import { generate } from '../generator.mjs'
import { Sluice, untilFallen, using } from './broker.mjs'
import { atMost, exactly, mebibytes, nothingLost, staysFast } from './gate.mjs'
import { watch } from './watch.mjs'

const publishers = 10
const prefetch = 1000

/** @type {import('./gate.mjs').Gate} */
export const stuck = {
  name: 'stuck',
  title: 'one message that nobody acknowledges at the head of a queue, 5 million acknowledged behind it',
  run: ({ quick }) =>
    using(new Sluice({ queues: { stuck: { bindings: ['bench/+'] } } }), (sluice) =>
      measure(sluice, quick ? 100_000 : 5_000_000),
    ),
}

/** @param {Sluice} sluice @param {number} messages @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, messages) {
  const { port, pid } = await sluice.start()
  const storeBefore = sluice.storeBytes()
  const load = { qos: 1, payloadBytes: 64, topics: 1, publishers, subscribers: 1, audience: 'all', persistent: true }
  const windows = { inflight: 1000, outstanding: 1e9 }
  const job = { ...load, ...windows, queues: [{ name: 'stuck', prefetch }], each: messages / publishers }
  const filled = await generate({ ...job, kind: 'fill', port, pid })
  const storeFull = sluice.storeBytes()
  // In small, the write-ahead log alone is more than a tenth.
  const spare = Math.max(storeFull / 10, 2 ** 24)
  await sluice.figures()
  const watching = watch(sluice, 1)
  const drained = await generate({ ...job, kind: 'drain', keepFirst: true, port, pid })
  const { rssMax, stallMaxMs } = await watching.end()
  const falling = await untilFallen(sluice, storeBefore + spare)
  const storeAfter = sluice.storeBytes()
  await sluice.kill()
  const killed = await sluice.start()
  await sluice.stop()
  const stopped = await sluice.start()
  const left = await generate({ ...job, kind: 'leftovers', port: stopped.port, seconds: 2 })
  return {
    how: `A durable queue is filled; a consumer over MQTT with a prefetch of ${prefetch} acknowledges everything but the first message, and leaves. Then the broker is killed and started, stopped and started, and a consumer takes what is left.`,
    checks: [
      staysFast(drained.fifths),
      ...nothingLost(drained.account),
      atMost('start after a kill', killed.readyMs / 1000, 10, 's'),
      atMost('start after a stop', stopped.readyMs / 1000, 10, 's'),
      exactly('messages left', left.received, 1, ''),
      atMost('memory, most', mebibytes(rssMax), 300, 'MiB'),
      atMost('store after it', mebibytes(storeAfter), mebibytes(storeBefore + spare), 'MiB'),
    ],
    figures: [
      ['messages', messages, ''],
      ['filled', filled.perSecond, 'messages/s'],
      ['acknowledged', drained.perSecond, 'messages/s'],
      ['longest stall', stallMaxMs, 'ms'],
      ['store has fallen back after', falling, 's'],
      ['store full', mebibytes(storeFull), 'MiB'],
    ],
    series: [
      {
        head: ['fifth', 'filled messages/s', 'acknowledged messages/s'],
        rows: drained.fifths.map((/** @type {number} */ rate, /** @type {number} */ n) => [
          n + 1,
          filled.fifths[n],
          rate,
        ]),
      },
    ],
  }
}
