import { expect } from 'vitest'
import { lasting } from '../support/flow.ts'
import { test } from '../support/faulty-world.ts'

const sys = { intervalSeconds: 10 }

test('$SYS tells what the messages in queues take of the memory', async ({ start }) => {
  const world = await start({ sys })
  const away = await world.connect(lasting({ clientId: 'away' }))
  await away.subscribe('a', 1)
  await away.disconnect()
  const watcher = await world.connect({ clientId: 'watcher' })
  await watcher.subscribe('$SYS/broker/heap/queues')
  await watcher.receive({ payload: '0', retain: true })
  await watcher.publish('a', 'x'.repeat(1000), { qos: 1 })
  await world.clock.advance(10_000)
  const { payload } = await watcher.receive()
  expect(Number(payload)).toBeGreaterThan(1000)
  expect(Number(payload)).toBeLessThan(2000)
  const back = await world.connect(lasting({ clientId: 'away' }))
  await back.receive({ topic: 'a' })
  await world.until(() => world.broker.store.queueMemory.bytes === 0)
  await world.clock.advance(10_000)
  await watcher.receive({ payload: '0' })
})

test('$SYS counts the connections that had to wait because too many came at once', async ({ start }) => {
  const world = await start({ sys, limits: { connectsPerSecondMax: 1 } })
  const watcher = await world.connectInMemory({ clientId: 'watcher' })
  await watcher.subscribe('$SYS/broker/connections/delayed')
  await watcher.receive({ payload: '0', retain: true })
  await world.open()
  const late = await world.open()
  await world.until(() => world.broker.counters.connectionsDelayed > 0)
  await world.clock.advance(10_000)
  await watcher.receive({ payload: '1' })
  late.sendConnect({ clientId: 'late' })
  await late.expect('connack', { reasonCode: 0 })
})

test('$SYS takes nothing of the room for retained messages, and needs none of it', async ({ start }) => {
  const world = await start({ sys, limits: { retainedMessagesMax: 1, retainedBytesMax: 20 } })
  const client = await world.connect({ version: 5, clientId: 'client' })
  expect(await client.publish('a', 'x'.repeat(19), { qos: 1, retain: true })).toMatchObject({ reasonCode: 0x10 })
  expect(await client.publish('b', 'x', { qos: 1, retain: true })).toMatchObject({ reasonCode: 0x97 })
  await client.subscribe('$SYS/broker/heap/queues')
  await client.receive({ payload: '0', retain: true })
  expect(await client.publish('a', '', { qos: 1, retain: true })).toMatchObject({ reasonCode: 0x10 })
  expect(world.broker.retained.bytes).toBe(0)
})
