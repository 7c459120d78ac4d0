// A program: a broker that holds so many connections over streams in its own memory, which no limit of open files
// bounds. `--expose-gc`; the number of connections is its argument, JSON its output.
import { duplexPair } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createBroker } from '../../dist/index.js'
import { connectFrame, packet, subscribeFrame } from '../load/frames.mjs'

const atOnce = 100
const pingFrame = Buffer.from([0xc0, 0])
const pingResponse = 0xd0
const publish = 0x30

/** @typedef {{ stream: import('node:stream').Duplex, answers: Map<number, () => void>, reached: boolean }} Client */

const broker = await createBroker({ memory: true, sys: { intervalSeconds: 0 } })

/** @param {number} number @returns {Promise<Client>} */
async function open(number) {
  const [near, far] = duplexPair()
  /** @type {Client} */
  const client = { stream: near, answers: new Map(), reached: false }
  // Each answer comes in a chunk of its own: the client waits for it before it sends anything else.
  near.on('data', (/** @type {Buffer} */ bytes) => {
    const type = bytes[0] ?? 0
    if ((type & 0xf0) === publish) client.reached = true
    client.answers.get(type)?.()
  })
  broker.handle(far)
  await ask(client, connectFrame(`stream-${number}`, true), packet.connack)
  await ask(client, subscribeFrame(`stream/${number}/command`, 1), packet.suback)
  return client
}

/** @param {Client} client @param {Buffer} bytes @param {number} answer its first byte */
async function ask({ stream, answers }, bytes, answer) {
  const answered = new Promise((done) => answers.set(answer, () => done(undefined)))
  stream.write(bytes)
  await answered
  answers.delete(answer)
}

async function settledBytes() {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await nextTurn()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const wanted = Number(process.argv[2])
const clients = [await open(0)]
const before = await settledBytes()
while (clients.length < wanted) {
  const first = clients.length
  const count = Math.min(atOnce, wanted - first)
  clients.push(...(await Promise.all(Array.from({ length: count }, (_, n) => open(first + n)))))
}
const after = await settledBytes()
const pingMs = performance.now()
await Promise.all(clients.map((client) => ask(client, pingFrame, pingResponse)))
const pingSeconds = (performance.now() - pingMs) / 1000
for (let n = 0; n < wanted; n++) {
  await new Promise((done) => {
    broker.publish(
      { cmd: 'publish', topic: `stream/${n}/command`, payload: 'wake', qos: 0, retain: false, dup: false },
      done,
    )
  })
}
await nextTurn()
const held = broker.connectedClients
const reached = clients.filter((client) => client.reached).length
process.stdout.write(
  JSON.stringify({ held, reached, bytesPerConnection: (after - before) / (wanted - 1), pingSeconds }),
)
process.exit(0)
