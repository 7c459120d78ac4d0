import { describe, expect } from 'vitest'
import { compose } from '../../src/compose.ts'
import { configFromOptions } from '../../src/config/options.ts'
import { Batch } from '../../src/store/batch.ts'
import { storeOver } from '../../src/store/open-store.ts'
import { type DiskWorld, FaultyDisk, test } from '../support/faulty-disk.ts'
import { lasting } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'
import { RecordingLog } from '../support/recording-log.ts'

const FILTER = '$share/group/work'
const PAYLOAD = 'p'.repeat(1000)
// Four messages of `publishAll`, and not five.
const FOUR_BYTES = 4 * 1080

const all = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** A client whose session stays; nothing is acknowledged by itself. */
function worker(world: DiskWorld, clientId: string): Promise<RawClient> {
  return world.connect(lasting({ version: 5, clientId }))
}

async function members(world: DiskWorld, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (const index of all(count)) {
    const client = await worker(world, `member ${index}`)
    await client.subscribe(FILTER, 1)
    clients.push(client)
  }
  return clients
}

/** Publishes messages that begin with 0, 1, …, each after the answer to the one before; returns what was refused. */
async function publishAll(world: DiskWorld, count: number, topic = 'work'): Promise<number[]> {
  const publisher = await world.connect({ version: 5, clientId: 'publisher' })
  const refused: number[] = []
  for (const index of all(count)) {
    const { reasonCode } = await publisher.publish(topic, `${index} ${PAYLOAD}`, { qos: 1 })
    if (reasonCode >= 0x80) refused.push(index)
  }
  await publisher.disconnect()
  return refused
}

const numberOf = ({ payload }: { payload: string }): number => Number(payload.split(' ')[0])

/** Takes, without an acknowledgement, what has arrived. */
async function arrived(client: RawClient): Promise<number[]> {
  client.send(Buffer.from([0xc0, 0]))
  await client.take('pingresp')
  return client.received.splice(0).map(numberOf)
}

/** Acknowledges each message before it takes the next. */
async function receiveAll(client: RawClient, count: number): Promise<number[]> {
  return (await client.receiveMany(count)).map(numberOf)
}

function waiting(world: DiskWorld): number {
  return world.broker.router.sharedGroup('group', 'work')?.backlogCount ?? 0
}

/** Everything that the broker counts as lost. */
function lost({ broker }: DiskWorld): [dropped: number, byGroup: number | undefined] {
  return [broker.counters.publishDropped, broker.router.sharedGroup('group', 'work')?.dropped]
}

async function leave(world: DiskWorld, clients: readonly RawClient[]): Promise<void> {
  for (const client of clients) client.drop()
  await world.until(() => world.broker.connectedClients === 0)
}

/** How many messages of groups a broker finds on a disk that the power left after so many writes. */
async function foundAfter(batches: readonly Batch[]): Promise<number> {
  const disk = new FaultyDisk()
  for (const batch of batches) disk.write(batch, () => {})
  const log = new RecordingLog()
  const config = configFromOptions({ sys: { intervalSeconds: 0 } })
  const broker = await compose({ config, log, store: await storeOver(disk, 'fsync', { log }) })
  const count = [...broker.router.sharedGroups()].reduce((sum, group) => sum + group.backlogCount, 0)
  await broker.close()
  return count
}

function recordWrites(disk: FaultyDisk): Batch[] {
  const batches: Batch[] = []
  const write = disk.write.bind(disk)
  disk.write = (batch, done) => {
    const copy = new Batch()
    for (const [index, key] of batch.keys.entries()) {
      const value = batch.values[index]
      if (value === undefined) copy.del(Buffer.from(key))
      else copy.put(Buffer.from(key), Buffer.from(value))
    }
    batches.push(copy)
    write(batch, done)
  }
  return batches
}

describe('what members of a shared group have and do not acknowledge', () => {
  test.for([
    ['messages', { queuedMessagesMax: 4 }],
    ['bytes', { queuedBytesMax: FOUR_BYTES }],
  ] as const)('is kept when all of them leave, beyond its limit of %s', async ([, limits], { start }) => {
    const world = await start({ limits })
    const clients = await members(world, 3)
    expect(await publishAll(world, 12)).toEqual([])
    for (const client of clients) expect(await arrived(client)).toHaveLength(4)
    await leave(world, clients)
    expect([waiting(world), ...lost(world)]).toEqual([12, 0, 0])
    const got = await receiveAll(await worker(world, 'member 1'), 12)
    expect(got.toSorted((one, other) => one - other)).toEqual(all(12))
  })

  test('is kept when memory is full', async ({ start }) => {
    const world = await start()
    const clients = await members(world, 3)
    await publishAll(world, 12)
    for (const client of clients) expect(await arrived(client)).toHaveLength(4)
    const { queueMemory } = world.broker.store
    queueMemory.bytes += queueMemory.bytesMax
    await leave(world, clients)
    expect([waiting(world), ...lost(world)]).toEqual([12, 0, 0])
    expect(await receiveAll(await worker(world, 'member 1'), 12)).toHaveLength(12)
  })

  test('is on disk once at any moment while they leave', async ({ start }) => {
    const world = await start({ limits: { queuedMessagesMax: 4 } })
    const batches = recordWrites(world.disk)
    const clients = await members(world, 3)
    await publishAll(world, 12)
    for (const client of clients) await arrived(client)
    await world.broker.store.commit.flush()
    const before = batches.length
    await leave(world, clients)
    await world.broker.store.commit.flush()
    expect(batches.length).toBeGreaterThan(before)
    for (let count = before; count <= batches.length; count++) {
      expect(await foundAfter(batches.slice(0, count))).toBe(12)
    }
  })

  test('goes to a member with room in its queue and not to one without', async ({ start }) => {
    const world = await start({ limits: { queuedMessagesMax: 4 } })
    const [leaving, full] = (await members(world, 2)) as [RawClient, RawClient]
    expect(await publishAll(world, 8)).toEqual([])
    expect(await arrived(full)).toEqual([1, 3, 5, 7])
    const [free] = [await worker(world, 'free')]
    await free.subscribe(FILTER, 1)
    leaving.drop()
    expect(await receiveAll(free, 4)).toEqual([0, 2, 4, 6])
    expect(await arrived(full)).toEqual([])
    expect(lost(world)).toEqual([0, 0])
  })
})

describe('what waits for a member of a shared group', () => {
  test.for([
    ['messages', { queuedMessagesMax: 4 }],
    ['bytes', { queuedBytesMax: FOUR_BYTES }],
  ] as const)(
    'stays with the group while the limit of %s of its own queue is reached',
    async ([, limits], { start }) => {
      const world = await start({ limits })
      const client = await worker(world, 'member')
      await client.subscribe([FILTER, 'own'], 1)
      await leave(world, [client])
      expect([await publishAll(world, 3, 'own'), await publishAll(world, 4)]).toEqual([[], []])
      const back = await worker(world, 'member')
      const first = [await back.expect('publish'), await back.expect('publish'), await back.expect('publish')]
      const fourth = await back.expect('publish')
      expect([...first, fourth].map(numberOf)).toEqual([0, 1, 2, 0])
      await back.expectNothing()
      expect([waiting(world), ...lost(world)]).toEqual([3, 0, 0])
      await back.acknowledge(fourth)
      expect(await receiveAll(back, 3)).toEqual([1, 2, 3])
      await back.expectNothing()
    },
  )

  test('is not lost to a memory that others fill, and comes as it is acknowledged', async ({ start }) => {
    const world = await start()
    const client = await worker(world, 'member')
    await client.subscribe(FILTER, 1)
    await leave(world, [client])
    await publishAll(world, 50)
    const { queueMemory } = world.broker.store
    queueMemory.bytes += queueMemory.bytesMax
    const back = await worker(world, 'member')
    expect(await receiveAll(back, 50)).toEqual(all(50))
    expect([waiting(world), ...lost(world)]).toEqual([0, 0, 0])
  })

  test('goes to a session that is not stored too, though a new message has no memory', async ({ start }) => {
    const world = await start()
    const client = await world.connect({ version: 5, clientId: 'passing' })
    await client.subscribe(FILTER, 1)
    const { queueMemory } = world.broker.store
    queueMemory.bytes += queueMemory.bytesMax
    expect(await publishAll(world, 3)).toEqual([])
    expect(await receiveAll(client, 3)).toEqual(all(3))
    expect(lost(world)).toEqual([0, 0])
  })

  test('goes on when the disk has caught up', async ({ start }) => {
    const world = await start({ limits: { queuedBytesMax: 256 * 1024 * 1024 } })
    const { commit } = world.broker.store
    const [client] = (await members(world, 1)) as [RawClient]
    const publisher = await world.connect({ clientId: 'publisher' })
    await commit.flush()
    world.disk.slow = true
    const payload = Buffer.alloc(256 * 1024)
    for (let packetId = 1; packetId <= 256; packetId++) {
      publisher.sendPublish({ topic: 'work', payload, qos: 1, packetId })
    }
    await world.until(() => commit.congested)
    world.disk.goOn()
    for (let packetId = 1; packetId <= 256; packetId++) await publisher.expect('puback', { packetId })
    await client.receiveMany(256)
    expect(lost(world)).toEqual([0, 0])
  })

  test('fills a window of any width at once', async ({ start }) => {
    const count = 10_000
    const world = await start({ limits: { inflightMessagesMax: count } })
    const client = await world.connect(lasting({ clientId: 'member' }))
    await client.subscribe(FILTER, 1)
    await leave(world, [client])
    const publisher = await world.connect({ clientId: 'publisher' })
    for (const index of all(count)) publisher.sendPublish({ topic: 'work', qos: 1, packetId: index + 1, payload: '' })
    await world.until(() => publisher.received.length === count)
    const back = await world.connect(lasting({ clientId: 'member' }))
    await world.until(() => back.received.length === count)
    expect(waiting(world)).toBe(0)
  })
})

describe('a full queue of a shared group', () => {
  test.for([
    ['drop-newest', [0, 1, 2, 3], []],
    ['drop-oldest', [3, 4, 5, 6], []],
    ['reject-publish', [0, 1, 2, 3], [4, 5, 6]],
  ] as const)('%s: keeps %j, refuses %j, counts and says it', async ([queueOverflow, kept, refused], { start }) => {
    const world = await start({ limits: { queuedMessagesMax: 4, queueOverflow } })
    const clients = await members(world, 1)
    await leave(world, clients)
    expect(await publishAll(world, 7)).toEqual(refused)
    expect(lost(world)).toEqual([3, 3])
    const lines = world.log.lines.filter(({ fields }) => fields['shareName'] === 'group')
    expect(lines).toMatchObject([{ level: 'warn', fields: { filter: 'work' } }])
    expect(await receiveAll(await worker(world, 'member 0'), 4)).toEqual(kept)
  })

  test('with drop-oldest makes room after a restart too, when the oldest has been read from disk', async ({
    start,
  }) => {
    const options = { limits: { queuedMessagesMax: 4, queueOverflow: 'drop-oldest' } } as const
    const before = await start(options)
    await leave(before, await members(before, 1))
    await publishAll(before, 4)
    const after = await before.restarted(options)
    expect(await publishAll(after, 3)).toEqual([])
    await after.until(() => waiting(after) === 4)
    expect(lost(after)).toEqual([3, 3])
    expect(await receiveAll(await worker(after, 'member 0'), 4)).toEqual([3, 0, 1, 2])
    await after.stop()
  })

  test('keeps what came back and drops the oldest of what has never left', async ({ start }) => {
    const world = await start({ limits: { queuedMessagesMax: 4, queueOverflow: 'drop-oldest' } })
    const clients = await members(world, 1)
    await publishAll(world, 4)
    expect(await arrived(clients[0] as RawClient)).toEqual([0, 1, 2, 3])
    await leave(world, clients)
    await publishAll(world, 6)
    expect(lost(world)).toEqual([2, 2])
    expect(await receiveAll(await worker(world, 'member 0'), 8)).toEqual([0, 1, 2, 3, 2, 3, 4, 5])
  })
})

test.for(['drop-newest', 'drop-oldest', 'reject-publish'] as const)(
  'with %s a member whose queue is full leaves new messages to one that is free',
  async (queueOverflow, { start }) => {
    const world = await start({ limits: { queuedMessagesMax: 4, queueOverflow } })
    const [full, free] = (await members(world, 2)) as [RawClient, RawClient]
    const publisher = await world.connect({ version: 5, clientId: 'publisher' })
    for (const index of all(14)) {
      await publisher.publish('work', `${index}`, { qos: 1 })
      if (index % 2 === 1 || index > 7) await free.receive({ payload: `${index}` })
    }
    expect(await arrived(full)).toEqual([0, 2, 4, 6])
    expect(lost(world)).toEqual([0, 0])
  },
)
