import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'

describe.each(versions)('a connection of $name', ({ version }) => {
  test('over a duplex in memory is one like any other', async ({ broker }) => {
    const client = broker.openInMemory(version)
    client.sendConnect({ clientId: 'memory' })
    await client.expect('connack', { reasonCode: 0 })
    await client.subscribe('a', 2)
    const other = await broker.connect({ version, clientId: 'socket' })
    for (const qos of [0, 1, 2]) {
      await other.publish('a', `of ${qos}`, { qos })
      await client.receive({ payload: `of ${qos}`, qos })
    }
    await client.publish('b', 'x', { qos: 2 })
    await client.disconnect()
    expect(client.received).toEqual([])
  })

  test('that ends in memory publishes its will', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = broker.openInMemory(version)
    client.sendConnect({ clientId: 'memory', will: { topic: 'will', payload: 'gone' } })
    await client.expect('connack', { reasonCode: 0 })
    client.halfClose()
    await watcher.receive({ payload: 'gone' })
  })

  test('whose client does not read holds up nobody else', async ({ start }) => {
    const broker = await start({ limits: { outboxBytesMax: 1_000_000 } })
    const slow = await broker.connect({ version, clientId: 'slow' })
    await slow.subscribe('a', 0)
    slow.stopReading()
    const other = await broker.connect({ version, clientId: 'other' })
    await other.subscribe('a', 0)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    const payload = Buffer.alloc(100_000, 'x')
    for (let index = 0; index < 200; index++) {
      await publisher.publish('a', payload)
      await other.receive({ topic: 'a' })
    }
    await publisher.expectNothing()
    slow.goOnReading()
    slow.send(Buffer.from([0xc0, 0]))
    await slow.take('pingresp')
    // 20 MB were published; what fits in the buffers of two sockets and one outbox is much less.
    expect(slow.received.length).toBeGreaterThan(0)
    expect(slow.received.length).toBeLessThan(200)
  })

  test('whose client did not read for a while gets all of QoS 1 in order afterwards', async ({ start }) => {
    const broker = await start({ limits: { outboxBytesMax: 1_000_000 } })
    const slow = await broker.connect({ version, clientId: 'slow' })
    await slow.subscribe('a', 1)
    slow.stopReading()
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    const padding = 'x'.repeat(50_000)
    for (let index = 0; index < 200; index++) await publisher.publish('a', `${index} ${padding}`, { qos: 1 })
    slow.goOnReading()
    const got = (await slow.receiveMany(200)).map((packet) => Number.parseInt(packet.payload, 10))
    expect(got).toEqual(Array.from({ length: 200 }, (_, index) => index))
    await slow.expectNothing()
  })
})
