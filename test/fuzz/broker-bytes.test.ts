import { duplexPair } from 'node:stream'
import { expect, it } from 'vitest'
import { createBroker, type Log } from '../../src/index.ts'
import { encode } from '../../src/wire/mqtt/encode.ts'
import type { Packet, ProtocolVersion, PublishPacket } from '../../src/wire/mqtt/packet.ts'
import { fuzzSeed, fuzzTimes } from '../support/property-runs.ts'

const ROUNDS = 1200 * fuzzTimes
const RUN_MS = 8_000 * fuzzTimes
const CONNECTIONS_AT_ONCE = 20
const NONE = Buffer.alloc(0)

/** Whole numbers below a bound, the same ones for the same seed. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    // The last bits repeat soon.
    return (state >>> 8) % below
  }
}

function publish(qos: 0 | 1 | 2, packetId: number, retain: boolean): PublishPacket {
  return {
    type: 'publish',
    dup: false,
    qos,
    retain,
    topic: 'a/b',
    packetId,
    payload: Buffer.from('x'),
    forwardProperties: NONE,
    topicAlias: 0,
    messageExpiryIntervalSeconds: undefined,
    subscriptionIdentifiers: [],
  }
}

const options = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
const conversation: Packet[] = [
  publish(0, 0, false),
  publish(1, 5, true),
  publish(2, 6, false),
  {
    type: 'subscribe',
    packetId: 7,
    subscriptionIdentifier: 0,
    subscriptions: [
      { filter: '#', qos: 2, ...options },
      { filter: '$share/g/a/+', qos: 1, ...options },
    ],
    properties: {},
  },
  { type: 'unsubscribe', packetId: 8, filters: ['a/#', '#'], properties: {} },
  { type: 'puback', packetId: 1, reasonCode: 0, properties: {} },
  { type: 'pubrec', packetId: 1, reasonCode: 0, properties: {} },
  { type: 'pubrel', packetId: 6, reasonCode: 0, properties: {} },
  { type: 'pubcomp', packetId: 1, reasonCode: 0, properties: {} },
  { type: 'pingreq' },
  { type: 'disconnect', reasonCode: 0, properties: {} },
]

function bytesOfClient(next: (below: number) => number): Buffer {
  const version = (3 + next(3)) as ProtocolVersion
  const connect: Packet = {
    type: 'connect',
    version,
    bridge: false,
    clientId: `c${next(15)}`,
    cleanStart: next(2) === 0,
    keepAliveSeconds: 0,
    username: undefined,
    password: undefined,
    will: undefined,
    properties: version === 5 ? { sessionExpiryInterval: next(3) * 100, receiveMaximum: 1 + next(5) } : {},
  }
  const frames = [encode(connect, version)]
  for (let count = next(30); count > 0; count--) {
    const frame = Buffer.from(encode(conversation[next(conversation.length)] as Packet, version))
    if (next(12) === 0) frame[next(frame.length)] = next(256)
    frames.push(frame)
  }
  return Buffer.concat(frames)
}

it(`no bytes of a client bring the broker into trouble`, { timeout: RUN_MS + 20_000 }, async () => {
  const next = numbersFrom(fuzzSeed)
  const faults: string[] = []
  const quiet = (): void => {}
  const log: Log = {
    error: (fields, message) => void faults.push(`${message} ${JSON.stringify(fields)}`),
    warn: quiet,
    info: quiet,
    debug: quiet,
    isLevelEnabled: () => false,
  }
  const broker = await createBroker({ memory: true, log })
  const endMs = performance.now() + RUN_MS
  for (let round = 0; round < ROUNDS && performance.now() < endMs; round++) {
    const clients = Array.from({ length: CONNECTIONS_AT_ONCE }, () => {
      const [near, far] = duplexPair()
      near.on('error', quiet).resume()
      broker.handle(far)
      const bytes = bytesOfClient(next)
      for (let at = 0; at < bytes.length; ) at += writeSome(near, bytes, at, 1 + next(60))
      return near
    })
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    // The other half of a pair hears of an end, not of a destruction.
    for (const near of clients) near.end()
  }
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  expect(faults, `seed ${fuzzSeed}`).toEqual([])
  expect(broker.connectedClients, `seed ${fuzzSeed}`).toBe(0)
  await broker.close()
})

function writeSome(near: NodeJS.WritableStream, bytes: Buffer, at: number, count: number): number {
  near.write(bytes.subarray(at, at + count))
  return count
}
