import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'

describe.each(versions)('the session of $name', ({ version }) => {
  test('is new at first and present afterwards (MQTT-3.2.2-3)', async ({ broker }) => {
    const first = await broker.resume({ version, clientId: 'c' })
    expect(first.present).toBe(false)
    await first.client.disconnect()
    const second = await broker.resume({ version, clientId: 'c' })
    // MQTT 3.1 has no Session Present.
    expect(second.present).toBe(version >= 4)
  })

  test('keeps its subscriptions (MQTT-3.1.2-4)', async ({ broker }) => {
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.subscribe(['a/+', { filter: 'b', qos: 2 }], 1)
    await client.disconnect()
    const again = await broker.resume({ version, clientId: 'c' })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a/x', '1', { qos: 1 })
    await publisher.publish('b', '2', { qos: 2 })
    await again.client.receive({ topic: 'a/x', qos: 1 })
    await again.client.receive({ topic: 'b', qos: 2 })
    await again.client.expectNothing()
  })

  test('is kept when the connection breaks without DISCONNECT', async ({ broker }) => {
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.subscribe('a', 1)
    client.drop()
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'meanwhile', { qos: 1 })
    const again = await broker.resume({ version, clientId: 'c' })
    await again.client.receive({ topic: 'a', payload: 'meanwhile' })
  })

  test('is discarded by a clean start (MQTT-3.1.2-4, MQTT-3.1.2-6)', async ({ broker }) => {
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.disconnect()
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'for the old session', { qos: 1 })

    const clean = await broker.open(version)
    clean.sendConnect({ clientId: 'c', clean: true })
    await clean.expect('connack', { reasonCode: 0, sessionPresent: false })
    await publisher.publish('a', 'for nobody', { qos: 1 })
    await clean.expectNothing()
    await clean.disconnect()

    const again = await broker.resume({ version, clientId: 'c' })
    expect(again.present).toBe(false)
    await again.client.expectNothing()
  })

  test('ends with a clean connection', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c', clean: true })
    await client.subscribe('a', 1)
    await client.disconnect()
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'nobody there', { qos: 1 })
    const { client: again, present } = await broker.resume({ version, clientId: 'c' })
    expect(present).toBe(false)
    await again.expectNothing()
  })

  test('does not count what was unsubscribed', async ({ broker }) => {
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.subscribe(['a/#', 'a/b', 'k/#', 'k/b'], 1)
    await client.unsubscribe('a/#', 'k/b')
    await client.disconnect()
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    for (const topic of ['a/b', 'a/c', 'k/b', 'k/c']) await publisher.publish(topic, 'x', { qos: 1 })
    const again = await broker.resume({ version, clientId: 'c' })
    const topics = (await again.client.receiveMany(3)).map((packet) => packet.topic)
    expect(topics).toEqual(['a/b', 'k/b', 'k/c'])
    await again.client.expectNothing()
  })

  test('belongs to one client identifier', async ({ broker }) => {
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.disconnect()
    const other = await broker.resume({ version, clientId: 'd' })
    expect(other.present).toBe(false)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'for c', { qos: 1 })
    await other.client.expectNothing()
  })
})

describe('taking over a connection', () => {
  for (const { version, name } of versions) {
    test(`closes the old one of ${name} (MQTT-3.1.4-2, MQTT-3.1.4-3)`, async ({ broker }) => {
      const old = await broker.connect({ version, clientId: 'c' })
      const young = await broker.connect({ version, clientId: 'c' })
      await old.expectDisconnected(0x8e)
      await young.expectNothing()
    })

    test(`passes the session of ${name} on with what was not acknowledged`, async ({ broker }) => {
      const { client: old } = await broker.resume({ version, clientId: 'c' })
      await old.subscribe('a', 1)
      const publisher = await broker.connect({ version, clientId: 'publisher' })
      await publisher.publish('a', '1', { qos: 1 })
      const { packetId } = await old.expect('publish', { payload: '1', dup: false })

      const { client: young } = await broker.resume({ version, clientId: 'c' })
      await young.receive({ payload: '1', dup: true, packetId })
      await old.expectDisconnected(0x8e)
      await publisher.publish('a', '2', { qos: 1 })
      await young.receive({ payload: '2', dup: false })
    })

    test(`many times in a row leaves the last one of ${name}`, async ({ broker }) => {
      const watcher = await broker.connect({ version, clientId: 'publisher' })
      const clients = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const client = await broker.open(version)
          client.sendConnect({ clientId: 'c', clean: false })
          return client
        }),
      )
      // One that is taken over before its session is ready may be closed without a CONNACK.
      await Promise.all(clients.map((client) => client.take('connack', { reasonCode: 0 }).catch(() => client.end())))
      const last = await broker.connect({ version, clientId: 'c' })
      for (const client of clients) await client.end()
      await last.subscribe('a')
      await watcher.publish('a', 'x')
      await last.receive({ topic: 'a' })
      await last.expectNothing()
    })
  }

  test('works between versions', async ({ broker }) => {
    const five = await broker.connect({ version: 5, clientId: 'c' })
    const four = await broker.connect({ version: 4, clientId: 'c' })
    await five.expectDisconnected(0x8e)
    const three = await broker.connect({ version: 3, clientId: 'c' })
    await four.expectClosed()
    await three.expectNothing()
  })
})

describe('a session that changes its version', () => {
  test('is resumed by 5.0 after 3.1.1 with subscriptions and messages', async ({ broker }) => {
    const { client } = await broker.resume({ version: 4, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.disconnect()
    const publisher = await broker.connect({ version: 4, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1 })
    const { client: again, present } = await broker.resume({ version: 5, clientId: 'c' })
    expect(present).toBe(true)
    await again.receive({ topic: 'a', payload: 'x', qos: 1 })
  })

  test('is resumed by 3.1.1 after 5.0, with properties left out', async ({ broker }) => {
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1, { subscriptionIdentifiers: [7] })
    await client.disconnect()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1, properties: { contentType: 'text' } })
    const { client: again, present } = await broker.resume({ version: 4, clientId: 'c' })
    expect(present).toBe(true)
    await again.receive({ topic: 'a', payload: 'x', qos: 1 })
  })
})
