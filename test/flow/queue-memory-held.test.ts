import { expect } from 'vitest'
import { test } from '../support/faulty-disk.ts'
import type { DiskWorld } from '../support/faulty-disk.ts'
import { lasting } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'

const HOGS = 20
const MESSAGES = 60
const PAYLOAD = Buffer.alloc(10_000)
const limits = { queueMemoryBytesMax: 4 * 1024 * 1024 }

async function store(world: DiskWorld, publisher: RawClient): Promise<void> {
  for (let hog = 0; hog < HOGS; hog++) {
    const client = await world.connect(lasting({ version: 5, clientId: `hog ${hog}` }))
    await client.subscribe(`hog/${hog}`, 1)
    await client.disconnect()
    for (let packetId = 1; packetId <= MESSAGES; packetId++) {
      publisher.sendPublish({ topic: `hog/${hog}`, payload: PAYLOAD, qos: 1, packetId })
    }
    for (let packetId = 1; packetId <= MESSAGES; packetId++) await publisher.expect('puback', { packetId })
  }
}

test('clients that acknowledge nothing fill neither the memory of all queues nor the way of others', async ({
  start,
}) => {
  const world = await start({ limits })
  const publisher = await world.connect({ clientId: 'publisher' })
  await store(world, publisher)
  const hogs: RawClient[] = []
  for (let hog = 0; hog < HOGS; hog++) hogs.push(await world.connect(lasting({ version: 5, clientId: `hog ${hog}` })))
  const { queueMemory } = world.broker.store
  await world.until(() => queueMemory.bytes > limits.queueMemoryBytesMax * 0.875)
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(queueMemory.bytes).toBeLessThan(limits.queueMemoryBytesMax)

  const kept = await world.connect(lasting({ version: 5, clientId: 'kept' }))
  const passing = await world.connect({ version: 5, clientId: 'passing' })
  for (const client of [kept, passing]) await client.subscribe('calm', 1)
  for (let index = 0; index < 10; index++) {
    await publisher.publish('calm', String(index), { qos: 1 })
    for (const client of [kept, passing]) await client.receive({ payload: String(index) })
  }

  // What was held back goes on with the acknowledgements, to the last one.
  for (const client of hogs) await client.receiveMany(MESSAGES)
  expect(world.broker.counters.publishDropped).toBe(0)
})
