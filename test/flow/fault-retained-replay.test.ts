import { expect } from 'vitest'
import { test } from '../support/faulty-world.ts'
import { subscribePacket } from '../support/wire-writer.ts'

test('a client that asks for what is retained again and again, and never reads, does not fill memory', async ({
  start,
}) => {
  const world = await start({ limits: { retainedMessagesMax: 10, outboxBytesMax: 16 * 1024 } })
  const publisher = await world.connect()
  for (let index = 0; index < 10; index++) {
    await publisher.publish(`r/${index}`, Buffer.alloc(8000), { qos: 1, retain: true })
  }
  const client = await world.connectInMemory({ clientId: 'greedy' })
  client.stopReading()
  const ask = (packetId: number): unknown => client.send(subscribePacket(4, packetId, [{ filter: '#', qos: 0 }], {}))
  const { counters } = world.broker
  const before = counters.packetsReceived
  ask(1)
  await world.until(() => counters.packetsReceived > before)
  expect(counters.publishDropped).toBe(0)
  for (let packetId = 2; packetId <= 21; packetId++) ask(packetId)
  await world.until(() => counters.packetsReceived === before + 21)
  expect(counters.publishDropped).toBeGreaterThan(150)
  client.goOnReading()
  await world.until(() => client.received.filter(({ type }) => type === 'suback').length === 21)
  await client.take('publish', { topic: 'r/0', retain: true })
})
