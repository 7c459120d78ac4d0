import type { Subscription } from 'aedes'
import { expect } from 'vitest'
import { PINGREQ, publishPacket, subscribePacket } from '../support/wire-writer.ts'
import { test } from './support/broker.ts'
import { queueOf } from './support/queue.ts'

type SubscribeDone = (error: Error | null, subscription?: Subscription | null) => void

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

test('O1: CONNACK is the first packet, also on a topic with traffic', async ({ start }) => {
  const broker = await start({ persistent: true })
  const first = await broker.resume('subscriber')
  await first.subscribe('t', 1)
  await broker.lose(first, 'subscriber')
  let publishing = true
  const traffic = (async () => {
    while (publishing) {
      await Promise.all([broker.publish({ topic: 't' }), broker.publish({ topic: 't', qos: 1 })])
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const firstPackets: string[] = []
  for (let round = 0; round < 20; round++) {
    const client = broker.open()
    client.sendConnect({ clientId: 'subscriber', clean: false })
    firstPackets.push((await client.expect('connack').catch(() => ({ type: 'something else' }))).type)
    await broker.lose(client, 'subscriber')
  }
  publishing = false
  await traffic
  expect(firstPackets).toEqual(Array.from({ length: 20 }, () => 'connack'))
})

test('O2: what was queued comes before what is published meanwhile, and each message once', async ({ start }) => {
  const broker = await start({ persistent: true })
  const first = await broker.resume('subscriber')
  await first.subscribe('t', 1)
  await broker.lose(first, 'subscriber')
  for (const payload of numbers(1, 50)) await broker.publish({ topic: 't', payload, qos: 1 })
  const live = (async () => {
    for (const payload of numbers(51, 100)) await broker.publish({ topic: 't', payload, qos: 1 })
  })()
  const back = await broker.resume('subscriber')
  const received = await back.receiveMany(100)
  await live
  expect(received.map((packet) => packet.payload)).toEqual(numbers(1, 100))
  await back.expectNothing()
})

test('O3: a message that is sent again has DUP set', async ({ start }) => {
  const broker = await start()
  const first = await broker.resume('subscriber')
  await first.subscribe('t', 1)
  await broker.publish({ topic: 't', payload: 'x', qos: 1 })
  const { packetId } = await first.expect('publish', { dup: false })
  await broker.lose(first, 'subscriber')
  const back = await broker.resume('subscriber')
  await back.receive({ dup: true, packetId })
})

test("O3: the publisher's DUP is not passed on", async ({ start }) => {
  const broker = await start()
  const subscriber = await broker.connect()
  await subscriber.subscribe('one', 1)
  await subscriber.subscribe('none', 0)
  const publisher = await broker.connect()
  for (const topic of ['one', 'none']) {
    publisher.send(publishPacket(4, { topic, qos: 1, packetId: 1, dup: true }))
    await publisher.take('puback')
    await subscriber.receive({ topic, dup: false })
  }
})

test('O4: a queued message loses RETAIN and has the lower QoS of message and subscription', async ({ start }) => {
  const broker = await start()
  const first = await broker.resume('subscriber')
  await first.subscribe('t', 1)
  await broker.lose(first, 'subscriber')
  await broker.publish({ topic: 't', payload: 'x', qos: 2, retain: true })
  const back = await broker.resume('subscriber')
  await back.receive({ qos: 1, retain: false })
})

test('O5: a wildcard subscription at QoS 1 gets a QoS 2 message at QoS 1', async ({ start }) => {
  const broker = await start()
  const subscriber = await broker.connect()
  await subscriber.subscribe('a/+', 1)
  await broker.publish({ topic: 'a/b', payload: 'x', qos: 2 })
  await subscriber.receive({ qos: 1 })
})

test('O5: a wildcard subscription at QoS 1 gets a retained QoS 2 message at QoS 1', async ({ start }) => {
  const broker = await start()
  await broker.publish({ topic: 'a/b', payload: 'x', qos: 2, retain: true })
  const subscriber = await broker.connect()
  await subscriber.subscribe('a/+', 1)
  await subscriber.receive({ qos: 1, retain: true })
})

test('O6: overlapping subscriptions give the highest of their QoS', async ({ start }) => {
  const broker = await start()
  const subscriber = await broker.connect()
  await subscriber.subscribe('a/#', 0)
  await subscriber.subscribe('a/b', 1)
  await broker.publish({ topic: 'a/b', payload: 'x', qos: 1 })
  await subscriber.receive({ qos: 1 })
})

test('O7: the newest of several connections with one client identifier is the registered one', async ({ start }) => {
  const broker = await start()
  const first = await broker.connect({ clientId: 'same' })
  await first.subscribe('old')
  const rivals = [broker.open(), broker.open(), broker.open()]
  for (const rival of rivals) {
    rival.sendConnect({ clientId: 'same' })
    rival.send(subscribePacket(4, 1, [{ filter: 'new' }]))
  }
  await first.end()
  await rivals[0]?.end()
  await rivals[1]?.end()
  const last = rivals[2]
  await last?.take('suback')
  expect(broker.broker.clients['same']).toBeDefined()
  expect(broker.broker.connectedClients).toBe(1)
  await broker.publish({ topic: 'new', payload: 'x' })
  await last?.take('publish', { topic: 'new' })
})

test('O7: a takeover does not delete the stored will of the new connection', async ({ start }) => {
  const broker = await start()
  const first = await broker.connect({ clientId: 'same', will: { topic: 'w', payload: 'old' } })
  await first.subscribe('t')
  const second = await broker.connect({ clientId: 'same', will: { topic: 'w', payload: 'new' } })
  await first.end()
  await second.expectNothing()
  const will = await broker.broker.persistence['getWill']?.({ id: 'same' } as never)
  expect(String((will as { payload?: Buffer } | undefined)?.payload)).toBe('new')
})

test('O8: SUBACK grants what authorizeSubscribe has lowered the QoS to', async ({ start }) => {
  const broker = await start({
    aedes: {
      authorizeSubscribe: (_client, subscription, done: SubscribeDone) => done(null, { ...subscription, qos: 0 }),
    },
  })
  const subscriber = await broker.connect()
  expect(await subscriber.subscribe('t', 2)).toEqual([0])
})

test('O8: SUBACK has a code for each filter, also for one that occurs twice', async ({ start }) => {
  const broker = await start()
  const subscriber = await broker.connect()
  const filters = [
    { filter: 'a', qos: 0 },
    { filter: 'b', qos: 1 },
    { filter: 'a', qos: 2 },
  ]
  expect(await subscriber.subscribe(filters)).toEqual([0, 1, 2])
})

test('O8: a session whose subscription is refused at reconnect is accepted all the same', async ({ start }) => {
  let refusing = false
  const broker = await start({
    aedes: {
      authorizeSubscribe: (_client, subscription, done: SubscribeDone) =>
        refusing ? done(new Error('not any more')) : done(null, subscription),
    },
  })
  const first = await broker.resume('subscriber')
  await first.subscribe('t', 1)
  await broker.lose(first, 'subscriber')
  refusing = true
  const back = broker.open()
  back.sendConnect({ clientId: 'subscriber', clean: false })
  await back.expect('connack')
})

test('O9: a session without subscriptions is present', async ({ start }) => {
  const broker = await start()
  const first = await broker.resume('client')
  await broker.lose(first, 'client')
  const back = broker.open()
  back.sendConnect({ clientId: 'client', clean: false })
  await back.expect('connack', { sessionPresent: true, reasonCode: 0 })
})

test('O9: a keep alive beyond the limit is not answered with a return code that 3.1.1 does not have', async ({
  start,
}) => {
  const broker = await start({ aedes: { keepaliveLimit: 10 } })
  const client = broker.open()
  client.sendConnect({ clientId: 'client', keepAlive: 60 })
  const { reasonCode } = await client.take('connack')
  expect(reasonCode).toBeLessThanOrEqual(5)
})

test('O10: no two messages in flight have one packet identifier, stored and new ones', async ({ start }) => {
  const broker = await start({ persistent: true })
  const first = await broker.resume('subscriber')
  await first.subscribe('t', 1)
  await Promise.all(numbers(1, 200).map((payload) => broker.publish({ topic: 't', payload, qos: 1 })))
  for (let count = 0; count < 200; count++) await first.take('publish')
  await broker.lose(first, 'subscriber')
  await broker.restart()
  const back = await broker.resume('subscriber')
  await Promise.all(numbers(201, 400).map((payload) => broker.publish({ topic: 't', payload, qos: 1 })))
  const packetIds = new Set<number>()
  for (let count = 0; count < 400; count++) packetIds.add((await back.take('publish')).packetId)
  expect(packetIds.size).toBe(400)
})

test('O11: no more messages are in flight than the window has room for', async ({ start }) => {
  const broker = await start({ limits: { inflightMessagesMax: 10 } })
  const first = await broker.resume('subscriber')
  await first.subscribe('t', 1)
  await broker.lose(first, 'subscriber')
  for (const payload of numbers(1, 50)) await broker.publish({ topic: 't', payload, qos: 1 })
  const back = await broker.resume('subscriber')
  for (let count = 0; count < 10; count++) await back.take('publish')
  // A broker without a window would go on sending turn by turn, and answer a ping in between.
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  await back.expectNothing()
})

test('O12: an offline queue takes no more than its limit', async ({ start }) => {
  const broker = await start({ limits: { queuedMessagesMax: 20 } })
  const first = await broker.resume('subscriber')
  await first.subscribe('t', 1)
  await broker.lose(first, 'subscriber')
  for (const payload of numbers(1, 50)) await broker.publish({ topic: 't', payload, qos: 1 })
  expect((await queueOf(broker.broker, 'subscriber')).length).toBe(20)
})

test('O13: a subscriber that does not read holds up neither the others nor the publishers', async ({ start }) => {
  const broker = await start()
  const slow = await broker.openTcp()
  slow.sendConnect({ clientId: 'slow' })
  await slow.take('connack')
  await slow.subscribe('t')
  slow.stopReading()
  const fast = await broker.connect()
  await fast.subscribe('t')
  const publisher = await broker.connect()
  const payload = Buffer.alloc(256 * 1024)
  for (let count = 0; count < 200; count++) {
    publisher.sendPublish({ topic: 't', payload })
    await fast.take('publish')
  }
  publisher.send(PINGREQ)
  await publisher.expect('pingresp')
}, 20_000)

test('O14: after a crash a broker with a fixed id publishes the wills of its clients', async ({ start }) => {
  const broker = await start({ persistent: true, aedes: { id: 'one', heartbeatInterval: 20 } })
  await broker.connect({ clientId: 'device', will: { topic: 'wills', payload: 'gone', retain: true } })
  await broker.publish({ topic: 'barrier', qos: 1, retain: true })
  await broker.crash()
  const subscriber = await broker.connect()
  await subscriber.subscribe('wills')
  await subscriber.receive({ payload: 'gone' })
})

for (const topic of ['', 'a/+', '#']) {
  test(`O14: a will with the topic "${topic}" is refused`, async ({ start }) => {
    const broker = await start()
    const client = broker.open()
    client.sendConnect({ clientId: 'device', will: { topic, payload: 'x' } })
    await client.end()
    expect(client.received.filter((packet) => packet.reasonCode === 0)).toEqual([])
  })
}

test('O15: # does not stand for topics that begin with $, also while offline', async ({ start }) => {
  const broker = await start()
  const first = await broker.resume('subscriber')
  await first.subscribe(['#', '+/x'], 1)
  await broker.lose(first, 'subscriber')
  await broker.publish({ topic: '$own/x', payload: 'hidden', qos: 1 })
  await broker.publish({ topic: 'seen', payload: 'x', qos: 1 })
  const back = await broker.resume('subscriber')
  await back.receive({ topic: 'seen' })
  await back.expectNothing()
})

test('O15: + stands for an empty level, also while offline', async ({ start }) => {
  const broker = await start()
  const first = await broker.resume('subscriber')
  await first.subscribe('a/+/b', 1)
  await broker.lose(first, 'subscriber')
  await broker.publish({ topic: 'a//b', payload: 'x', qos: 1 })
  const back = await broker.resume('subscriber')
  await back.receive({ topic: 'a//b' })
})

test('M1: publishes to topics without subscribers that pile up behind a slow listener do not overflow the stack', async ({
  start,
}) => {
  const broker = await start()
  const held: (() => void)[] = []
  await new Promise<void>((resolve) =>
    broker.broker.subscribe('slow', (_packet, done) => void held.push(done), resolve),
  )
  let published = 0
  for (let count = 0; count < 100; count++) broker.broker.publish({ topic: 'slow' } as never, () => {})
  for (let count = 0; count < 20_000; count++) broker.broker.publish({ topic: 'nobody' } as never, () => published++)
  for (const done of held) done()
  await new Promise((resolve) => setImmediate(resolve))
  expect(published).toBe(20_000)
})

test('C6: retained $SYS messages do not outlive the broker', async ({ start }) => {
  const broker = await start({ persistent: true })
  await broker.publish({ topic: '$SYS/broker/uptime', payload: '1', retain: true })
  await broker.publish({ topic: 'kept', payload: '1', retain: true })
  await broker.restart()
  const subscriber = await broker.connect()
  await subscriber.subscribe(['$SYS/broker/uptime', 'kept'])
  await subscriber.receive({ topic: 'kept' })
  await subscriber.expectNothing()
})
