import { Connection } from './connection.mjs'
import { localAddressOf } from './addresses.mjs'
import { settledBytes } from './process-figures.mjs'

const atOnce = 100

/**
 * Opens connections that do nothing but hold one subscription, and weighs the broker before and after.
 *
 * @param {{ port: number, pid: number, connections: number, settleSeconds: number }} job
 */
export async function idle(job) {
  // One client first, so that what is loaded or compiled once is not charged to the connections.
  await openSome(job, 0, 1)
  const before = await settledBytes(job)
  const startMs = performance.now()
  for (let first = 1; first <= job.connections; first += atOnce) {
    await openSome(job, first, Math.min(atOnce, job.connections + 1 - first))
  }
  const openSeconds = (performance.now() - startMs) / 1000
  const after = await settledBytes(job)
  return {
    connections: job.connections,
    bytesPerConnection: (after - before) / job.connections,
    connectsPerSecond: job.connections / openSeconds,
    rssBytes: after,
  }
}

/** @param {{ port: number }} job @param {number} first @param {number} count */
function openSome(job, first, count) {
  return Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const number = first + n
      const client = new Connection(`bench-idle-${number}`)
      await client.open({ port: job.port, localAddress: localAddressOf(number) })
      await client.subscribe(`idle/${number}/command`, 1)
    }),
  )
}
