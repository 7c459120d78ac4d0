import { describe, expect } from 'vitest'
import { lasting } from '../support/flow.ts'
import { type DiskWorld, test } from '../support/faulty-disk.ts'
import type { RawClient } from '../support/raw-client.ts'

const PAYLOAD = Buffer.alloc(256 * 1024, 'sluice')
// 64 MiB: more than may wait for the disk.
const MESSAGES = 256

/** Floods a queue of a client that is away, in spite of a disk that takes nothing. */
async function flood(world: DiskWorld, publisher: RawClient, trouble: () => void): Promise<void> {
  const keeper = await world.connect(lasting({ clientId: 'keeper' }))
  await keeper.subscribe('kept', 1)
  keeper.drop()
  await world.until(() => world.broker.connectedClients === 1)
  await world.broker.store.commit.flush()
  trouble()
  for (let packetId = 1; packetId <= MESSAGES; packetId++) {
    publisher.sendPublish({ topic: 'kept', payload: PAYLOAD, qos: 1, packetId })
  }
  await world.until(() => world.broker.store.commit.congested)
}

const limits = { queuedBytesMax: 256 * 1024 * 1024 }

describe('a disk that does not keep up', () => {
  test('is waited for by who writes: memory stays bounded, and nothing is lost', async ({ start }) => {
    const world = await start({ limits })
    const { commit } = world.broker.store
    const publisher = await world.connect({ clientId: 'publisher' })
    await flood(world, publisher, () => {
      world.disk.slow = true
    })
    const pending = commit.pendingBytes
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(commit.pendingBytes).toBe(pending)
    expect(pending).toBeLessThan(40 * 1024 * 1024)
    expect(publisher.received).toEqual([])
    world.disk.goOn()
    for (let packetId = 1; packetId <= MESSAGES; packetId++) await publisher.expect('puback', { packetId })
    const keeper = await world.connect(lasting({ clientId: 'keeper' }))
    expect(await keeper.receiveMany(MESSAGES)).toHaveLength(MESSAGES)
  })

  test('bounds memory in the same way when it is full', async ({ start }) => {
    const world = await start({ limits })
    const publisher = await world.connect({ clientId: 'publisher' })
    await flood(world, publisher, () => {
      world.disk.failure = new Error('No space left on device')
    })
    expect(world.broker.store.commit.pendingBytes).toBeLessThan(40 * 1024 * 1024)
    expect(publisher.received).toEqual([])
    await world.makeRoom()
    for (let packetId = 1; packetId <= MESSAGES; packetId++) await publisher.expect('puback', { packetId })
  })

  test('holds up nobody who does not write', async ({ start }) => {
    const world = await start({ limits })
    const check = await world.bystanders()
    const publisher = await world.connect({ clientId: 'publisher' })
    world.disk.slow = true
    for (let packetId = 1; packetId <= MESSAGES; packetId++) {
      publisher.sendPublish({ topic: 'state', payload: PAYLOAD, qos: 1, retain: true, packetId })
    }
    await world.until(() => world.disk.isBusy)
    for (let i = 0; i < 10; i++) await check()
    expect(world.disk.isBusy).toBe(true)
  })
})
