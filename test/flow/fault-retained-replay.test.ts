import { expect } from 'vitest'
import { lasting } from '../support/flow.ts'
import { test, type World } from '../support/faulty-world.ts'
import type { RawClient } from '../support/raw-client.ts'
import { PINGREQ, subscribePacket } from '../support/wire-writer.ts'

const TOPICS = Array.from({ length: 10 }, (_, index) => `r/${index}`)
const limits = { outboxBytesMax: 16 * 1024 }

async function retain(world: World, payload: Buffer | string = Buffer.alloc(8000)): Promise<RawClient> {
  const publisher = await world.connect({ clientId: 'publisher' })
  for (const topic of TOPICS) await publisher.publish(topic, payload, { qos: 1, retain: true })
  return publisher
}

/** Asks for everything that is retained and reads nothing. */
async function deaf(world: World, asks: number): Promise<RawClient> {
  const client = await world.connectInMemory(lasting({ version: 5, clientId: 'deaf' }))
  client.stopReading()
  const before = world.broker.counters.packetsReceived
  for (let packetId = 1; packetId <= asks; packetId++) {
    client.send(subscribePacket(5, packetId, [{ filter: 'r/+', qos: 0 }], {}))
  }
  await world.until(() => world.broker.counters.packetsReceived > before)
  return client
}

test('a client that asks for what is retained again and again, and never reads, is not heard until it does', async ({
  start,
}) => {
  const world = await start({ limits })
  const { counters, connectionMemory } = world.broker
  await retain(world)
  const before = counters.packetsReceived
  const client = await deaf(world, 21)
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(counters.packetsReceived - before).toBeLessThan(5)
  client.goOnReading()
  await world.until(() => client.received.filter(({ type }) => type === 'suback').length === 21)
  await world.until(() => client.received.filter(({ type }) => type === 'publish').length === 210)
  expect(counters.publishDropped).toBe(0)
  await world.until(() => connectionMemory.bytes === 0)
})

test('what is retained waits for room by its topic, so that the client gets what is retained then', async ({
  start,
}) => {
  const world = await start({ limits })
  const publisher = await retain(world, Buffer.alloc(12_000, 'old'))
  const client = await deaf(world, 1)
  await publisher.publish('r/8', 'new', { qos: 1, retain: true })
  await publisher.publish('r/9', '', { qos: 1, retain: true })
  client.goOnReading()
  await world.until(() => client.received.some(({ topic, retain: kept }) => topic === 'r/8' && kept))
  client.send(PINGREQ)
  await world.until(() => client.received.some(({ type }) => type === 'pingresp'))
  const seen = client.received.filter((packet) => packet.type === 'publish' && packet.retain)
  expect(seen.filter(({ topic }) => topic === 'r/8').map(({ payload }) => payload)).toEqual(['new'])
  expect(seen.map(({ topic }) => topic)).toEqual(expect.arrayContaining(TOPICS.slice(0, 8)))
  expect(seen).toHaveLength(9)
})

test('what a connection did not get of the retained messages does not come on the next one', async ({ start }) => {
  const world = await start({ limits })
  await retain(world)
  await deaf(world, 1)
  const again = await world.connectInMemory(lasting({ version: 5, clientId: 'deaf' }))
  await again.expectNothing()
  expect(world.broker.connectionMemory.bytes).toBe(0)
})

test('retained messages beyond the outbox all come where the socket takes each part of them at once', async ({
  start,
}) => {
  const world = await start({ limits })
  await retain(world)
  const client = await world.connect({ clientId: 'c' })
  await client.subscribe('r/+', 0)
  expect((await client.receiveMany(10)).map(({ topic }) => topic).toSorted()).toEqual(TOPICS)
})
