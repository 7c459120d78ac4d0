import { Connection } from './connection.mjs'
import { residentBytes } from './process-figures.mjs'

const perAddress = 10_000
// The ports of an earlier run stay taken for a minute: each process has loopback addresses of its own.
const network = `127.0.${1 + (process.pid % 250)}`
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
      // One loopback address has fewer than 28,232 ephemeral ports.
      const client = new Connection(`bench-idle-${number}`)
      await client.open({ port: job.port, localAddress: `${network}.${1 + Math.floor(number / perAddress)}` })
      await client.subscribe(`idle/${number}/command`, 1)
    }),
  )
}

/** Memory when it has stopped moving, or when the time is up. @param {{ pid: number, settleSeconds: number }} job */
async function settledBytes({ pid, settleSeconds }) {
  let last = residentBytes(pid)
  for (let seconds = 0, still = 0; seconds < settleSeconds && still < 2; seconds++) {
    await new Promise((next) => setTimeout(next, 1000))
    const now = residentBytes(pid)
    still = Math.abs(now - last) < 64 * 1024 ? still + 1 : 0
    last = now
  }
  return last
}
