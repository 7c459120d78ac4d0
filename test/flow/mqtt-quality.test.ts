import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'
import { publishPacket } from '../support/wire-writer.ts'

describe.each(versions)('quality of service in $name', ({ version }) => {
  test.for([0, 1, 2])('a message of QoS %i reaches a subscriber of the same QoS once', async (qos, { broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    expect(await subscriber.subscribe('a/b', qos)).toEqual([qos])
    await publisher.publish('a/b', 'hello', { qos })
    await subscriber.receive({ topic: 'a/b', payload: 'hello', qos, retain: false, dup: false })
    await subscriber.expectNothing()
  })

  const pairs = [0, 1, 2].flatMap((message) => [0, 1, 2].map((subscription) => [message, subscription] as const))
  test.for(pairs)(
    'a message of QoS %i to subscriptions of QoS %i has the lower one (MQTT-3.8.4-8)',
    async ([message, subscription], { broker }) => {
      const publisher = await broker.connect({ version, clientId: 'publisher' })
      const qos = Math.min(message, subscription)
      for (const filter of ['a/b', 'a/+', 'a/#', '#', '+/b']) {
        const subscriber = await broker.connect({ version, clientId: 'subscriber' })
        await subscriber.subscribe(filter, subscription)
        await publisher.publish('a/b', filter, { qos: message })
        await subscriber.receive({ topic: 'a/b', payload: filter, qos })
        await subscriber.expectNothing()
      }
      await publisher.publish('a/b', 'retained', { qos: message, retain: true })
      const subscriber = await broker.connect({ version, clientId: 'subscriber' })
      await subscriber.subscribe('a/+', subscription)
      await subscriber.receive({ topic: 'a/b', payload: 'retained', qos, retain: true })
    },
  )

  test('a publisher gets its own message too', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.publish('a', 'mine', { qos: 1 })
    await client.receive({ topic: 'a', payload: 'mine', qos: 1 })
  })

  test('DUP of the publisher is not passed on (MQTT-3.3.1-3)', async ({ broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1, dup: true })
    await publisher.publish('a', 'y', { qos: 2, dup: true })
    await subscriber.receive({ payload: 'x', dup: false })
    await subscriber.receive({ payload: 'y', dup: false })
  })

  test('a repeated PUBLISH of QoS 1 is acknowledged each time', async ({ broker }) => {
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1, packetId: 9 })
    await publisher.publish('a', 'x', { qos: 1, packetId: 9, dup: true })
    await publisher.expectNothing()
  })

  test('acknowledgements come in the order of the messages (MQTT-4.6.0-2, MQTT-4.6.0-3)', async ({ broker }) => {
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    const ids = [5, 1, 65_535, 3, 2, 40]
    publisher.send(...ids.map((packetId) => publishPacket(version, { topic: 'a', qos: 1, packetId })))
    for (const packetId of ids) await publisher.expect('puback', { packetId })
    publisher.send(...ids.map((packetId) => publishPacket(version, { topic: 'a', qos: 2, packetId })))
    for (const packetId of ids) await publisher.expect('pubrec', { packetId })
  })

  test('messages of one chunk keep their order, retained or not, and none is lost (MQTT-4.6.0-6)', async ({
    broker,
  }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a/#', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    const packets = Array.from({ length: 60 }, (_, index) =>
      publishPacket(version, {
        topic: `a/${index % 4}`,
        payload: String(index),
        qos: index % 2,
        retain: index % 3 === 0,
        packetId: index + 1,
      }),
    )
    publisher.send(...packets)
    const got = await subscriber.receiveMany(60)
    for (const qos of [0, 1]) {
      const numbers = got.filter((packet) => packet.qos === qos).map((packet) => Number(packet.payload))
      expect(numbers).toEqual(Array.from({ length: 30 }, (_, index) => 2 * index + qos))
    }
    await subscriber.expectNothing()
  })

  test('packet ids in flight to one subscriber are all different (MQTT-2.2.1-3)', async ({ broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe(['a', 'b'], 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    const ids = new Set<number>()
    for (let index = 0; index < 18; index++) {
      await publisher.publish(index % 2 ? 'a' : 'b', 'x', { qos: 1 + (index % 2) })
      ids.add((await subscriber.expect('publish')).packetId)
    }
    expect(ids.size).toBe(18)
  })

  test('packet ids of the two directions do not disturb each other', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'to the client', { qos: 2 })
    const { packetId } = await client.expect('publish', { qos: 2 })
    await client.publish('b', 'from the client', { qos: 2, packetId })
    client.sendAck('pubrec', packetId)
    await client.expect('pubrel', { packetId })
    client.sendAck('pubcomp', packetId)
    await client.expectNothing()
  })

  test('PUBACK and PUBCOMP for ids that are not in flight change nothing', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    client.sendAck('puback', 4711).sendAck('pubcomp', 4712)
    await client.expectNothing()
  })

  test('an acknowledgement twice changes nothing', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.publish('a', 'x', { qos: 1 })
    const { packetId } = await client.take('publish')
    client.sendAck('puback', packetId).sendAck('puback', packetId)
    await client.expectNothing()
    await client.publish('a', 'y', { qos: 1 })
    await client.receive({ payload: 'y' })
  })

  test('an empty payload and one of a megabyte arrive as they were sent', async ({ broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    const large = Buffer.alloc(1_000_000, 'sluice')
    for (const qos of [0, 1, 2]) {
      await publisher.publish('a', '', { qos })
      await publisher.publish('a', large, { qos })
      await subscriber.receive({ payload: '', qos })
      const { payloadBytes } = await subscriber.receive({ qos })
      expect(payloadBytes.equals(large)).toBe(true)
    }
  })
})

describe('without a subscriber', () => {
  test('a publisher of version 5 is told so (section 3.4.2.1)', async ({ broker }) => {
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    expect((await publisher.publish('nobody', 'x', { qos: 1 })).reasonCode).toBe(0x10)
    expect((await publisher.publish('nobody', 'x', { qos: 2 })).reasonCode).toBe(0x10)
    await publisher.subscribe('nobody')
    expect((await publisher.publish('nobody', 'x', { qos: 1 })).reasonCode).toBe(0)
  })

  test.for([3, 4] as const)('a publisher of version %i is just acknowledged', async (version, { broker }) => {
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    expect((await publisher.publish('nobody', 'x', { qos: 1 })).size).toBe(4)
    expect((await publisher.publish('nobody', 'x', { qos: 2 })).size).toBe(4)
  })
})
