import { describe, expect, test } from 'vitest'
import { EMPTY, Message } from '../../../src/message/message.ts'
import {
  crash,
  declare,
  drain,
  openWorld,
  publish,
  publishTopic,
  Recorder,
  settle,
  table,
  textOf,
  type World,
} from './queue-world.ts'

describe('a delayed message', () => {
  test('comes when its time has come, in the order of time, over a crash', async () => {
    const world = await openWorld()
    declare(world, 'q')
    publish(world, 'q', 'late', { headers: table({ 'x-delay': 5_000 }) })
    publish(world, 'q', 'soon', { headers: table({ 'x-delay': 1_000 }) })
    publish(world, 'q', 'now')
    await settle(world)
    const after = await crash(world)
    const queue = after.queues.queue('q')
    expect(queue.stats()).toMatchObject({ ready: 1, delayed: 2 })
    await after.clock.advance(1_000)
    await settle(after)
    expect(await drain(after, queue)).toEqual(['now', 'soon'])
    await after.clock.advance(4_000)
    await settle(after)
    expect(await drain(after, queue)).toEqual(['late'])
    expect(queue.stats().delayed).toBe(0)
  })

  test('of a queue that is deleted goes with it', async () => {
    const world = await openWorld()
    declare(world, 'q')
    publish(world, 'q', 'late', { headers: table({ 'x-delay': 5_000 }) })
    world.queues.deleteQueue('q')
    await settle(world)
    expect(await world.store.scanKeys(Buffer.from([0x30]), Buffer.from([0x40]), 10)).toEqual([])
  })
})

test('a rejected message is tried again after growing pauses, then dead-lettered', async () => {
  const world = await openWorld()
  const args = { 'x-retry-delays': [1_000, 3_000], 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' }
  const queue = declare(world, 'q', args)
  const dead = declare(world, 'dead')
  const one = new Recorder()
  queue.consume(one)
  publish(world, 'q', 'a')
  const seen: number[] = []
  for (const pauseMs of [1_000, 3_000]) {
    one.deliveries.at(-1)?.reject()
    await settle(world)
    await world.clock.advance(pauseMs - 1)
    await settle(world)
    seen.push(one.deliveries.length)
    await world.clock.advance(1)
    await settle(world)
    seen.push(one.deliveries.length)
  }
  expect(seen).toEqual([1, 2, 2, 3])
  expect(one.deliveries.map((each) => [each.deliveryCount, each.retries])).toEqual([
    [0, 0],
    [1, 1],
    [2, 2],
  ])
  one.deliveries.at(-1)?.reject()
  expect(dead.readyCount).toBe(1)
})

test('a message identifier that was seen within the window is acknowledged and not queued, over a crash', async () => {
  const world = await openWorld()
  declare(world, 'q', { 'x-deduplication-window': 1_000 })
  for (const messageId of ['1', '2', '1']) publish(world, 'q', messageId, { messageId })
  await settle(world)
  const after = await crash(world)
  const queue = after.queues.queue('q')
  const { message } = publish(after, 'q', '2', { messageId: '2' })
  expect([message.refusal, message.commitEpoch > 0, queue.stats().duplicates]).toEqual([0, true, 1])
  await after.clock.advance(1_000)
  publish(after, 'q', 'again', { messageId: '1' })
  expect(await drain(after, queue)).toEqual(['1', '2', 'again'])
})

test('a last-value queue keeps the newest message of each key, over a crash', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q', { 'x-last-value-key': 'device' })
  const put = (text: string, device: string) => publish(world, 'q', text, { headers: table({ device }) })
  put('a1', 'a')
  const held = queue.get()
  put('b1', 'b')
  put('a2', 'a')
  put('b2', 'b')
  held?.requeue()
  expect(queue.stats()).toMatchObject({ ready: 2, superseded: 2 })
  await settle(world)
  const after = await crash(world)
  publish(after, 'q', 'a3', { headers: table({ device: 'a' }) })
  expect(await drain(after, after.queues.queue('q'))).toEqual(['b2', 'a3'])
})

describe('an older value that is handed out when the newer one comes', () => {
  const put = (world: World, text: string) => publish(world, 'q', text, { headers: table({ device: 'a' }) })

  /** The older one was read from disk after a start; the newer one has come and is done with. */
  async function oldInHand(args: Record<string, unknown> = {}) {
    const before = await openWorld()
    declare(before, 'q', { 'x-last-value-key': 'device', ...args })
    put(before, 'old')
    await settle(before)
    const world = await crash(before)
    const queue = world.queues.queue('q')
    let old = queue.get()
    for (; old === undefined; old = queue.get()) await settle(world)
    put(world, 'new')
    expect(queue.stats()).toMatchObject({ messages: 1, superseded: 1 })
    return { world, queue, old }
  }

  test('does not come again, neither returned nor after a crash', async () => {
    const { world, queue, old } = await oldInHand()
    expect(await drain(world, queue)).toEqual(['new'])
    expect(old.requeue()).toBe(true)
    expect(queue.stats()).toMatchObject({ messages: 0, superseded: 1 })
    await settle(world)
    expect((await crash(world)).queues.queue('q').readyCount).toBe(0)
  })

  test('is not tried again when it is rejected', async () => {
    const { world, queue, old } = await oldInHand({ 'x-retry-delays': [100] })
    old.reject()
    await world.clock.advance(100)
    await settle(world)
    expect(await drain(world, queue)).toEqual(['new'])
  })

  test('may be answered after a purge', async () => {
    const { world, queue, old } = await oldInHand()
    expect(queue.purge()).toBe(1)
    put(world, 'newest')
    old.requeue()
    expect(await drain(world, queue)).toEqual(['newest'])
  })
})

test('what waits for its retry gives way to a newer value that has come in the meantime', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q', { 'x-last-value-key': 'device', 'x-retry-delays': [100] })
  const put = (text: string) => publish(world, 'q', text, { headers: table({ device: 'a' }) })
  put('old')
  queue.get()?.reject()
  put('new')
  await world.clock.advance(100)
  await settle(world)
  expect(queue.stats()).toMatchObject({ messages: 1, delayed: 0, superseded: 1 })
  expect(await drain(world, queue)).toEqual(['new'])
})

test('a queue that nobody uses expires, and not while it is used', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q', { 'x-expires': 1_000 })
  const consumer = queue.consume(new Recorder())
  await world.clock.advance(5_000)
  expect(world.queues.queues.has('q')).toBe(true)
  consumer.close()
  await world.clock.advance(900)
  queue.get()
  await world.clock.advance(900)
  expect(world.queues.queues.has('q')).toBe(true)
  await world.clock.advance(200)
  expect(world.queues.queues.has('q')).toBe(false)
})

test('a message over MQTT expires in a queue as it says', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q')
  world.queues.bind({ source: 'amq.topic', target: 'q', key: '#' })
  publishTopic(world, new Message('a/b', EMPTY, 1, false, EMPTY, world.clock.now() + 10))
  expect(queue.readyCount).toBe(1)
  await world.clock.advance(10)
  expect(queue.stats()).toMatchObject({ ready: 0, expired: 1 })
})

test('a time to live of 0 lets through what somebody takes at once', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q', { 'x-message-ttl': 0 })
  publish(world, 'q', 'nobody')
  await world.clock.advance(1)
  const one = new Recorder()
  queue.consume(one)
  publish(world, 'q', 'taken')
  expect(one.deliveries.map(textOf)).toEqual(['taken'])
})
