import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'
import type { FlowBroker } from '../support/flow.ts'
import type { ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { PINGREQ } from '../support/wire-writer.ts'
import type { FilterOptions } from '../support/wire-writer.ts'

/** A session of client `c` that is offline, with these subscriptions. */
async function leave(broker: FlowBroker, version: ProtocolVersion, ...filters: FilterOptions[]): Promise<void> {
  const { client } = await broker.resume({ version, clientId: 'c' })
  await client.subscribe(filters)
  await client.disconnect()
}

describe.each(versions)('messages for an offline session of $name', ({ version }) => {
  test('wait in the order of publishing, all QoS levels in one order (MQTT-4.6.0-6)', async ({ broker }) => {
    await leave(broker, version, { filter: 'a/+', qos: 2 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    const sent: string[] = []
    for (let index = 0; index < 30; index++) {
      const qos = 1 + (index % 2)
      await publisher.publish(`a/${index % 3}`, String(index), { qos })
      sent.push(`${index} ${qos}`)
    }
    const { client } = await broker.resume({ version, clientId: 'c' })
    const got = (await client.receiveMany(30)).map((packet) => `${packet.payload} ${packet.qos}`)
    expect(got).toEqual(sent)
    await client.expectNothing()
  })

  test('carry DUP 0 at their first delivery', async ({ broker }) => {
    await leave(broker, version, { filter: 'a', qos: 1 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1 })
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.receive({ dup: false })
  })

  test('carry RETAIN 0, as messages for an existing subscription do (MQTT-3.3.1-9)', async ({ broker }) => {
    await leave(broker, version, { filter: 'a', qos: 1 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1, retain: true })
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.receive({ retain: false })
    await client.expectNothing()
  })

  test('come at the lower QoS of message and subscription (MQTT-3.8.4-8)', async ({ broker }) => {
    await leave(broker, version, { filter: 'a/#', qos: 1 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a/1', 'x', { qos: 2 })
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.receive({ topic: 'a/1', qos: 1 })
  })

  test('of QoS 2 or 1 do not wait for a subscription of QoS 0', async ({ broker }) => {
    await leave(broker, version, { filter: 'a', qos: 0 }, { filter: 'mark', qos: 1 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1 })
    await publisher.publish('a', 'y', { qos: 2 })
    await publisher.publish('mark', 'end', { qos: 1 })
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.receive({ topic: 'mark' })
    await client.expectNothing()
  })

  test('come once to overlapping subscriptions', async ({ broker }) => {
    await leave(broker, version, { filter: 'a/#', qos: 1 }, { filter: 'a/b', qos: 2 }, { filter: '+/b', qos: 0 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a/b', 'x', { qos: 2 })
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.receive({ topic: 'a/b', qos: 2 })
    await client.expectNothing()
  })

  test('come before those that are published after the return (MQTT-4.6.0-6)', async ({ broker }) => {
    await leave(broker, version, { filter: 'a', qos: 1 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    for (let index = 0; index < 50; index++) await publisher.publish('a', String(index), { qos: 1 })
    const client = await broker.open(version)
    const live = async (): Promise<void> => {
      for (let index = 50; index < 100; index++) await publisher.publish('a', String(index), { qos: 1 })
    }
    client.sendConnect({ clientId: 'c', clean: false, properties: { sessionExpiryInterval: 60 } })
    const publishing = live()
    await client.expect('connack', { reasonCode: 0 })
    const got = await client.receiveMany(100)
    await publishing
    expect(got.map((packet) => Number(packet.payload))).toEqual(Array.from({ length: 100 }, (_, index) => index))
  })

  test('come after CONNACK, never before', async ({ broker }) => {
    for (let round = 0; round < 5; round++) {
      await leave(broker, version, { filter: 'a', qos: 1 })
      const publisher = await broker.connect({ version, clientId: 'publisher' })
      await publisher.publish('a', 'x', { qos: 1 })
      const { client } = await broker.resume({ version, clientId: 'c' })
      await client.receive({ topic: 'a' })
      await client.disconnect()
    }
  })

  test('with a `$` topic wait for their own filter only (MQTT-4.7.2-1)', async ({ broker }) => {
    await leave(broker, version, { filter: '#', qos: 1 }, { filter: '$own/#', qos: 1 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('$other/a', 'x', { qos: 1 })
    await publisher.publish('$own/a', 'y', { qos: 1 })
    await publisher.publish('a', 'z', { qos: 1 })
    const { client } = await broker.resume({ version, clientId: 'c' })
    expect((await client.receiveMany(2)).map((packet) => packet.topic)).toEqual(['$own/a', 'a'])
    await client.expectNothing()
  })

  test('beyond the limit are left out, the rest stays in order', async ({ start }) => {
    const broker = await start({ limits: { queuedMessagesMax: 10 } })
    await leave(broker, version, { filter: 'a', qos: 1 })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    for (let index = 0; index < 40; index++) await publisher.publish('a', String(index), { qos: 1 })
    const { client } = await broker.resume({ version, clientId: 'c' })
    const got: number[] = []
    for (let before = -1; before < got.length; ) {
      before = got.length
      client.send(PINGREQ)
      await client.take('pingresp')
      for (const packet of client.received.splice(0)) {
        got.push(Number(packet.payload))
        await client.acknowledge(packet)
      }
    }
    await publisher.publish('a', 'after', { qos: 1 })
    await client.receive({ payload: 'after' })
    expect(got.length).toBeLessThan(40)
    expect(got.length).toBeGreaterThanOrEqual(10)
    expect(got).toEqual(got.toSorted((one, other) => one - other))
  })
})
