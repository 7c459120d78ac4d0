import { duplexPair } from 'node:stream'
import { expect, it } from 'vitest'
import { createBroker, type EnhancedAuthenticator, type Log } from '../../src/index.ts'
import { encode } from '../../src/wire/mqtt/encode.ts'
import { encodeForwardProperties } from '../../src/wire/mqtt/forward-properties.ts'
import type {
  AckPacket,
  Packet,
  Properties,
  ProtocolVersion,
  PublishPacket,
  SubscribePacket,
  Will,
} from '../../src/wire/mqtt/packet.ts'
import { fuzzSeed, fuzzTimes } from '../support/property-runs.ts'

const ROUNDS = 1200 * fuzzTimes
const RUN_MS = 6_000 * fuzzTimes
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

type Next = (below: number) => number

const pick = <T>(next: Next, list: readonly T[]): T => list[next(list.length)] as T

const TOPICS = ['a/b', 'a/b', 'a/c', '$queue/work', '$queue/priority', '$queue/none', '$queue/', '$SYS/x', '/', 'reply']
const METHODS = ['echo', 'echo', 'none']

/** The properties that travel with a message. */
function messageProperties(next: Next): Buffer {
  const properties: Properties = {}
  if (next(4) === 0) properties.payloadFormatIndicator = pick(next, [0, 1])
  if (next(4) === 0) properties.contentType = 'text/plain'
  if (next(4) === 0) properties.responseTopic = pick(next, TOPICS)
  if (next(4) === 0) properties.correlationData = Buffer.from([0, 255, next(256)])
  if (next(3) === 0)
    properties.userProperties = [
      ['amqp-priority', `${next(12)}`],
      ['delay', '1'],
      ['', ''],
    ]
  return encodeForwardProperties(properties)
}

function publish(next: Next, isFive: boolean): PublishPacket {
  const qos = next(3) as 0 | 1 | 2
  const topicAlias = isFive && next(3) === 0 ? next(12) : 0
  return {
    type: 'publish',
    dup: qos > 0 && next(8) === 0,
    qos,
    retain: next(4) === 0,
    topic: topicAlias > 0 && next(2) === 0 ? '' : pick(next, TOPICS),
    packetId: qos === 0 ? 0 : 1 + next(9),
    payload: Buffer.from(pick(next, ['x', '', '\u0000', 'long '.repeat(200)])),
    forwardProperties: isFive ? messageProperties(next) : NONE,
    topicAlias,
    messageExpiryIntervalSeconds: isFive && next(4) === 0 ? next(3) : undefined,
    subscriptionIdentifiers: [],
  }
}

function subscribe(next: Next, isFive: boolean): SubscribePacket {
  const filters = ['#', 'a/+', '$share/g/a/+', '$queue/work', '$queue/priority', '$share/g/$queue/work', '$SYS/#']
  return {
    type: 'subscribe',
    packetId: 1 + next(9),
    subscriptionIdentifier: isFive && next(3) === 0 ? 1 + next(300) : 0,
    subscriptions: Array.from({ length: 1 + next(3) }, () => ({
      filter: pick(next, filters),
      qos: next(3) as 0 | 1 | 2,
      noLocal: false,
      retainAsPublished: isFive && next(2) === 0,
      retainHandling: isFive ? (next(3) as 0 | 1 | 2) : 0,
    })),
    properties: {},
  }
}

/** Also of messages of queues, which have the upper half of the identifiers. */
function acknowledgement(next: Next, isFive: boolean): AckPacket {
  const type = pick(next, ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const)
  const failure = type === 'puback' || type === 'pubrec' ? 0x80 : 0x92
  const packetId = next(2) === 0 ? 1 + next(9) : 32_768 + next(6)
  return { type, packetId, reasonCode: isFive && next(4) === 0 ? failure : 0, properties: {} }
}

function auth(next: Next): Packet {
  const properties = { authenticationMethod: pick(next, METHODS), authenticationData: Buffer.from('more') }
  return { type: 'auth', reasonCode: pick(next, [0x18, 0x19]), properties }
}

function packet(next: Next, isFive: boolean): Packet {
  const kind = next(isFive ? 17 : 16)
  if (kind < 6) return publish(next, isFive)
  if (kind < 9) return subscribe(next, isFive)
  if (kind < 13) return acknowledgement(next, isFive)
  const filters = ['a/#', '#', '$queue/work']
  if (kind === 13) return { type: 'unsubscribe', packetId: 8, filters: filters.slice(next(3)), properties: {} }
  if (kind === 14) return { type: 'pingreq' }
  if (kind === 16) return auth(next)
  return { type: 'disconnect', reasonCode: isFive ? pick(next, [0, 4]) : 0, properties: {} }
}

function will(next: Next, isFive: boolean): Will | undefined {
  if (next(3) > 0) return undefined
  return {
    topic: pick(next, TOPICS),
    payload: Buffer.from('gone'),
    qos: next(3) as 0 | 1 | 2,
    retain: next(2) === 0,
    forwardProperties: isFive ? messageProperties(next) : NONE,
    willDelayIntervalSeconds: isFive ? next(2) * 100 : 0,
    messageExpiryIntervalSeconds: isFive && next(2) === 0 ? 5 : undefined,
  }
}

function connectProperties(next: Next): Properties {
  const properties: Properties = { sessionExpiryInterval: next(3) * 100, receiveMaximum: 1 + next(5) }
  if (next(2) === 0) properties.topicAliasMaximum = next(5)
  if (next(6) === 0) properties.maximumPacketSize = 20 + next(200)
  if (next(4) === 0) {
    properties.authenticationMethod = pick(next, METHODS)
    if (next(2) === 0) properties.authenticationData = Buffer.from('hello')
  }
  return properties
}

function bytesOfClient(next: Next): Buffer {
  const version = (3 + next(3)) as ProtocolVersion
  const isFive = version === 5
  const connect: Packet = {
    type: 'connect',
    version,
    bridge: !isFive && next(10) === 0,
    clientId: `c${next(15)}`,
    cleanStart: next(2) === 0,
    keepAliveSeconds: 0,
    username: undefined,
    password: undefined,
    will: will(next, isFive),
    properties: isFive ? connectProperties(next) : {},
  }
  const frames = [damaged(encode(connect, version), next, 40)]
  for (let count = next(30); count > 0; count--) frames.push(damaged(encode(packet(next, isFive), version), next, 12))
  return Buffer.concat(frames)
}

/** One in so many. */
function damaged(bytes: Buffer, next: Next, oneIn: number): Buffer {
  const frame = Buffer.from(bytes)
  if (next(oneIn) === 0) frame[next(frame.length)] = next(256)
  return frame
}

/** Sends back what it gets, and is content with the second. */
const echo: EnhancedAuthenticator = {
  method: 'echo',
  begin() {
    let steps = 0
    return { next: (data, answer) => answer(null, { done: ++steps > 1 || data === undefined, data }) }
  },
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
  const broker = await createBroker({ memory: true, log, authenticators: [echo] })
  await broker.queues.declare('work', { bindings: ['a/#'], deliveryLimit: 3, maxLength: 1000 })
  await broker.queues.declare('priority', { maxPriority: 3, deadLetterExchange: 'amq.topic', maxLength: 20 })
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
