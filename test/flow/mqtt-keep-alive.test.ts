import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'
import { PINGREQ } from '../support/wire-writer.ts'

describe.each(versions)('keep alive of $name', ({ version }) => {
  test('a client that is silent for one and a half times its keep alive is closed (MQTT-3.1.2-22)', async ({
    broker,
  }) => {
    const client = await broker.connect({ version, clientId: 'silent', keepAlive: 2 })
    await broker.pass(2.5)
    expect(client.isClosed).toBe(false)
    await broker.pass(2)
    await client.expectDisconnected(0x8d)
  })

  test('a client that pings in time stays', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'pings', keepAlive: 2 })
    for (let round = 0; round < 4; round++) {
      await broker.pass(1.5)
      await client.expectNothing()
    }
  })

  test('any packet counts, not only PINGREQ', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'busy', keepAlive: 2 })
    await broker.pass(1.5)
    await client.subscribe('a', 1)
    await broker.pass(1.5)
    await client.publish('b', 'x', { qos: 1 })
    await broker.pass(1.5)
    await client.publish('b', 'x', { qos: 2 })
    await broker.pass(1.5)
    await client.unsubscribe('a')
    await client.expectNothing()
  })

  test('messages from the broker do not count (section 3.1.2.10)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'listens', keepAlive: 2 })
    await client.subscribe('a')
    const publisher = await broker.connect({ version, clientId: 'talks' })
    await broker.pass(2)
    await publisher.publish('a', 'still there?')
    await client.receive({ topic: 'a' })
    await broker.pass(2.5)
    await client.expectDisconnected(0x8d)
  })

  test('a keep alive of 0 turns it off (section 3.1.2.10)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'patient', keepAlive: 0 })
    await broker.pass(100_000)
    await client.expectNothing()
  })

  test('the longest keep alive is kept', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'patient', keepAlive: 65_535 })
    await broker.pass(98_000)
    await client.expectNothing()
  })

  test('the will of a client that fell silent is published', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    await broker.connect({ version, clientId: 'silent', keepAlive: 1, will: { topic: 'will', payload: 'gone' } })
    await broker.pass(4)
    await watcher.receive({ topic: 'will', payload: 'gone' })
  })

  test('PINGREQ is answered, each one (MQTT-3.12.4-1)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'pings' })
    client.send(PINGREQ, PINGREQ, PINGREQ)
    for (let count = 0; count < 3; count++) await client.expect('pingresp')
    await client.expectNothing()
  })
})

describe('server keep alive', () => {
  test('is announced when the client asks for more, and holds (MQTT-3.1.2-21, MQTT-3.2.2-21)', async ({ start }) => {
    const broker = await start({ limits: { keepAliveSecondsMax: 10 } })
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'long', keepAlive: 60 })
    await client.expect('connack', { reasonCode: 0, properties: { serverKeepAlive: 10 } })
    await broker.pass(14)
    await client.expectNothing()
    await broker.pass(16)
    await client.expectDisconnected(0x8d)
  })

  test('is announced when the client asks for none', async ({ start }) => {
    const broker = await start({ limits: { keepAliveSecondsMax: 10 } })
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'endless', keepAlive: 0 })
    await client.expect('connack', { reasonCode: 0, properties: { serverKeepAlive: 10 } })
  })

  test('is absent when the client keeps within the limit', async ({ start }) => {
    const broker = await start({ limits: { keepAliveSecondsMax: 10 } })
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'short', keepAlive: 10 })
    const { properties } = await client.expect('connack', { reasonCode: 0 })
    expect(properties).not.toHaveProperty('serverKeepAlive')
  })
})
