import { describe, expect } from 'vitest'
import { lasting, test } from '../support/flow.ts'
import type { FlowBroker } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'

async function narrow(broker: FlowBroker, receiveMaximum: number): Promise<RawClient> {
  return broker.connect({ version: 5, clientId: 'narrow', properties: { receiveMaximum } })
}

async function publishMany(broker: FlowBroker, count: number, qos: number, topic = 'a'): Promise<void> {
  const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
  for (let index = 0; index < count; index++) await publisher.publish(topic, String(index), { qos })
}

describe('the receive maximum of a client', () => {
  test.for([1, 2])('is never exceeded by messages of QoS %i (MQTT-3.3.4-9)', async (qos, { broker }) => {
    const client = await narrow(broker, 3)
    await client.subscribe('a', qos)
    await publishMany(broker, 8, qos)
    const first = [await client.expect('publish'), await client.expect('publish'), await client.expect('publish')]
    await client.expectNothing()
    for (const [index, packet] of first.entries()) {
      await client.acknowledge(packet)
      await client.expect('publish', { payload: String(index + 3) })
      await client.expectNothing()
    }
  })

  test('of 1 makes it one message after the other, in order', async ({ broker }) => {
    const client = await narrow(broker, 1)
    await client.subscribe('a', 2)
    await publishMany(broker, 10, 2)
    const got = (await client.receiveMany(10)).map((packet) => Number(packet.payload))
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    await client.expectNothing()
  })

  test('does not hold back QoS 0 (MQTT-3.3.4-7)', async ({ broker }) => {
    const client = await narrow(broker, 1)
    await client.subscribe(['a', { filter: 'b', qos: 0 }], 1)
    await publishMany(broker, 2, 1)
    await client.expect('publish', { topic: 'a', payload: '0' })
    await publishMany(broker, 3, 0, 'b')
    for (const payload of ['0', '1', '2']) await client.expect('publish', { topic: 'b', payload })
    await client.expectNothing()
  })

  test('is freed by a refusing PUBREC, and not by an accepting one (section 4.9)', async ({ broker }) => {
    const client = await narrow(broker, 1)
    await client.subscribe('a', 2)
    await publishMany(broker, 3, 2)
    const zero = await client.expect('publish', { payload: '0' })
    client.sendAck('pubrec', zero.packetId)
    await client.expect('pubrel', { packetId: zero.packetId })
    await client.expectNothing()
    client.sendAck('pubcomp', zero.packetId)
    const one = await client.expect('publish', { payload: '1' })
    client.sendAck('pubrec', one.packetId, 0x87)
    await client.expect('publish', { payload: '2' })
  })

  test('holds for what is redelivered after a reconnect with a smaller one', async ({ broker }) => {
    const client = await broker.connect({ ...lasting({ version: 5, clientId: 'narrow' }) })
    await client.subscribe('a', 1)
    await publishMany(broker, 6, 1)
    for (let index = 0; index < 6; index++) await client.expect('publish', { payload: String(index) })
    client.drop()
    const again = await broker.connect(
      lasting({ version: 5, clientId: 'narrow', properties: { sessionExpiryInterval: 60, receiveMaximum: 2 } }),
    )
    const first = await again.expect('publish', { payload: '0', dup: true })
    await again.expect('publish', { payload: '1', dup: true })
    await again.expectNothing()
    await again.acknowledge(first)
    await again.expect('publish', { payload: '2', dup: true })
    await again.expectNothing()
  })

  test('holds for retained messages and for the queue of an offline session', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'narrow', properties: { receiveMaximum: 2 } }))
    await client.subscribe('a', 1)
    await client.disconnect()
    await publishMany(broker, 5, 1)
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    for (const topic of ['r/1', 'r/2', 'r/3']) await publisher.publish(topic, 'x', { qos: 1, retain: true })
    const again = await broker.connect(
      lasting({ version: 5, clientId: 'narrow', properties: { receiveMaximum: 2, sessionExpiryInterval: 60 } }),
    )
    const first = await again.expect('publish')
    await again.expect('publish')
    await again.expectNothing()
    await again.subscribe('r/+', 1)
    await again.expectNothing()
    await again.acknowledge(first)
    await again.expect('publish')
    await again.expectNothing()
  })
})

describe('the window of clients below version 5', () => {
  test.for([3, 4] as const)('of version %i is the configured one', async (version, { start }) => {
    const broker = await start({ limits: { inflightMessagesMax: 4 } })
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a', 1)
    await publishMany(broker, 6, 1)
    for (let index = 0; index < 4; index++) await client.expect('publish', { payload: String(index) })
    await client.expectNothing()
  })
})

describe('the receive maximum of the broker', () => {
  test('is announced, and so many messages may be unfinished', async ({ start }) => {
    const broker = await start({ limits: { inflightMessagesMax: 5 } })
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'c' })
    await client.expect('connack', { reasonCode: 0, properties: { receiveMaximum: 5 } })
    for (let packetId = 1; packetId <= 5; packetId++) {
      client.sendPublish({ topic: 'a', qos: 2, packetId })
      await client.expect('pubrec', { packetId })
    }
    client.sendAck('pubrel', 1)
    await client.expect('pubcomp', { packetId: 1 })
    client.sendPublish({ topic: 'a', qos: 2, packetId: 6 })
    await client.expect('pubrec', { packetId: 6 })
    await client.expectNothing()
  })

  test('exceeded ends the connection with 0x93 (MQTT-3.3.4-8)', async ({ start }) => {
    const broker = await start({ limits: { inflightMessagesMax: 5 } })
    const client = await broker.connect({ version: 5, clientId: 'c' })
    for (let packetId = 1; packetId <= 5; packetId++) {
      client.sendPublish({ topic: 'a', qos: 2, packetId })
      await client.expect('pubrec', { packetId })
    }
    client.sendPublish({ topic: 'a', qos: 2, packetId: 6 })
    await client.expectDisconnected(0x93)
  })

  test('is not counted twice by a repeated PUBLISH of one packet id', async ({ start }) => {
    const broker = await start({ limits: { inflightMessagesMax: 2 } })
    const client = await broker.connect({ version: 5, clientId: 'c' })
    for (let round = 0; round < 5; round++) {
      client.sendPublish({ topic: 'a', qos: 2, packetId: 1, dup: round > 0 })
      await client.expect('pubrec', { packetId: 1 })
    }
    await client.publish('a', 'x', { qos: 2, packetId: 2 })
  })

  test('is not used up by what is acknowledged', async ({ start }) => {
    const broker = await start({ limits: { inflightMessagesMax: 2 } })
    const client = await broker.connect({ version: 5, clientId: 'c' })
    for (let index = 0; index < 10; index++) await client.publish('a', 'x', { qos: 1 + (index % 2) })
    await client.expectNothing()
  })
})
