import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'vitest'
import { test, type DiskWorld } from '../support/faulty-disk.ts'
import { reachableContainers } from '../support/reachable.ts'
import { lasting } from '../support/flow.ts'
import { disconnectPacket, unsubscribePacket } from '../support/wire-writer.ts'

const ROUNDS = 40

/** A client that comes once, does a bit of everything under names of its own, and whose session expires. */
async function live(world: DiskWorld, name: string): Promise<void> {
  const { broker } = world
  const will = { topic: `will/${name}`, payload: name, properties: { willDelayInterval: 5 } }
  const properties = { sessionExpiryInterval: 20, topicAliasMaximum: 5 }
  const client = await world.connectInMemory({ version: 5, clientId: name, clean: false, will, properties })
  await client.subscribe([`t/${name}/+`, `$share/${name}/s/${name}`, `gone/${name}`], 2)
  client.send(unsubscribePacket(5, 900, [`gone/${name}`]))
  await client.take('unsuback')
  await client.publish(`t/${name}/a`, 'zero', { qos: 0 })
  await client.publish(`t/${name}/b`, 'one', { qos: 1, properties: { messageExpiryInterval: 3 } })
  await client.publish(`s/${name}`, 'shared', { qos: 1 })
  await client.publish(`r/${name}`, 'kept', { qos: 1, retain: true })
  await client.publish(`r/${name}`, '', { qos: 1, retain: true })
  await client.publish(`x/${name}`, 'for a while', { qos: 1, retain: true, properties: { messageExpiryInterval: 3 } })
  client.sendPublish({ topic: `t/${name}/c`, payload: 'two', qos: 2, packetId: 77 })
  await client.take('pubrec', { packetId: 77 })
  client.send(disconnectPacket(4))
  await world.until(() => broker.clients[name] === undefined)
  const passing = await world.connectInMemory({ version: 4, clientId: `${name} passing` })
  await passing.subscribe(`t/${name}/#`, 0)
  await passing.publish(`t/${name}/d`, 'queued', { qos: 1 })
  await passing.publish(`s/${name}`, 'waits for a member', { qos: 1 })
  passing.send(disconnectPacket())
  await world.until(() => broker.connectedClients === 0)
}

/** All sessions have expired, and what has to be swept is. */
async function settle(world: DiskWorld): Promise<void> {
  for (let minute = 0; minute < 4; minute++) {
    await world.clock.advance(61_000)
    await world.broker.store.commit.flush()
    for (let turn = 0; turn < 20; turn++) await nextTurn()
  }
}

async function rows(world: DiskWorld): Promise<number> {
  return (await world.disk.scanKeys(Buffer.alloc(0), Buffer.alloc(1, 0xff), 1_000_000)).length
}

test('nothing that the broker has grows with clients and topics that come once', { timeout: 60_000 }, async ({
  start,
}) => {
  const world = await start()
  const log = world.log.lines
  // aedes' own, for brokers of a cluster.
  const own = world.broker.router.subscriptionCount
  for (let round = 0; round < ROUNDS; round++) await live(world, `first ${round}`)
  await settle(world)
  const before = reachableContainers(world.broker)
  const rowsBefore = await rows(world)
  for (let round = 0; round < ROUNDS; round++) await live(world, `second ${round}`)
  await settle(world)
  const grown: string[] = []
  for (const [container, { path, size }] of reachableContainers(world.broker)) {
    if (container === log) continue
    const growth = size - (before.get(container)?.size ?? 0)
    if (growth >= ROUNDS / 2) grown.push(`${path}: ${growth} more`)
  }
  expect(grown).toEqual([])
  expect(await rows(world)).toBe(rowsBefore)
  const { store, connectionMemory, retained, wills, router } = world.broker
  expect([store.queueMemory.bytes, connectionMemory.bytes, retained.bytes]).toEqual([0, 0, 0])
  expect([retained.count, wills.count, router.subscriptionCount]).toEqual([0, 0, own])
})

test('what a look at everything finds is what is there', async ({ start }) => {
  const world = await start()
  const before = reachableContainers(world.broker)
  for (let round = 0; round < ROUNDS; round++) {
    const client = await world.connectInMemory(lasting({ version: 5, clientId: `stays ${round}` }))
    await client.subscribe(`stays/${round}`)
  }
  const grown = [...reachableContainers(world.broker)].filter(([container, { size }]) => {
    return size - (before.get(container)?.size ?? 0) >= ROUNDS / 2
  })
  expect(grown.length).toBeGreaterThan(2)
})
