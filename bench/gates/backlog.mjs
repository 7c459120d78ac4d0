import { generate } from '../generator.mjs'
import { residentBytes } from '../load/process-figures.mjs'
import { Sluice, untilFallen, using } from './broker.mjs'
import { atMost, mebibytes, nothingLost, staysFast } from './gate.mjs'
import { watch } from './watch.mjs'

const payloadBytes = 64
const publishers = 10

/** @type {import('./gate.mjs').Gate} */
export const backlog = {
  name: 'backlog',
  title: '5 million messages in one persistent session, filled and drained',
  run: ({ quick, say }) =>
    using(new Sluice({ limits: { queuedMessagesMax: 10_000_000, queuedBytesMax: 2 ** 34 } }), (sluice) =>
      measure(sluice, quick ? 100_000 : 5_000_000, say),
    ),
}

/** @param {Sluice} sluice @param {number} messages @param {(line: string) => void} say @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, messages, say) {
  const { port, pid } = await sluice.start()
  const before = { store: sluice.storeBytes(), rss: residentBytes(pid) }
  const load = { qos: 1, payloadBytes, topics: 1, publishers, subscribers: 1, audience: 'all', persistent: true }
  const job = { ...load, inflight: 1000, outstanding: 1e9, each: messages / publishers, port, pid }

  await sluice.figures()
  const filling = watch(sluice, 1)
  const filled = await generate({ ...job, kind: 'fill' })
  const full = await filling.end()
  const storeFull = sluice.storeBytes()
  say(`filled: ${Math.round(mebibytes(storeFull))} MiB on the disk`)

  // In small, the write-ahead log alone is more than a tenth.
  const spare = Math.max(storeFull / 10, 2 ** 24)
  await sluice.figures()
  const draining = watch(sluice, 1)
  const drained = await generate({ ...job, kind: 'drain' })
  const empty = await draining.end()
  say(`drained: ${Math.round(mebibytes(sluice.storeBytes()))} MiB on the disk`)
  const falling = await untilFallen(sluice, before.store + spare)

  return {
    how:
      `${publishers} publishers, QoS 1, 64 bytes, into one session whose client is away; then the client comes back and takes all of it ` +
      'with a window of 1,024 messages. The store has fallen back when it is within a tenth of its full size of what it was ' +
      'before.',
    checks: [
      ...nothingLost(drained.account),
      atMost('memory, most', mebibytes(Math.max(full.rssMax, empty.rssMax)), 300, 'MiB'),
      staysFast(drained.fifths),
      atMost('store after draining', mebibytes(sluice.storeBytes()), mebibytes(before.store + spare), 'MiB'),
    ],
    figures: [
      ['messages', messages, ''],
      ['filled', filled.perSecond, 'messages/s'],
      ['drained', drained.perSecond, 'messages/s'],
      ['first message after', drained.firstMs, 'ms'],
      ['longest stall while filling', full.stallMaxMs, 'ms'],
      ['longest stall while draining', empty.stallMaxMs, 'ms'],
      ['memory before', mebibytes(before.rss), 'MiB'],
      ['store before', mebibytes(before.store), 'MiB'],
      ['store full', mebibytes(storeFull), 'MiB'],
      ['store, most', mebibytes(Math.max(full.storeMax, empty.storeMax)), 'MiB'],
      ['store has fallen back after', falling, 's'],
    ],
    series: [
      {
        head: ['fifth', 'filled messages/s', 'drained messages/s'],
        rows: drained.fifths.map((/** @type {number} */ rate, /** @type {number} */ n) => [
          n + 1,
          filled.fifths[n],
          rate,
        ]),
      },
    ],
  }
}
