import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { type Limits, limitsSchema } from '../../src/config/limits.ts'
import { test, type World } from '../support/faulty-world.ts'
import { lasting } from '../support/flow.ts'
import { RawClient } from '../support/raw-client.ts'
import { connectPacket, type ConnectOptions, publishPacket } from '../support/wire-writer.ts'

interface LimitCase {
  limits: Partial<Limits>
  /** What is at the limit, and is fine. */
  at: (world: World) => Promise<void>
  /** What is one past it. */
  past: (world: World) => Promise<void>
  /** How many such lines `past` brings: `warn` for what broke the protocol, `info` for what is refused. */
  log?: RegExp
  /** It is about what is on disk. */
  onDisk?: boolean
}

const FIVE: ConnectOptions = { version: 5, clientId: 'c' }

async function asked(world: World, options: ConnectOptions): Promise<RawClient> {
  return (await world.open(options.version ?? 4)).sendConnect(options)
}

async function refusedWith(world: World, options: ConnectOptions, reasonCode: number): Promise<void> {
  const client = await asked(world, options)
  await client.expect('connack', { reasonCode })
  await client.expectClosed()
}

async function closed(world: World, options: ConnectOptions): Promise<void> {
  await (await asked(world, options)).expectClosed()
}

/** A user name that makes CONNECT as long as this. */
function filledConnect(length: number): ConnectOptions {
  return { username: 'u'.repeat(length - connectPacket({ username: '' }).length - 1) }
}

async function publishes(world: World, topic: string, payload: string | Buffer, reasonCode: number): Promise<void> {
  const client = await world.connect({ version: 5, clientId: 'publisher' })
  expect(await client.publish(topic, payload, { qos: 1, retain: true })).toMatchObject({ reasonCode })
  await client.disconnect()
}

function userProperties(count: number): [string, string][] {
  return Array.from({ length: count }, (_, index) => ['name', String(index)])
}

/** A client of version 3 that has sent so many messages of QoS 2 and released none. */
async function unreleased(world: World, count: number): Promise<RawClient> {
  const client = await world.connect({ version: 4, clientId: 'older' })
  for (let packetId = 1; packetId <= count; packetId++) client.sendPublish({ topic: 'b', qos: 2, packetId })
  for (let packetId = 1; packetId <= count; packetId++) await client.expect('pubrec', { packetId })
  return client
}

/** Leaves a session behind, publishes so many messages to it, and returns what it gets. */
async function queued(world: World, count: number, payload: string, last = payload): Promise<string[]> {
  const sleeper = await world.connect(lasting({ ...FIVE, clientId: 'sleeper' }))
  await sleeper.subscribe('a', 1)
  await sleeper.disconnect()
  const publisher = await world.connect({ clientId: 'publisher' })
  for (let index = 0; index < count; index++) {
    await publisher.publish('a', `${index}${index === count - 1 ? last : payload}`, { qos: 1 })
  }
  await publisher.disconnect()
  const back = await world.connect(lasting({ ...FIVE, clientId: 'sleeper' }))
  const expected = count - world.broker.counters.publishDropped
  const got = (await back.receiveMany(expected)).map((packet) => packet.payload.slice(0, 1))
  await back.expectNothing()
  await back.disconnect(0, { sessionExpiryInterval: 0 })
  return got
}

/** Five messages are a second's worth; the sixth is not lost, it is read when its time has come. */
async function heldBack(world: World, payload: (qos: number) => Buffer, waitMs: number): Promise<void> {
  const { counters } = world.broker
  for (const qos of [1, 0]) {
    const calm = await world.bystanders()
    const client = await world.connect({ ...FIVE, clientId: `qos ${qos}` })
    const send = (): unknown => client.sendPublish({ topic: 'a', qos, packetId: 77, payload: payload(qos) })
    for (let index = 0; index < 5; index++) {
      const received = counters.publishReceived
      send()
      await world.until(() => counters.publishReceived > received)
    }
    send()
    await calm()
    const before = counters.publishReceived
    await world.clock.advance(waitMs - 1)
    await calm()
    expect(counters.publishReceived).toBe(before + 1)
    await world.clock.advance(1)
    await world.until(() => counters.publishReceived === before + 2)
    for (let index = 0; index < 6 * qos; index++) await client.expect('puback', { packetId: 77 })
    client.drop()
  }
}

/** Publishes packets of QoS 0 with so many bytes each, which go out in the same turn; returns the topics that came. */
async function inOneTurn(world: World, ...packetBytes: number[]): Promise<string[]> {
  const client = await world.connect()
  await client.subscribe('+')
  const publisher = await world.connectInMemory()
  const topics = ['a', 'b', 'c']
  const packets = packetBytes.map((bytes, index) =>
    publishPacket(4, { topic: topics[index] ?? '', payload: Buffer.alloc(bytes - 6) }),
  )
  expect(packets.map(({ length }) => length)).toEqual(packetBytes)
  const { counters } = world.broker
  const { publishReceived, publishDropped } = counters
  publisher.send(...packets)
  await world.until(() => counters.publishReceived === publishReceived + packets.length)
  const got = await client.receiveMany(packets.length - (counters.publishDropped - publishDropped))
  await client.disconnect()
  return got.map(({ topic }) => topic)
}

async function overWebSocket(world: World, bytes: number): Promise<WebSocket> {
  const socket = new WebSocket(world.broker.addresses[1]?.url ?? '', 'mqtt')
  await once(socket, 'open')
  socket.send(connectPacket({}))
  await once(socket, 'message')
  socket.send(publishPacket(4, { topic: 'a', qos: 1, payload: Buffer.alloc(bytes - 8) }))
  return socket
}

/** A queue that has room for two messages of so many bytes, whose publisher is told of the third. */
function queueLimit(limits: Partial<Limits>, durable: boolean, bytes = 1): LimitCase {
  const publish = async (world: World, reasonCode: number): Promise<void> => {
    const client = await world.connect({ version: 5, clientId: 'publisher' })
    expect(await client.publish('a', Buffer.alloc(bytes), { qos: 1 })).toMatchObject({ reasonCode })
    await client.disconnect()
  }
  return {
    limits,
    onDisk: durable,
    async at(world) {
      await world.broker.queues.declare('q', { durable, bindings: ['a'] })
      for (let i = 0; i < 2; i++) await publish(world, 0)
    },
    async past(world) {
      await publish(world, 0x97)
      expect(world.broker.queues.stats('q')).toMatchObject({ ready: 2, refused: 1 })
      await world.broker.queues.dequeue('q')
      await publish(world, 0)
    },
  }
}

const CASES: Record<keyof Limits, LimitCase> = {
  packetBytesMax: {
    limits: { packetBytesMax: 1000 },
    async at(world) {
      const client = await world.connect(FIVE)
      client.send(publishPacket(5, { topic: 'a', qos: 1, payload: Buffer.alloc(1000 - 9) }))
      await client.expect('puback')
      const socket = await overWebSocket(world, 1000)
      await once(socket, 'message')
      socket.terminate()
    },
    async past(world) {
      const client = await world.connect(FIVE)
      client.send(publishPacket(5, { topic: 'a', qos: 1, payload: Buffer.alloc(1001 - 9) }))
      await client.expectDisconnected(0x95)
      const [code] = await once(await overWebSocket(world, 1001), 'close')
      expect(code).toBe(1009)
    },
    log: /1001|too large|size/i,
  },
  connectPacketBytesMax: {
    limits: { connectPacketBytesMax: 500 },
    at: async (world) => void (await world.connect(filledConnect(500))),
    async past(world) {
      await closed(world, filledConnect(501))
      const socket = new WebSocket(world.broker.addresses[1]?.url ?? '', 'mqtt')
      await once(socket, 'open')
      socket.send(connectPacket(filledConnect(501)))
      const [code] = await once(socket, 'close')
      expect(code).toBe(1009)
    },
    log: /501/,
  },
  connectTimeoutMs: {
    limits: { connectTimeoutMs: 1000 },
    async at(world) {
      const client = await world.open()
      await world.until(() => world.broker.counters.connectionsOpened === 1)
      await world.clock.advance(999)
      client.sendConnect({})
      await client.expect('connack', { reasonCode: 0 })
      await world.clock.advance(60_000)
      await client.expectNothing()
    },
    async past(world) {
      const { counters } = world.broker
      const before = counters.connectionsOpened
      const client = await world.open()
      await world.until(() => counters.connectionsOpened > before)
      await world.clock.advance(1000)
      await client.expectClosed()
    },
    log: /connect did not arrive in time/,
  },
  clientIdBytesMax: {
    limits: { clientIdBytesMax: 10 },
    at: async (world) => void (await world.connect({ clientId: 'é'.repeat(5) })),
    async past(world) {
      await refusedWith(world, { version: 5, clientId: 'é'.repeat(6) }, 0x85)
      await refusedWith(world, { version: 4, clientId: 'c'.repeat(11) }, 2)
    },
    log: /longer than 10 bytes/,
  },
  willBytesMax: {
    limits: { willBytesMax: 100 },
    at: async (world) => void (await world.connect({ ...FIVE, will: { topic: 'w', payload: 'x'.repeat(99) } })),
    async past(world) {
      const will = { topic: 'w', payload: 'x'.repeat(100) }
      await refusedWith(world, { ...FIVE, will }, 0x97)
      await refusedWith(world, { version: 4, will }, 3)
    },
    log: /larger than 100 bytes/,
  },
  connectionsMax: {
    limits: { connectionsMax: 3 },
    async at(world) {
      for (const clientId of ['one', 'two', 'three']) await world.connect({ clientId })
    },
    async past(world) {
      await closed(world, { clientId: 'four' })
      const socket = new WebSocket(world.broker.addresses[1]?.url ?? '', 'mqtt')
      await once(socket, 'error')
      expect(world.broker.connectedClients).toBe(3)
      expect(world.broker.counters.connectionsRefused).toBe(2)
      const { conn } = world.broker.clients['one'] ?? {}
      const gone = new Promise((resolve) => conn?.once('close', resolve))
      conn?.destroy()
      await gone
      await world.connect({ clientId: 'four' })
    },
    log: /connectionsMax|connections/,
  },
  connectionsPerAddressMax: {
    limits: { connectionsPerAddressMax: 2 },
    async at(world) {
      for (const clientId of ['one', 'two']) await world.connect({ clientId })
    },
    async past(world) {
      await closed(world, { clientId: 'three' })
      const socket = connect({ port: world.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
      const other = new RawClient(socket, 4).sendConnect({ clientId: 'three' })
      await other.expect('connack', { reasonCode: 0 })
      other.drop()
      expect(world.broker.counters.connectionsRefused).toBe(1)
    },
    log: /connectionsPerAddressMax/,
  },
  connectsPerSecondMax: {
    limits: { connectsPerSecondMax: 4 },
    async at(world) {
      for (const clientId of ['one', 'two', 'three', 'four']) await world.connect({ clientId })
    },
    async past(world) {
      const late = [await asked(world, { clientId: 'five' }), await asked(world, { clientId: 'six' })] as const
      const socket = new WebSocket(world.broker.addresses[1]?.url ?? '', 'mqtt')
      const opened = once(socket, 'open')
      await world.until(() => world.broker.counters.connectionsDelayed === 3)
      await world.clock.advance(249)
      expect(world.broker.counters.connectionsOpened).toBe(4)
      await world.clock.advance(1)
      expect(world.broker.counters.connectionsOpened).toBe(5)
      await world.clock.advance(500)
      for (const client of late) await client.expect('connack', { reasonCode: 0 })
      await opened
      socket.terminate()
    },
  },
  sessionsMax: {
    limits: { sessionsMax: 2 },
    async at(world) {
      await world.connect({ clientId: 'one' })
      await (await world.connect(lasting({ version: 5, clientId: 'two' }))).disconnect()
    },
    async past(world) {
      await refusedWith(world, { version: 5, clientId: 'three' }, 0x97)
      await refusedWith(world, { version: 4, clientId: 'three' }, 3)
      await world.connect(lasting({ version: 5, clientId: 'two' }))
    },
    log: /sessions/,
  },
  sessionExpirySecondsMax: {
    limits: { sessionExpirySecondsMax: 100 },
    async at(world) {
      const client = await asked(world, lasting(FIVE, 100))
      expect((await client.expect('connack', { reasonCode: 0 })).properties.sessionExpiryInterval).toBeUndefined()
    },
    async past(world) {
      const client = await asked(world, lasting(FIVE, 101))
      expect((await client.expect('connack', { reasonCode: 0 })).properties.sessionExpiryInterval).toBe(100)
      await client.disconnect(0, { sessionExpiryInterval: 101 })
      await world.clock.advance(101_000)
      const back = await asked(world, lasting(FIVE, 100))
      await back.expect('connack', { sessionPresent: false })
    },
  },
  keepAliveSecondsMax: {
    limits: { keepAliveSecondsMax: 60 },
    async at(world) {
      await world.connect({ keepAlive: 60 })
      const client = await asked(world, { ...FIVE, keepAlive: 60 })
      expect((await client.expect('connack')).properties.serverKeepAlive).toBeUndefined()
    },
    async past(world) {
      for (const keepAlive of [61, 0]) {
        await refusedWith(world, { keepAlive }, 2)
        const client = await asked(world, { ...FIVE, keepAlive })
        expect((await client.expect('connack')).properties.serverKeepAlive).toBe(60)
      }
    },
    log: /keep alive/,
  },
  topicBytesMax: {
    limits: { topicBytesMax: 10 },
    async at(world) {
      const will = { topic: 'w'.repeat(10) }
      const client = await world.connect({ ...FIVE, will })
      expect(await client.subscribe(['é'.repeat(5), `$share/group/${'f'.repeat(10)}`])).toEqual([0, 0])
      await client.publish('é'.repeat(5), 'x')
      await client.take('publish')
      await client.expectNothing()
    },
    async past(world) {
      const client = await world.connect(FIVE)
      expect(await client.subscribe(['é'.repeat(6), `$share/g/${'f'.repeat(11)}`, 'short'])).toEqual([0x8f, 0x8f, 0])
      client.sendPublish({ topic: 'é'.repeat(6) })
      await client.expectDisconnected(0x90)
      const will = { topic: 'w'.repeat(11) }
      await refusedWith(world, { ...FIVE, will }, 0x90)
      await closed(world, { version: 4, will })
    },
    log: /broke the protocol.*the topic is longer than 10 bytes/,
  },
  topicLevelsMax: {
    limits: { topicLevelsMax: 3 },
    async at(world) {
      const client = await world.connect({ ...FIVE, will: { topic: 'a/b/c' } })
      expect(await client.subscribe(['a/+/#', '//', '$share/g/+/+/+'])).toEqual([0, 0, 0])
      expect(await client.unsubscribe('$share/g/+/+/+')).toEqual([0])
      await client.publish('a/b/c', 'x')
      await client.take('publish')
    },
    async past(world) {
      const client = await world.connect(FIVE)
      expect(await client.subscribe(['a/+/c/#', '$share/g/a/b/c/d', 'a'])).toEqual([0x8f, 0x8f, 0])
      client.sendPublish({ topic: 'a/b/c/d' })
      await client.expectDisconnected(0x90)
      const will = { topic: 'a/b/c/d' }
      await refusedWith(world, { ...FIVE, will }, 0x90)
      await closed(world, { version: 4, will })
    },
    log: /broke the protocol.*levels/,
  },
  subscriptionsPerClientMax: {
    limits: { subscriptionsPerClientMax: 2 },
    async at(world) {
      const client = await world.connect(FIVE)
      expect(await client.subscribe(['a', '$share/g/b'])).toEqual([0, 0])
    },
    async past(world) {
      for (const version of [5, 4] as const) {
        const client = await world.connect({ version, clientId: `c${version}` })
        const refusal = version === 5 ? 0x97 : 0x80
        expect(await client.subscribe(['a', 'b', 'c'])).toEqual([0, 0, refusal])
        expect(await client.subscribe(['b', 'd'], 1)).toEqual([1, refusal])
        await client.unsubscribe('a')
        expect(await client.subscribe('d')).toEqual([0])
      }
    },
  },
  subscriptionBytesPerClientMax: {
    limits: { subscriptionBytesPerClientMax: 500 },
    async at(world) {
      const client = await world.connect(FIVE)
      expect(await client.subscribe(['f'.repeat(100)])).toEqual([0])
      expect(await client.subscribe(['f'.repeat(100)], 1)).toEqual([1])
      await client.unsubscribe('f'.repeat(100))
      expect(await client.subscribe(['f'.repeat(300)])).toEqual([0])
    },
    async past(world) {
      for (const version of [5, 4] as const) {
        const client = await world.connect({ version, clientId: `c${version}` })
        const refusal = version === 5 ? 0x97 : 0x80
        expect(await client.subscribe(['f'.repeat(301), 'a'])).toEqual([refusal, 0])
        expect(await client.subscribe(['f'.repeat(100)])).toEqual([refusal])
      }
    },
  },
  subscriptionBytesMax: {
    limits: { subscriptionBytesMax: 500 },
    async at(world) {
      const clients = [await world.connect({ clientId: 'one' }), await world.connect({ clientId: 'two' })]
      for (const client of clients) expect(await client.subscribe('f'.repeat(50))).toEqual([0])
      for (const client of clients) await client.disconnect()
    },
    async past(world) {
      const one = await world.connect({ version: 5, clientId: 'one' })
      expect(await one.subscribe('f'.repeat(51))).toEqual([0])
      const two = await world.connect({ version: 5, clientId: 'two' })
      expect(await two.subscribe('f'.repeat(50))).toEqual([0x97])
      await one.disconnect()
      expect(await two.subscribe('f'.repeat(50))).toEqual([0])
    },
  },
  filtersPerPacketMax: {
    limits: { filtersPerPacketMax: 3 },
    async at(world) {
      const client = await world.connect(FIVE)
      expect(await client.subscribe(['a', 'b', 'c'])).toEqual([0, 0, 0])
      expect(await client.unsubscribe('a', 'b', 'c')).toEqual([0, 0, 0])
    },
    async past(world) {
      const subscriber = await world.connect(FIVE)
      subscriber.subscribe(['a', 'b', 'c', 'd']).catch(() => {})
      await subscriber.expectDisconnected(0x97)
      const leaver = await world.connect(FIVE)
      leaver.unsubscribe('a', 'b', 'c', 'd').catch(() => {})
      await leaver.expectDisconnected(0x97)
    },
    log: /topic filters/,
  },
  sharedGroupsMax: {
    limits: { sharedGroupsMax: 2 },
    async at(world) {
      const client = await world.connect(FIVE)
      expect(await client.subscribe(['$share/g/a', '$share/g/b'])).toEqual([0, 0])
      const other = await world.connect({ ...FIVE, clientId: 'other' })
      expect(await other.subscribe(['$share/g/a'])).toEqual([0])
    },
    async past(world) {
      const other = await world.connect({ ...FIVE, clientId: 'other' })
      await other.unsubscribe('$share/g/a')
      for (const version of [5, 4] as const) {
        const late = await world.connect({ version, clientId: `late${version}` })
        const refusal = version === 5 ? 0x97 : 0x80
        expect(await late.subscribe(['$share/h/a', '$share/g/b', 'a'])).toEqual([refusal, 0, 0])
      }
    },
  },
  inflightMessagesMax: {
    limits: { inflightMessagesMax: 3 },
    async at(world) {
      const client = await world.connect(FIVE)
      await client.subscribe('a', 1)
      for (const packetId of [11, 12, 13]) client.sendPublish({ topic: 'a', qos: 2, packetId })
      for (const packetId of [11, 12, 13]) await client.take('pubrec', { packetId })
      await unreleased(world, 3)
    },
    async past(world) {
      const older = await unreleased(world, 3)
      // Once one is released there is room for another.
      older.sendAck('pubrel', 1)
      await older.expect('pubcomp', { packetId: 1 })
      for (const packetId of [4, 5]) older.sendPublish({ topic: 'b', qos: 2, packetId })
      await older.expect('pubrec', { packetId: 4 })
      await older.expectClosed()
      expect(world.log.about('older').filter(({ level }) => level === 'warn')).toMatchObject([
        { text: 'closed a connection: too many messages of QoS 2 that are not released', fields: { limit: 3 } },
      ])
      const client = await world.connect(FIVE)
      await client.subscribe('a', 1)
      const publisher = await world.connect({ ...FIVE, clientId: 'publisher' })
      for (const packetId of [11, 12, 13]) publisher.sendPublish({ topic: 'a', qos: 2, packetId })
      for (const packetId of [11, 12, 13]) await publisher.take('pubrec', { packetId })
      await (await world.connect()).publish('a', 'waits', { qos: 1 })
      for (let index = 0; index < 3; index++) client.sendAck('puback', (await client.expect('publish')).packetId)
      await client.expect('publish', { payload: 'waits' })
      publisher.sendPublish({ topic: 'a', qos: 2, packetId: 14 })
      await publisher.expectDisconnected(0x93)
    },
    log: /Receive Maximum/,
  },
  publishesPerSecondMax: {
    limits: { publishesPerSecondMax: 5 },
    async at(world) {
      const client = await world.connect(FIVE)
      for (let index = 0; index < 5; index++) await client.publish('a', 'x', { qos: 1 })
      await world.clock.advance(1000)
    },
    past: (world) => heldBack(world, () => Buffer.alloc(1), 200),
  },
  publishBytesPerSecondMax: {
    limits: { publishBytesPerSecondMax: 500 },
    async at(world) {
      const client = await world.connect(FIVE)
      for (let index = 0; index < 4; index++) await client.publish('a', Buffer.alloc(100 - 8), { qos: 1 })
      await client.publish('a', Buffer.alloc(99 - 8), { qos: 1 })
      await client.expectNothing()
    },
    past: (world) => heldBack(world, (qos) => Buffer.alloc(100 - 6 - 2 * qos), 2),
  },
  queuedMessagesMax: {
    limits: { queuedMessagesMax: 4 },
    at: async (world) => expect(await queued(world, 4, 'x')).toEqual(['0', '1', '2', '3']),
    past: async (world) => expect(await queued(world, 5, 'x')).toEqual(['0', '1', '2', '3']),
  },
  queuedBytesMax: {
    limits: { queuedBytesMax: 4096 },
    // 64 for each message, a topic of 1, and one digit.
    at: async (world) => expect(await queued(world, 4, 'x'.repeat(958))).toEqual(['0', '1', '2', '3']),
    past: async (world) => expect(await queued(world, 4, 'x'.repeat(958), 'x'.repeat(959))).toEqual(['0', '1', '2']),
  },
  queueMemoryBytesMax: {
    limits: { queueMemoryBytesMax: 64 * 1024, queueOverflow: 'reject-publish' },
    async at(world) {
      const sleepers = ['one', 'two']
      for (const clientId of sleepers) {
        const sleeper = await world.connect(lasting({ ...FIVE, clientId }))
        await sleeper.subscribe(['all', clientId], 1)
        await sleeper.disconnect()
      }
      const publisher = await world.connect(FIVE)
      // Each is in two queues and counts once.
      for (const topic of ['all', 'all', 'all', 'one']) {
        expect(await publisher.publish(topic, Buffer.alloc(16_000), { qos: 1 })).toMatchObject({ reasonCode: 0 })
      }
      await publisher.disconnect()
    },
    async past(world) {
      const publisher = await world.connect(FIVE)
      for (const topic of ['two', 'all']) {
        expect(await publisher.publish(topic, Buffer.alloc(16_000), { qos: 1 })).toMatchObject({ reasonCode: 0x97 })
      }
      const back = await world.connect(lasting({ ...FIVE, clientId: 'one' }))
      await back.receiveMany(4)
      await back.expectNothing()
      expect(await publisher.publish('two', Buffer.alloc(16_000), { qos: 1 })).toMatchObject({ reasonCode: 0 })
    },
  },
  queueOverflow: {
    limits: { queuedMessagesMax: 4, queueOverflow: 'drop-oldest' },
    at: async (world) => expect(await queued(world, 4, 'x')).toEqual(['0', '1', '2', '3']),
    past: async (world) => expect(await queued(world, 5, 'x')).toEqual(['1', '2', '3', '4']),
  },
  outboxBytesMax: {
    limits: { outboxBytesMax: 16 * 1024 },
    at: async (world) => expect(await inOneTurn(world, 16_000, 384, 200)).toEqual(['a', 'b', 'c']),
    past: async (world) => expect(await inOneTurn(world, 16_000, 385, 200)).toEqual(['a', 'b']),
    log: /outbox full/,
  },
  connectionMemoryBytesMax: {
    limits: { connectionMemoryBytesMax: 64 * 1024 },
    // A will counts 400 bytes and its own.
    at: async (world) => void (await world.connect({ ...FIVE, will: { topic: 'w', payload: 'x'.repeat(65_135) } })),
    async past(world) {
      const will = { topic: 'w', payload: '' }
      await refusedWith(world, { version: 5, clientId: 'other', will }, 0x97)
      await refusedWith(world, { version: 4, clientId: 'other', will }, 3)
      await world.connect({ version: 4, clientId: 'other' })
      await world.connect({ ...FIVE, will: { topic: 'w', payload: 'x'.repeat(65_135) } })
    },
    log: /no memory for a will/,
  },
  queuesMax: {
    limits: { queuesMax: 2 },
    async at({ broker }) {
      for (const name of ['a', 'b']) expect(await broker.queues.declare(name)).toBe(name)
    },
    async past({ broker }) {
      await expect(broker.queues.declare('c')).rejects.toMatchObject({ replyCode: 506 })
      expect(await broker.queues.declare('b')).toBe('b')
      await broker.queues.delete('a')
      expect(await broker.queues.declare('c')).toBe('c')
    },
  },
  exchangesMax: {
    limits: { exchangesMax: 7 },
    async at({ broker }) {
      await broker.queues.declareExchange('a')
      expect(await broker.queues.publish('a', '', 'x')).toBe(false)
    },
    async past({ broker }) {
      await expect(broker.queues.declareExchange('b')).rejects.toMatchObject({ replyCode: 506 })
      await broker.queues.deleteExchange('a')
      await expect(broker.queues.declareExchange('b')).resolves.toBeUndefined()
    },
  },
  bindingsMax: {
    limits: { bindingsMax: 2 },
    async at({ broker }) {
      expect(await broker.queues.declare('q', { bindings: ['a', 'b'] })).toBe('q')
    },
    async past({ broker }) {
      await expect(broker.queues.bind('q', 'c')).rejects.toMatchObject({ replyCode: 506 })
      await expect(broker.queues.bind('q', 'b')).resolves.toBeUndefined()
      await broker.queues.unbind('q', 'a')
      await expect(broker.queues.bind('q', 'c')).resolves.toBeUndefined()
    },
  },
  storedQueueMessagesMax: queueLimit({ storedQueueMessagesMax: 2, transientQueueMessagesMax: 100 }, true),
  // 64 for each message, and its topic.
  storedQueueBytesMax: queueLimit({ storedQueueBytesMax: 1024, transientQueueBytesMax: 65_536 }, true, 440),
  transientQueueMessagesMax: queueLimit({ storedQueueMessagesMax: 100, transientQueueMessagesMax: 2 }, false),
  transientQueueBytesMax: queueLimit({ storedQueueBytesMax: 65_536, transientQueueBytesMax: 1024 }, false, 440),
  retainedMessagesMax: {
    limits: { retainedMessagesMax: 2 },
    async at(world) {
      await publishes(world, 'a', 'x', 0x10)
      await publishes(world, 'b', 'x', 0x10)
    },
    async past(world) {
      await publishes(world, 'c', 'x', 0x97)
      await publishes(world, 'b', 'replaced', 0x10)
      await publishes(world, 'a', '', 0x10)
      await publishes(world, 'c', 'x', 0x10)
      expect(world.broker.counters.publishRefused).toBe(1)
    },
  },
  retainedBytesMax: {
    limits: { retainedBytesMax: 100 },
    async at(world) {
      await publishes(world, 'a', Buffer.alloc(59), 0x10)
      await publishes(world, 'b', Buffer.alloc(39), 0x10)
    },
    async past(world) {
      await publishes(world, 'b', Buffer.alloc(40), 0x97)
      await publishes(world, 'b', Buffer.alloc(29), 0x10)
      await publishes(world, 'c', Buffer.alloc(9), 0x10)
    },
  },
  userPropertiesMax: {
    limits: { userPropertiesMax: 3 },
    async at(world) {
      const client = await world.connect({ ...FIVE, properties: { userProperties: userProperties(3) } })
      await client.publish('a', 'x', { properties: { userProperties: userProperties(3) } })
    },
    async past(world) {
      const client = await world.connect(FIVE)
      client.sendPublish({ topic: 'a', properties: { userProperties: userProperties(4) } })
      await client.expectDisconnected(0x97)
      const subscriber = await world.connect(FIVE)
      subscriber.subscribe('a', 0, { userProperties: userProperties(4) }).catch(() => {})
      await subscriber.expectDisconnected(0x97)
      const connecting = await asked(world, { ...FIVE, properties: { userProperties: userProperties(4) } })
      await connecting.end()
      expect(connecting.received.filter(({ type, reasonCode }) => type === 'connack' && reasonCode === 0)).toEqual([])
    },
    log: /user properties/,
  },
  topicAliasMax: {
    limits: { topicAliasMax: 5 },
    async at(world) {
      const client = await world.connect(FIVE)
      await client.publish('a', 'x', { properties: { topicAlias: 5 } })
    },
    async past(world) {
      const client = await world.connect(FIVE)
      client.sendPublish({ topic: 'a', properties: { topicAlias: 6 } })
      await client.expectDisconnected(0x94)
    },
    log: /alias/,
  },
  hookTimeoutMs: {
    limits: { hookTimeoutMs: 500 },
    async at(world) {
      let answer = (): void => {}
      world.broker.authenticate = (_client, _name, _password, done) => (answer = () => done(null, true))
      const client = await asked(world, FIVE)
      await world.until(() => world.broker.counters.packetsReceived === 1)
      await world.clock.advance(499)
      answer()
      await client.expect('connack', { reasonCode: 0 })
    },
    async past(world) {
      const { counters } = world.broker
      world.broker.authenticate = () => {}
      const before = counters.packetsReceived
      const client = await asked(world, FIVE)
      await world.until(() => counters.packetsReceived > before)
      await world.clock.advance(500)
      await client.expect('connack', { reasonCode: 0x87 })
      await client.expectClosed()
    },
    log: /within 0.5 s/,
  },
}

test('every limit of the schema has its case here', () => {
  expect(Object.keys(CASES).toSorted()).toEqual(Object.keys(limitsSchema.shape).toSorted())
})

describe.each(Object.entries(CASES))('the limit %s', (_name, { limits, at, past, log, onDisk }) => {
  test('lets through what is at it, and says so when it is one past it', async ({ start }) => {
    const data = onDisk ? mkdtempSync(join(tmpdir(), 'sluice-limits-')) : undefined
    if (data !== undefined) onTestFinished(() => rmSync(data, { recursive: true }))
    const world = await start({ http: { port: 0 }, limits, ...(data !== undefined && { data }) })
    await at(world)
    expect(world.log.lines.filter(({ level }) => level !== 'info')).toEqual([])
    const before = world.log.lines.length
    await past(world)
    if (log === undefined) return
    const told = world.log.lines.slice(before).map((line) => JSON.stringify(line))
    expect(told).toContainEqual(expect.stringMatching(log))
  })
})

test('the option maxInflightInbound stands above the limit inflightMessagesMax for version 3', async ({ start }) => {
  const world = await start({ maxInflightInbound: 5, limits: { inflightMessagesMax: 3 } })
  const client = await unreleased(world, 5)
  client.sendPublish({ topic: 'b', qos: 2, packetId: 6 })
  await client.expectClosed()
})

describe('beyond the messages that a session may keep', () => {
  test('drop-newest keeps those that it has', async ({ start }) => {
    const world = await start({ limits: { queuedMessagesMax: 4, queueOverflow: 'drop-newest' } })
    expect(await queued(world, 5, 'x')).toEqual(['0', '1', '2', '3'])
    expect(world.broker.counters.publishDropped).toBe(1)
  })

  test('reject-publish tells the publisher, each in its version', async ({ start }) => {
    const world = await start({ limits: { queuedMessagesMax: 1, queueOverflow: 'reject-publish' } })
    const sleeper = await world.connect(lasting({ ...FIVE, clientId: 'sleeper' }))
    await sleeper.subscribe('a', 2)
    await sleeper.disconnect()
    const publisher = await world.connect({ ...FIVE, clientId: 'publisher' })
    expect(await publisher.publish('a', 'kept', { qos: 1 })).toMatchObject({ reasonCode: 0 })
    for (const qos of [1, 2]) expect(await publisher.publish('a', 'x', { qos })).toMatchObject({ reasonCode: 0x97 })
    const older = await world.connect({ version: 4, clientId: 'older' })
    for (const qos of [1, 2]) older.sendPublish({ topic: 'a', qos, packetId: qos })
    await older.expectNothing()
    expect(world.broker.counters.publishRefused).toBe(4)
    const back = await world.connect(lasting({ ...FIVE, clientId: 'sleeper' }))
    await back.receive({ payload: 'kept' })
    await back.expectNothing()
    // It may send it again, and there is room now.
    older.sendPublish({ topic: 'a', qos: 1, packetId: 1, dup: true })
    await older.expect('puback', { packetId: 1 })
  })
})
