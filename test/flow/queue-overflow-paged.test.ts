import { describe, expect } from 'vitest'
import { test } from '../support/faulty-disk.ts'
import type { DiskWorld } from '../support/faulty-disk.ts'
import { lasting } from '../support/flow.ts'

const QUEUED = 600
const MORE = 400
const limits = { queuedMessagesMax: QUEUED, queueOverflow: 'drop-oldest' } as const

async function leave(world: DiskWorld): Promise<void> {
  const keeper = await world.connect(lasting({ clientId: 'keeper' }))
  await keeper.subscribe('kept', 1)
  keeper.drop()
  await world.until(() => world.broker.connectedClients === 0)
}

/** Publishes `first` and the numbers after it, all at once. */
async function burst(world: DiskWorld, first: number, count: number, bytes: number): Promise<void> {
  const publisher = await world.connect({ clientId: 'publisher' })
  for (let packetId = 1; packetId <= count; packetId++) {
    publisher.sendPublish({ topic: 'kept', payload: `${first + packetId - 1} `.padEnd(bytes), qos: 1, packetId })
  }
  for (let packetId = 1; packetId <= count; packetId++) await publisher.expect('puback', { packetId })
  await publisher.disconnect()
}

async function kept(world: DiskWorld): Promise<number[]> {
  const keeper = await world.connect(lasting({ clientId: 'keeper' }))
  const numbers = (await keeper.receiveMany(QUEUED)).map(({ payload }) => Number.parseInt(String(payload), 10))
  await keeper.expectNothing()
  return numbers
}

const latest = Array.from({ length: QUEUED }, (_, index) => MORE + index)

test('a message that is larger than the whole queue may be makes nothing else go', async ({ start }) => {
  const world = await start({ limits: { queuedBytesMax: 1024, queueOverflow: 'drop-oldest' } })
  await leave(world)
  await burst(world, 0, 2, 10)
  await burst(world, 2, 1, 1024)
  const keeper = await world.connect(lasting({ clientId: 'keeper' }))
  expect(await keeper.receiveMany(2)).toMatchObject([{ payload: '0 '.padEnd(10) }, { payload: '1 '.padEnd(10) }])
  await keeper.expectNothing()
})

describe('a queue that drops its oldest messages, of which those are on disk alone', () => {
  test('keeps the latest after a restart', async ({ start }) => {
    const before = await start({ limits })
    await leave(before)
    await burst(before, 0, QUEUED, 10)
    await before.stop()
    const world = await before.restarted({ limits })
    await burst(world, QUEUED, MORE, 10)
    expect(await kept(world)).toEqual(latest)
    expect(world.broker.counters.publishDropped).toBe(MORE)
    await world.stop()
  })

  test('keeps the latest when it is longer than its window in memory', async ({ start }) => {
    const world = await start({ limits })
    await leave(world)
    await burst(world, 0, QUEUED, 4_000)
    await burst(world, QUEUED, MORE, 4_000)
    expect(await kept(world)).toEqual(latest)
    expect(world.broker.counters.publishDropped).toBe(MORE)
  })
})
