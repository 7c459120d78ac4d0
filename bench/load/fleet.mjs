import { localAddressOf } from './addresses.mjs'
import { latency, recordMs, summary } from './latency.mjs'
import { SimpleClient } from './simple-client.mjs'

const atOnce = 200
const nameOf = (/** @type {number} */ n) => `fleet-${n}`
const filler = 'x'.repeat(48)

/** @typedef {{ port: number, clients: number, waiting: number }} Fleet `waiting`: messages for each client */

/**
 * Makes a fleet of devices that are away: each with a retained state, a persistent session and messages waiting in it.
 *
 * @param {Fleet} job
 */
export async function settleFleet(job) {
  const sender = new SimpleClient('fleet-sender')
  await sender.open(job)
  for (let n = 0; n < job.clients; n++) await sender.publish(`fleet/${n}/state`, `${n} ${filler}`, true)
  await sender.settled()
  for (let first = 0; first < job.clients; first += atOnce) {
    const count = Math.min(atOnce, job.clients - first)
    await Promise.all(Array.from({ length: count }, (_, n) => visit(job, first + n)))
  }
  for (let serial = 0; serial < job.waiting; serial++) {
    for (let n = 0; n < job.clients; n++) await sender.publish(`fleet/${n}/command`, `${serial} ${filler}`)
  }
  await sender.settled()
  await sender.close()
  return { messages: job.clients * job.waiting }
}

/** Subscribes, gets the state, and leaves. @param {Fleet} job @param {number} number */
async function visit(job, number) {
  const client = new SimpleClient(nameOf(number))
  const stated = new Promise((done) => {
    client.onMessage = (_topic, _payload, retain) => retain && done(undefined)
  })
  await client.open({ port: job.port, localAddress: localAddressOf(number) }, false)
  await client.subscribe(`fleet/${number}/#`, 1)
  await stated
  await client.close()
}

/**
 * All devices come back in the same moment, subscribe again as devices do, and are served when they have their state
 * and everything that waited for them.
 *
 * @param {Fleet} job
 */
export async function returnFleet(job) {
  const served = latency(false)
  const connected = latency(false)
  const wrong = { missing: 0, repeatedOrLate: 0, withoutSession: 0, wrongState: 0 }
  const startMs = performance.now()
  const clients = Array.from({ length: job.clients }, (_, n) => new Device(n, job.waiting))
  let dialledMs = 0
  const all = Promise.all(
    clients.map(async (client, n) => {
      const opening = client.open({ port: job.port, localAddress: localAddressOf(n) }, false)
      client.socket?.once('connect', () => {
        dialledMs = performance.now() - startMs
      })
      await opening
      recordMs(connected, n, performance.now() - startMs)
      if (!client.sessionPresent) wrong.withoutSession++
      await client.subscribe(`fleet/${n}/#`, 1)
      await client.served
      recordMs(served, n, performance.now() - startMs)
    }),
  )
  await Promise.race([all, new Promise((done) => setTimeout(done, 120_000).unref())])
  const seconds = (performance.now() - startMs) / 1000
  for (const client of clients) {
    wrong.missing += Math.max(0, job.waiting - client.next)
    wrong.repeatedOrLate += client.irregular
    if (!client.stated) wrong.wrongState++
  }
  const [connect, serve] = [summary(connected), summary(served)]
  await Promise.all(clients.map((client) => client.close()))
  return {
    seconds,
    dialledSeconds: dialledMs / 1000,
    clients: job.clients,
    served: serve?.count ?? 0,
    connect,
    serve,
    ...wrong,
  }
}

class Device extends SimpleClient {
  /** @param {number} number @param {number} waiting */
  constructor(number, waiting) {
    super(nameOf(number))
    this.next = 0
    this.irregular = 0
    this.stated = false
    /** @type {Promise<void>} */
    this.served = new Promise((done) => {
      this.onMessage = (topic, payload, retain) => {
        const value = Number.parseInt(payload, 10)
        if (topic === `fleet/${number}/state`) this.stated ||= retain && value === number
        else if (topic === `fleet/${number}/command` && value === this.next) this.next++
        else this.irregular++
        if (this.stated && this.next === waiting) done()
      }
    })
  }
}
