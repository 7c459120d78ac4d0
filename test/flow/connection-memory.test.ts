import { expect } from 'vitest'
import { test } from '../support/faulty-world.ts'
import { PINGREQ, publishPacket } from '../support/wire-writer.ts'

const limits = { connectionMemoryBytesMax: 64 * 1024 }
const half = publishPacket(5, { topic: 'a', payload: Buffer.alloc(50_000), qos: 1, packetId: 1 })

test('packets of which only a part has come cannot fill memory together', async ({ start }) => {
  const world = await start({ limits })
  const { connectionMemory } = world.broker
  const first = await world.connect({ version: 5, clientId: 'first' })
  first.send(half.subarray(0, 40_000))
  await world.until(() => connectionMemory.bytes >= 40_000)
  const second = await world.connect({ version: 5, clientId: 'second' })
  second.send(half.subarray(0, 40_000))
  await second.expect('disconnect', { reasonCode: 0x97 })
  await second.expectClosed()
  const third = await world.connect({ version: 5, clientId: 'third' })
  third.send(half.subarray(0, 2000))
  first.send(half.subarray(40_000))
  await first.expect('puback', { packetId: 1 })
  third.send(half.subarray(2000))
  await third.expect('puback', { packetId: 1 })
  expect(connectionMemory.bytes).toBe(0)
})

test('a connection that ends in the middle of a packet leaves no memory behind', async ({ start }) => {
  const world = await start({ limits })
  const client = await world.connect({ version: 5, clientId: 'c' })
  client.send(half.subarray(0, 40_000))
  await world.until(() => world.broker.connectionMemory.bytes >= 40_000)
  client.drop()
  await world.until(() => world.broker.connectedClients === 0)
  expect(world.broker.connectionMemory.bytes).toBe(0)
})

test('clients that do not read share one memory, and those who do miss nothing', async ({ start }) => {
  const world = await start({ limits })
  const slow = [await world.connectInMemory({ clientId: 's0' }), await world.connectInMemory({ clientId: 's1' })]
  const good = await world.connectInMemory({ clientId: 'good' })
  for (const client of [...slow, good]) await client.subscribe('a')
  for (const client of slow) client.stopReading()
  const publisher = await world.connect({ clientId: 'publisher' })
  for (let index = 0; index < 20; index++) {
    await publisher.publish('a', Buffer.alloc(8000, index), { qos: 1 })
    await good.receive({ topic: 'a' })
  }
  const { counters, connectionMemory } = world.broker
  expect(counters.publishDropped).toBeGreaterThan(20)
  expect(connectionMemory.bytes).toBeLessThan(64 * 1024 + 3 * 8100)
  for (const client of slow) client.goOnReading()
  await world.until(() => connectionMemory.bytes === 0)
  await publisher.publish('a', 'last', { qos: 1 })
  for (const client of slow) await world.until(() => client.received.at(-1)?.payload === 'last')
})

test('a client that asks and never reads the answers is not read either, until it does', async ({ start }) => {
  const world = await start({ limits: { outboxBytesMax: 16 * 1024 } })
  const { counters } = world.broker
  const client = await world.connectInMemory({ clientId: 'c' })
  client.stopReading()
  const asked = 200_000
  client.send(...Array.from({ length: 100 }, () => Buffer.concat(Array.from({ length: asked / 100 }, () => PINGREQ))))
  let before = -1
  await world.until(() => {
    const stands = counters.packetsReceived === before
    before = counters.packetsReceived
    return stands && before > 1000
  })
  expect(counters.packetsReceived).toBeLessThan(asked / 2)
  client.goOnReading()
  await world.until(() => counters.packetsReceived >= asked)
  await world.until(() => client.received.length >= asked)
})
