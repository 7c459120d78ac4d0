import { describe, expect } from 'vitest'
import { lasting, test } from '../support/flow.ts'
import type { FlowBroker } from '../support/flow.ts'

async function isPresent(broker: FlowBroker, clientId = 'c'): Promise<boolean> {
  return (await broker.resume({ version: 5, clientId })).present
}

describe('the session expiry interval', () => {
  test('lets the session end so many seconds after the connection (MQTT-3.1.2-23)', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 2))
    await client.disconnect()
    await broker.pass(7)
    expect(await isPresent(broker)).toBe(false)
  })

  test('keeps the session until then', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 60))
    await client.disconnect()
    await broker.pass(3)
    expect(await isPresent(broker)).toBe(true)
  })

  test('of an hour is exact to some seconds', async ({ broker }) => {
    for (const clientId of ['early', 'late']) {
      await (await broker.connect(lasting({ version: 5, clientId }, 3600))).disconnect()
    }
    await broker.pass(3595)
    expect(await isPresent(broker, 'early')).toBe(true)
    await broker.pass(60)
    expect(await isPresent(broker, 'late')).toBe(false)
  })

  test('does not run while the client is connected', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 1))
    await broker.pass(4)
    await client.expectNothing()
    await client.disconnect()
    expect(await isPresent(broker)).toBe(true)
  })

  test('counts from a broken connection too', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 2))
    client.drop()
    await broker.pass(7)
    expect(await isPresent(broker)).toBe(false)
  })

  test('starts again after each connection', async ({ broker }) => {
    await (await broker.connect(lasting({ version: 5, clientId: 'c' }, 1000))).disconnect()
    await broker.pass(900)
    await (await broker.connect(lasting({ version: 5, clientId: 'c' }, 1000))).disconnect()
    await broker.pass(900)
    expect(await isPresent(broker)).toBe(true)
  })

  test('absent or 0 ends the session with the connection (section 3.1.2.11.2)', async ({ broker }) => {
    await (await broker.connect({ version: 5, clientId: 'absent', clean: false })).disconnect()
    await (await broker.connect(lasting({ version: 5, clientId: 'zero' }, 0))).disconnect()
    expect(await isPresent(broker, 'absent')).toBe(false)
    expect(await isPresent(broker, 'zero')).toBe(false)
  })

  test('may follow a clean start (section 3.1.2.4)', async ({ broker }) => {
    await (await broker.connect({ ...lasting({ version: 5, clientId: 'c' }), clean: true })).disconnect()
    expect(await isPresent(broker)).toBe(true)
  })

  test('of 0xFFFFFFFF is not shorter than what the broker announces', async ({ broker }) => {
    const client = await broker.open(5)
    client.sendConnect(lasting({ version: 5, clientId: 'c' }, 0xffffffff))
    const { properties } = await client.expect('connack', { reasonCode: 0 })
    await client.disconnect()
    await broker.pass((properties.sessionExpiryInterval ?? 100 * 365 * 86_400) - 10)
    expect(await isPresent(broker)).toBe(true)
  })

  test('ends the subscriptions and the messages with the session', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 2))
    await client.subscribe('a', 1)
    await client.disconnect()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1 })
    await broker.pass(7)
    const { client: again } = await broker.resume({ version: 5, clientId: 'c' })
    await publisher.publish('a', 'y', { qos: 1 })
    await again.expectNothing()
  })
})

describe('the session expiry interval in DISCONNECT', () => {
  test('makes the session end earlier', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 3600))
    await client.disconnect(0, { sessionExpiryInterval: 2 })
    await broker.pass(7)
    expect(await isPresent(broker)).toBe(false)
  })

  test('of 0 ends the session at once', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 3600))
    await client.disconnect(0, { sessionExpiryInterval: 0 })
    expect(await isPresent(broker)).toBe(false)
  })

  test('makes the session last longer', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 1))
    await client.disconnect(0, { sessionExpiryInterval: 60 })
    await broker.pass(7)
    expect(await isPresent(broker)).toBe(true)
  })

  test('cannot bring a session to last that was to end with the connection (MQTT-3.14.2-2)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    client.send(Buffer.from('e007 00 05 1100000e10'.replaceAll(' ', ''), 'hex'))
    await client.expectDisconnected(0x82)
    expect(await isPresent(broker)).toBe(false)
  })

  test('absent leaves the interval of CONNECT', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }, 60))
    await client.disconnect(0, {})
    await broker.pass(2)
    expect(await isPresent(broker)).toBe(true)
  })
})

describe('a session over a restart of the broker', () => {
  test.for([3, 4, 5] as const)('keeps subscriptions and messages in version %i', async (version, { start }) => {
    const broker = await start({ persistent: true })
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.subscribe(['a/#', { filter: 'b', qos: 2 }], 1)
    await client.disconnect()
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a/1', 'one', { qos: 1 })
    await publisher.publish('b', 'two', { qos: 2 })
    await broker.restart()
    const { client: again, present } = await broker.resume({ version, clientId: 'c' })
    expect(present).toBe(version >= 4)
    await again.receive({ topic: 'a/1', payload: 'one', qos: 1 })
    await again.receive({ topic: 'b', payload: 'two', qos: 2 })
    const after = await broker.connect({ version, clientId: 'publisher' })
    await after.publish('a/2', 'three', { qos: 1 })
    await again.receive({ topic: 'a/2', payload: 'three' })
  })

  test('expires as before, the time of the restart included', async ({ start }) => {
    const broker = await start({ persistent: true })
    await (await broker.connect(lasting({ version: 5, clientId: 'short' }, 3600))).disconnect()
    await (await broker.connect(lasting({ version: 5, clientId: 'long' }, 7200))).disconnect()
    await broker.pass(3000)
    await broker.restart()
    await broker.pass(1000)
    expect(await isPresent(broker, 'short')).toBe(false)
    expect(await isPresent(broker, 'long')).toBe(true)
  })

  test('of a client that was connected is kept for its interval', async ({ start }) => {
    const broker = await start({ persistent: true })
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1)
    await broker.restart()
    expect(await isPresent(broker)).toBe(true)
  })

  test('that was clean is gone', async ({ start }) => {
    const broker = await start({ persistent: true })
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1)
    await broker.restart()
    expect(await isPresent(broker)).toBe(false)
  })

  test('keeps the options and identifiers of its subscriptions', async ({ start }) => {
    const broker = await start({ persistent: true })
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe({ filter: 'a', qos: 1, retainAsPublished: true }, 1, { subscriptionIdentifiers: [77] })
    await client.subscribe({ filter: 'own', qos: 1, noLocal: true })
    await client.disconnect()
    await broker.restart()
    const { client: again } = await broker.resume({ version: 5, clientId: 'c' })
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1, retain: true })
    await again.receive({ topic: 'a', retain: true, properties: { subscriptionIdentifiers: [77] } })
    await again.publish('own', 'not to me', { qos: 1 })
    await again.expectNothing()
  })
})
