import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'
import { publishPacket } from '../support/wire-writer.ts'

/** A PUBLISH of QoS 1 that has exactly so many bytes. */
function packetOf(size: number, version: 3 | 4 | 5, packetId = 1): Buffer {
  const fixed = publishPacket(version, { topic: 'a', qos: 1, packetId }).length + (size > 129 ? 1 : 0)
  const packet = publishPacket(version, { topic: 'a', qos: 1, packetId, payload: Buffer.alloc(size - fixed, 'x') })
  expect(packet).toHaveLength(size)
  return packet
}

describe.each(versions)('the maximum packet size of the broker in $name', ({ version }) => {
  test('lets a packet of that size through', async ({ start }) => {
    const broker = await start({ limits: { packetBytesMax: 1000 } })
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(packetOf(1000, version, 7))
    await client.expect('puback', { packetId: 7 })
  })

  test('exceeded by one byte ends the connection (MQTT-3.2.2-15)', async ({ start }) => {
    const broker = await start({ limits: { packetBytesMax: 1000 } })
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(packetOf(1001, version))
    await client.expectDisconnected(0x95)
  })

  test('is known from the fixed header: the rest need not arrive', async ({ start }) => {
    const broker = await start({ limits: { packetBytesMax: 1000 } })
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(Buffer.from('30ffffff7f', 'hex'))
    await client.expectDisconnected(0x95)
  })
})

describe('the maximum packet size of the broker', () => {
  test('is announced in version 5 (section 3.2.2.3.6)', async ({ start }) => {
    const broker = await start({ limits: { packetBytesMax: 1000 } })
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'c' })
    await client.expect('connack', { properties: { maximumPacketSize: 1000 } })
  })
})

describe('the maximum packet size of a client', () => {
  test('lets a message of just that size through, a larger one is left out (MQTT-3.1.2-24, MQTT-3.1.2-25)', async ({
    broker,
  }) => {
    const client = await broker.connect({ version: 5, clientId: 'small', properties: { maximumPacketSize: 100 } })
    const large = await broker.connect({ version: 5, clientId: 'large' })
    for (const subscriber of [client, large]) await subscriber.subscribe('a', 1)
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    publisher.send(packetOf(101, 5, 1), packetOf(100, 5, 2))
    await publisher.take('puback', { packetId: 1 })
    await publisher.take('puback', { packetId: 2 })
    await client.receive({ size: 100 })
    await client.expectNothing()
    await large.receive({ size: 101 })
    await large.receive({ size: 100 })
  })

  test.for([0, 1, 2])(
    'leaves out a message of QoS %i as if it were delivered (MQTT-3.1.2-25)',
    async (qos, { broker }) => {
      const properties = { maximumPacketSize: 100, receiveMaximum: 1 }
      const client = await broker.connect({ version: 5, clientId: 'small', properties })
      await client.subscribe('a', qos)
      const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
      for (let index = 0; index < 5; index++) {
        await publisher.publish('a', 'x'.repeat(200), { qos })
        await publisher.publish('a', String(index), { qos })
        await client.receive({ payload: String(index) })
      }
      await client.expectNothing()
    },
  )

  test('holds for retained messages and for queued ones', async ({ broker }) => {
    const properties = { maximumPacketSize: 100, sessionExpiryInterval: 60 }
    const { client } = await broker.resume({ version: 5, clientId: 'small', properties })
    await client.subscribe('a', 1)
    await client.disconnect()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'x'.repeat(200), { qos: 1, retain: true })
    await publisher.publish('b', 'x'.repeat(200), { qos: 1, retain: true })
    await publisher.publish('a', 'short', { qos: 1 })
    const { client: again } = await broker.resume({ version: 5, clientId: 'small', properties })
    await again.receive({ payload: 'short' })
    await again.subscribe('b', 1)
    await again.expectNothing()
  })

  test('is told by the reason string left out, not by a larger packet (MQTT-3.4.2-2)', async ({ start }) => {
    const broker = await start({ denyPublish: 'secret/#' })
    const client = await broker.connect({ version: 5, clientId: 'small', properties: { maximumPacketSize: 40 } })
    const { size } = await client.publish('secret/a', 'x', { qos: 1 })
    expect(size).toBeLessThanOrEqual(40)
  })
})
