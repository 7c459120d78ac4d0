import { localAddressOf } from './addresses.mjs'
import { settledBytes } from './process-figures.mjs'
import { SimpleClient } from './simple-client.mjs'

const atOnce = 100

/**
 * Opens connections that do nothing but hold one subscription, weighs the broker before and after, and then asks each
 * of them for a sign of life and sends a message to each.
 *
 * @param {{ port: number, pid: number, connections: number, settleSeconds: number }} job
 */
export async function connections(job) {
  /** @type {SimpleClient[]} */
  const clients = []
  const open = async (/** @type {number} */ number) => {
    const client = new SimpleClient(`idle-${number}`)
    await client.open({ port: job.port, localAddress: localAddressOf(number) })
    await client.subscribe(`idle/${number}/command`, 1)
    clients.push(client)
  }
  // One first, so that what is loaded or compiled once is not charged to the connections.
  await open(0)
  const before = await settledBytes(job)
  const startMs = performance.now()
  for (let first = 1; first < job.connections; first += atOnce) {
    const count = Math.min(atOnce, job.connections - first)
    await Promise.all(Array.from({ length: count }, (_, n) => open(first + n)))
  }
  const openSeconds = (performance.now() - startMs) / 1000
  const after = await settledBytes(job)

  const pingMs = performance.now()
  await Promise.all(clients.map((client) => client.ping()))
  const pingSeconds = (performance.now() - pingMs) / 1000
  const reached = new Set()
  for (const client of clients) client.onMessage = () => reached.add(client)
  const sender = new SimpleClient('idle-sender')
  await sender.open({ port: job.port, localAddress: localAddressOf(0) })
  for (let n = 0; n < clients.length; n++) await sender.publish(`idle/${n}/command`, 'wake')
  await sender.settled()
  for (const endMs = performance.now() + 30_000; reached.size < clients.length && performance.now() < endMs; ) {
    await new Promise((next) => setTimeout(next, 10))
  }
  const result = {
    connections: clients.length,
    bytesPerConnection: (after - before) / (clients.length - 1),
    connectsPerSecond: (clients.length - 1) / openSeconds,
    rssBytes: after,
    pingSeconds,
    reached: reached.size,
  }
  return result
}
