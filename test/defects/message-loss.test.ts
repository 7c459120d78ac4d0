import { expect } from 'vitest'
import { publishPacket, subscribePacket } from '../support/wire-writer.ts'
import { test } from './support/broker.ts'
import { queueOf } from './support/queue.ts'

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index + 1))

test('D1: a message behind a retained one does not overtake it', async ({ start }) => {
  const broker = await start()
  const subscriber = await broker.connect()
  await subscriber.subscribe('t')
  const publisher = await broker.connect()
  publisher.send(
    publishPacket(4, { topic: 't', payload: '1', retain: true }),
    publishPacket(4, { topic: 't', payload: '2' }),
  )
  await subscriber.receive({ payload: '1' })
  await subscriber.receive({ payload: '2' })
})

test('D1: messages of different QoS published in the process arrive in order', async ({ start }) => {
  const broker = await start()
  const subscriber = await broker.connect()
  await subscriber.subscribe('t', 1)
  await Promise.all([
    broker.publish({ topic: 't', payload: '1', qos: 1 }),
    broker.publish({ topic: 't', payload: '2', qos: 0 }),
    broker.publish({ topic: 't', payload: '3', qos: 1, retain: true }),
    broker.publish({ topic: 't', payload: '4', qos: 0 }),
  ])
  const received = await subscriber.receiveMany(4)
  expect(received.map((packet) => packet.payload)).toEqual(['1', '2', '3', '4'])
})

test('D1: of 60 messages in one chunk, some of them retained, none is lost and none overtakes', async ({ start }) => {
  const broker = await start({ persistent: true })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('t', 1)
  const publisher = await broker.connect()
  const payloads = numbers(60)
  publisher.send(
    ...payloads.map((payload, index) =>
      publishPacket(4, { topic: 't', payload, qos: 1, packetId: index + 1, retain: index % 3 === 0 }),
    ),
  )
  const received = await subscriber.receiveMany(60)
  expect(received.map((packet) => packet.payload)).toEqual(payloads)
  await subscriber.expectNothing()
})

test('D2: what PUBACK was sent for is on disk', async ({ start }) => {
  const broker = await start({ persistent: true })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('t', 1)
  await broker.lose(subscriber, 'subscriber')
  const publisher = await broker.connect()
  await publisher.publish('t', 'kept', { qos: 1 })
  await broker.crash()
  const back = await broker.resume('subscriber')
  await back.receive({ payload: 'kept' })
})

test('D3: a QoS 2 message that comes twice in one chunk is published once', async ({ start }) => {
  const broker = await start()
  const subscriber = await broker.connect()
  await subscriber.subscribe('t', 0)
  const publisher = await broker.connect()
  const packet = { topic: 't', payload: 'once', qos: 2, packetId: 7 }
  publisher.send(publishPacket(4, packet), publishPacket(4, { ...packet, dup: true }))
  await publisher.take('pubrec', { packetId: 7 })
  await publisher.take('pubrec', { packetId: 7 })
  await subscriber.receive({ payload: 'once' })
  await subscriber.expectNothing()
})

test('D3: a QoS 2 message whose publishing failed is published when it is repeated', async ({ start }) => {
  let failing = true
  const broker = await start({
    persistent: true,
    aedes: {
      authorizePublish(_client, packet, done) {
        done(failing && packet.topic === 't' ? new Error('not now') : null)
      },
    },
  })
  const subscriber = await broker.connect()
  await subscriber.subscribe('t', 0)
  const first = await broker.resume('publisher')
  const gone = broker.gone('publisher')
  first.sendPublish({ topic: 't', payload: 'later', qos: 2, packetId: 7 })
  await gone
  failing = false
  const second = await broker.resume('publisher')
  second.sendPublish({ topic: 't', payload: 'later', qos: 2, packetId: 7, dup: true })
  await second.take('pubrec', { packetId: 7 })
  await subscriber.receive({ payload: 'later' })
})

test('D4: a narrow filter beside a wide one does not stop the wide one from being queued for', async ({ start }) => {
  const broker = await start({ persistent: true })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('a/#', 2)
  await subscriber.subscribe('a/b', 1)
  await broker.lose(subscriber, 'subscriber')
  await broker.publish({ topic: 'a/c', payload: 'wide', qos: 1 })
  const back = await broker.resume('subscriber')
  await back.receive({ payload: 'wide' })
})

test('D4: leaving a wide filter does not take the narrow one along', async ({ start }) => {
  const broker = await start({ persistent: true })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe(['k/#', 'k/b'], 1)
  await subscriber.unsubscribe('k/#')
  await broker.lose(subscriber, 'subscriber')
  await broker.publish({ topic: 'k/b', payload: 'narrow', qos: 1 })
  const back = await broker.resume('subscriber')
  await back.receive({ payload: 'narrow' })
})

test('D5: nothing is queued for a subscription at QoS 0, also after a restart', async ({ start }) => {
  const broker = await start({ persistent: true })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('t', 0)
  await broker.lose(subscriber, 'subscriber')
  await broker.restart()
  await broker.publish({ topic: 't', payload: 'missed', qos: 1 })
  expect(await queueOf(broker.broker, 'subscriber')).toEqual([])
  const back = await broker.resume('subscriber')
  await back.expectNothing()
})

test('D5: nothing is queued for a subscription at QoS 0 that another client has at QoS 1', async ({ start }) => {
  const broker = await start({ persistent: true })
  const other = await broker.resume('other')
  await other.subscribe('t', 1)
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('t', 0)
  await broker.lose(subscriber, 'subscriber')
  await broker.publish({ topic: 't', payload: 'missed', qos: 1 })
  expect(await queueOf(broker.broker, 'subscriber')).toEqual([])
  const back = await broker.resume('subscriber')
  await back.expectNothing()
})

test('D6: a queue goes on in order over restarts of a broker with a fixed id', async ({ start }) => {
  const broker = await start({ persistent: true, aedes: { id: 'one' } })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('t', 1)
  await broker.lose(subscriber, 'subscriber')
  const payloads = numbers(12)
  for (const payload of payloads) {
    await broker.publish({ topic: 't', payload, qos: 1 })
    if (Number(payload) % 4 === 0) await broker.restart()
  }
  const back = await broker.resume('subscriber')
  const received = await back.receiveMany(12)
  expect(received.map((packet) => packet.payload)).toEqual(payloads)
})

test('D6: a queue keeps its order over restarts of a broker without a fixed id', async ({ start }) => {
  const broker = await start({ persistent: true })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('t', 1)
  await broker.lose(subscriber, 'subscriber')
  const payloads = numbers(6)
  for (const payload of payloads) {
    await broker.publish({ topic: 't', payload, qos: 1 })
    await broker.restart()
  }
  const back = await broker.resume('subscriber')
  const received = await back.receiveMany(6)
  expect(received.map((packet) => packet.payload)).toEqual(payloads)
})

test('D7: overlapping filters of a persistent session and messages in one tick do not end its connection', async ({
  start,
}) => {
  const broker = await start()
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe(['a/#', 'a/b'], 1)
  const payloads = numbers(3)
  await Promise.all(payloads.map((payload) => broker.publish({ topic: 'a/b', payload, qos: 1 })))
  const received = await subscriber.receiveMany(3)
  expect(received.map((packet) => packet.payload)).toEqual(payloads)
  await subscriber.expectNothing()
})

test('D7: what authorizeForward refuses leaves nothing in the queue', async ({ start }) => {
  const broker = await start({
    persistent: true,
    aedes: { authorizeForward: (_client, packet) => (packet.topic === 'secret' ? null : packet) },
  })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('#', 1)
  await broker.publish({ topic: 'secret', payload: '1', qos: 1 })
  await broker.publish({ topic: 'open', payload: '2', qos: 1 })
  await subscriber.receive({ topic: 'open' })
  await broker.lose(subscriber, 'subscriber')
  await broker.restart()
  const topics = (await queueOf(broker.broker, 'subscriber')).map((packet) => packet.topic)
  expect(topics).not.toContain('secret')
})

test('D8: a retained QoS 1 message that a persistent session has not acknowledged is sent again', async ({ start }) => {
  const broker = await start({ persistent: true })
  await broker.publish({ topic: 't', payload: 'kept', qos: 1, retain: true })
  const subscriber = await broker.resume('subscriber')
  await subscriber.subscribe('t', 1)
  await subscriber.take('publish', { qos: 1 })
  await broker.lose(subscriber, 'subscriber')
  const back = await broker.resume('subscriber')
  await back.receive({ payload: 'kept' })
})

test('D8: a retained QoS 2 message to a persistent session comes to the end of its handshake', async ({ start }) => {
  const broker = await start()
  await broker.publish({ topic: 't', payload: 'kept', qos: 2, retain: true })
  const subscriber = await broker.resume('subscriber')
  subscriber.send(subscribePacket(4, 1, [{ filter: 't', qos: 2 }]))
  await subscriber.take('suback')
  await subscriber.receive({ qos: 2, payload: 'kept' })
  await subscriber.expectNothing()
})
