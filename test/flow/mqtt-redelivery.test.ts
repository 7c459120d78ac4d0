import { describe, expect } from 'vitest'
import type { ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { test, versions } from '../support/flow.ts'
import type { FlowBroker } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'

async function subscribed(
  broker: FlowBroker,
  version: ProtocolVersion,
  qos: number,
): Promise<{ subscriber: RawClient; publisher: RawClient }> {
  const { client: subscriber } = await broker.resume({ version, clientId: 'c' })
  await subscriber.subscribe('a', qos)
  const publisher = await broker.connect({ version, clientId: 'publisher' })
  return { subscriber, publisher }
}

async function back(broker: FlowBroker, version: ProtocolVersion): Promise<RawClient> {
  return (await broker.resume({ version, clientId: 'c' })).client
}

describe.each(versions)('after a reconnect of $name', ({ version }) => {
  test('what was not acknowledged comes again, in order, with DUP and its packet id (MQTT-4.4.0-1)', async ({
    broker,
  }) => {
    const { subscriber, publisher } = await subscribed(broker, version, 2)
    const first: { payload: string; packetId: number }[] = []
    for (let index = 0; index < 10; index++) {
      await publisher.publish('a', String(index), { qos: 1 + (index % 2) })
      const { payload, packetId } = await subscriber.expect('publish', { dup: false })
      first.push({ payload, packetId })
    }
    subscriber.drop()
    const again = await back(broker, version)
    for (const { payload, packetId } of first) await again.expect('publish', { payload, packetId, dup: true })
    await again.expectNothing()
  })

  test('what was acknowledged does not come again, whatever the order of the acknowledgements', async ({ broker }) => {
    const { subscriber, publisher } = await subscribed(broker, version, 1)
    const ids: number[] = []
    for (let index = 0; index < 6; index++) {
      await publisher.publish('a', String(index), { qos: 1 })
      ids.push((await subscriber.expect('publish')).packetId)
    }
    for (const index of [4, 0, 2]) subscriber.sendAck('puback', ids[index] ?? 0)
    await subscriber.expectNothing()
    subscriber.drop()
    const again = await back(broker, version)
    for (const index of [1, 3, 5]) {
      await again.receive({ payload: String(index), packetId: ids[index] ?? 0, dup: true })
    }
    await again.expectNothing()
  })

  test('a message of QoS 2 that was received goes on with PUBREL (MQTT-4.4.0-1)', async ({ broker }) => {
    const { subscriber, publisher } = await subscribed(broker, version, 2)
    await publisher.publish('a', 'x', { qos: 2 })
    const { packetId } = await subscriber.expect('publish', { qos: 2 })
    subscriber.sendAck('pubrec', packetId)
    await subscriber.expect('pubrel', { packetId })
    subscriber.drop()
    const again = await back(broker, version)
    await again.expect('pubrel', { packetId })
    again.sendAck('pubcomp', packetId)
    await again.expectNothing()
    again.drop()
    await (await back(broker, version)).expectNothing()
  })

  test('PUBREC for a redelivered message completes it', async ({ broker }) => {
    const { subscriber, publisher } = await subscribed(broker, version, 2)
    await publisher.publish('a', 'x', { qos: 2 })
    const { packetId } = await subscriber.expect('publish', { qos: 2, dup: false })
    subscriber.drop()
    const again = await back(broker, version)
    await again.receive({ packetId, dup: true, qos: 2 })
    await again.expectNothing()
  })

  test('redelivered messages come before queued and before live ones', async ({ broker }) => {
    const { subscriber, publisher } = await subscribed(broker, version, 1)
    await publisher.publish('a', 'sent', { qos: 1 })
    await subscriber.expect('publish', { payload: 'sent' })
    subscriber.drop()
    await publisher.publish('a', 'queued', { qos: 1 })
    const again = await back(broker, version)
    await publisher.publish('a', 'live', { qos: 1 })
    await again.receive({ payload: 'sent', dup: true })
    await again.receive({ payload: 'queued' })
    await again.receive({ payload: 'live', dup: false })
  })

  test('a new message never takes a packet id that is still in flight (MQTT-2.2.1-3)', async ({ broker }) => {
    const { subscriber, publisher } = await subscribed(broker, version, 1)
    const ids = new Set<number>()
    for (let index = 0; index < 5; index++) {
      await publisher.publish('a', `old ${index}`, { qos: 1 })
      ids.add((await subscriber.expect('publish')).packetId)
    }
    subscriber.drop()
    const again = await back(broker, version)
    for (const packetId of ids) await again.expect('publish', { packetId, dup: true })
    for (let index = 0; index < 5; index++) {
      await publisher.publish('a', `new ${index}`, { qos: 1 })
      ids.add((await again.expect('publish', { payload: `new ${index}` })).packetId)
    }
    expect(ids.size).toBe(10)
  })

  test('nothing is redelivered while the connection lasts (MQTT-4.4.0-1)', async ({ broker }) => {
    const { subscriber, publisher } = await subscribed(broker, version, 1)
    await publisher.publish('a', 'x', { qos: 1 })
    await subscriber.expect('publish')
    await broker.pass(6)
    await subscriber.expectNothing()
  })
})

describe.each(versions)('after a restart of the broker with $name', ({ version }) => {
  test('what was in flight comes again with its packet id, before what is queued', async ({ start }) => {
    const broker = await start({ persistent: true })
    const { subscriber, publisher } = await subscribed(broker, version, 2)
    await publisher.publish('a', 'one', { qos: 1 })
    const one = await subscriber.expect('publish', { payload: 'one' })
    await publisher.publish('a', 'two', { qos: 2 })
    const two = await subscriber.expect('publish', { payload: 'two' })
    await publisher.publish('a', 'three', { qos: 2 })
    const three = await subscriber.expect('publish', { payload: 'three' })
    subscriber.sendAck('pubrec', three.packetId)
    await subscriber.expect('pubrel', { packetId: three.packetId })
    subscriber.drop()
    await publisher.publish('a', 'four', { qos: 1 })
    await broker.restart()
    const again = await back(broker, version)
    // The order among PUBREL and PUBLISH is free, that of the PUBLISH packets is not.
    await again.take('pubrel', { packetId: three.packetId })
    again.sendAck('pubcomp', three.packetId)
    await again.receive({ payload: 'one', packetId: one.packetId, dup: true })
    await again.receive({ payload: 'two', packetId: two.packetId, dup: true })
    await again.receive({ payload: 'four' })
    await again.expectNothing()
  })

  test('new packet ids do not collide with those of before', async ({ start }) => {
    const broker = await start({ persistent: true })
    const { subscriber, publisher } = await subscribed(broker, version, 1)
    const ids = new Set<number>()
    for (let index = 0; index < 4; index++) {
      await publisher.publish('a', `old ${index}`, { qos: 1 })
      ids.add((await subscriber.expect('publish')).packetId)
    }
    await broker.restart()
    const again = await back(broker, version)
    for (const packetId of ids) await again.expect('publish', { packetId })
    const young = await broker.connect({ version, clientId: 'publisher' })
    for (let index = 0; index < 4; index++) {
      await young.publish('a', `new ${index}`, { qos: 1 })
      ids.add((await again.expect('publish', { payload: `new ${index}` })).packetId)
    }
    expect(ids.size).toBe(8)
  })

  test('what was acknowledged stays away', async ({ start }) => {
    const broker = await start({ persistent: true })
    const { subscriber, publisher } = await subscribed(broker, version, 2)
    for (const qos of [1, 2]) {
      await publisher.publish('a', 'done', { qos })
      await subscriber.receive({ payload: 'done' })
    }
    await subscriber.expectNothing()
    await broker.restart()
    const again = await back(broker, version)
    await again.expectNothing()
  })
})
