import { describe, expect, test } from 'vitest'
import { crash, declare, drain, openWorld, publish, Recorder, restart, settle, textOf } from './queue-world.ts'

describe('competing consumers', () => {
  test('take turns', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    const [one, two] = [new Recorder(), new Recorder()]
    queue.consume(one)
    queue.consume(two)
    for (const text of ['a', 'b', 'c', 'd']) publish(world, 'q', text)
    expect([one.texts, two.texts]).toEqual([
      ['a', 'c'],
      ['b', 'd'],
    ])
  })

  test('get no more than their prefetch, and go on after an acknowledgement', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    const one = new Recorder()
    queue.consume(one, { prefetch: 2 })
    for (const text of ['a', 'b', 'c', 'd']) publish(world, 'q', text)
    expect(one.texts).toEqual(['a', 'b'])
    one.deliveries[1]?.ack()
    expect(one.texts).toEqual(['a', 'b', 'c'])
    expect(queue.stats()).toMatchObject({ ready: 1, unacknowledged: 2, acknowledged: 1 })
  })

  test('of a higher priority are served first while they have room', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    const [low, high] = [new Recorder(), new Recorder()]
    queue.consume(low, { prefetch: 10 })
    queue.consume(high, { prefetch: 2, priority: 5 })
    for (const text of ['a', 'b', 'c']) publish(world, 'q', text)
    expect([low.texts, high.texts]).toEqual([['c'], ['a', 'b']])
  })

  test('that cannot take more are passed over until they resume', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    const one = new Recorder()
    one.ready = false
    const consumer = queue.consume(one)
    publish(world, 'q', 'a')
    expect(one.texts).toEqual([])
    one.ready = true
    consumer.resume()
    expect(one.texts).toEqual(['a'])
  })

  test('are one at a time with a single active consumer, the next by priority', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q', { 'x-single-active-consumer': true })
    const [one, two, three] = [new Recorder(), new Recorder(), new Recorder()]
    const first = queue.consume(one, { prefetch: 1 })
    queue.consume(two)
    queue.consume(three, { priority: 1 })
    for (const text of ['a', 'b']) publish(world, 'q', text)
    expect([one.texts, two.texts, three.texts]).toEqual([['a'], [], []])
    first.close()
    expect([two.texts, three.texts]).toEqual([[], ['a', 'b']])
    expect(() => queue.get()).toThrow(/RESOURCE_LOCKED/)
  })

  test('are refused beside an exclusive one, and an exclusive one beside them', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    const consumer = queue.consume(new Recorder(), { exclusive: true })
    expect(() => queue.consume(new Recorder())).toThrow("ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use")
    consumer.close()
    queue.consume(new Recorder())
    expect(() => queue.consume(new Recorder(), { exclusive: true })).toThrow(/ACCESS_REFUSED/)
  })

  test('cost nothing while their messages need no acknowledgement', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    const one = new Recorder()
    queue.consume(one, { noAck: true, prefetch: 1 })
    for (const text of ['a', 'b']) publish(world, 'q', text)
    expect(one.texts).toEqual(['a', 'b'])
    expect(queue.stats()).toMatchObject({ messages: 0, unacknowledged: 0 })
    expect(one.deliveries[0]?.ack()).toBe(false)
  })
})

describe('a message that comes back', () => {
  test('has its old place, is marked and counted', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    for (const text of ['a', 'b', 'c']) publish(world, 'q', text)
    const [a, b] = [queue.get(), queue.get()]
    b?.requeue()
    a?.requeue()
    const again = [queue.get(), queue.get(), queue.get()]
    expect(again.map((each) => each && [textOf(each), each.redelivered, each.deliveryCount])).toEqual([
      ['a', true, 1],
      ['b', true, 1],
      ['c', false, 0],
    ])
  })

  test('without having been sent is as it was', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    publish(world, 'q', 'a')
    queue.get()?.returnUnsent()
    expect(queue.get()).toMatchObject({ redelivered: false, deliveryCount: 0 })
  })

  test('keeps its count over a crash', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    publish(world, 'q', 'a')
    queue.get()?.requeue()
    queue.get()?.requeue()
    await settle(world)
    const after = await crash(world)
    // Only now somebody asks: the message is read from disk.
    expect(after.queues.queue('q').get()).toBeUndefined()
    await settle(after)
    after.queues.queue('q').get()
    const [delivery] = after.queues.queue('q').unacknowledged
    expect(delivery).toMatchObject({ redelivered: true, deliveryCount: 2 })
  })

  test('with its consumer goes to the others in order', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    const one = new Recorder()
    const consumer = queue.consume(one)
    for (const text of ['a', 'b', 'c']) publish(world, 'q', text)
    one.deliveries[1]?.ack()
    consumer.close()
    expect(await drain(world, queue)).toEqual(['a', 'c'])
  })

  test('stays with a consumer that was only cancelled', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    const one = new Recorder()
    const consumer = queue.consume(one)
    publish(world, 'q', 'a')
    consumer.cancel()
    publish(world, 'q', 'b')
    expect(queue.stats()).toMatchObject({ ready: 1, unacknowledged: 1, consumers: 0 })
    expect(one.deliveries[0]?.ack()).toBe(true)
  })
})

describe('a queue', () => {
  test('hands out higher priorities first, each in order', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q', { 'x-max-priority': 5 })
    for (const [text, priority] of [
      ['a', 0],
      ['b', 3],
      ['c', 9],
      ['d', 3],
      ['e', 5],
    ] as const) {
      publish(world, 'q', text, { priority })
    }
    expect(await drain(world, queue)).toEqual(['c', 'e', 'b', 'd', 'a'])
  })

  test('survives a restart with messages, bindings and arguments, and forgets what is transient', async () => {
    const world = await openWorld()
    declare(world, 'q', { 'x-max-priority': 3 })
    world.queues.declareQueue('gone', { durable: false })
    world.queues.declareExchange('x', { type: 'topic' })
    world.queues.bind({ source: 'x', target: 'q', key: 'a.#' })
    publish(world, 'a.b', 'low', { priority: 1 }, 'x')
    publish(world, 'a.b', 'high', { priority: 3, messageId: 'm1' }, 'x')
    const after = await restart(world)
    expect([...after.queues.queues.keys()]).toEqual(['q'])
    publish(after, 'a', 'third', {}, 'x')
    expect(await drain(after, after.queues.queue('q'))).toEqual(['high', 'low', 'third'])
  })

  test('keeps what is unacknowledged when it is purged, in order', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    for (const text of ['a', 'b', 'c', 'd']) publish(world, 'q', text)
    const held = [queue.get(), queue.get()]
    expect(queue.purge()).toBe(2)
    publish(world, 'q', 'e')
    held[1]?.requeue()
    expect(queue.stats()).toMatchObject({ ready: 2, unacknowledged: 1 })
    await settle(world)
    const after = await crash(world)
    expect(await drain(after, after.queues.queue('q'))).toEqual(['a', 'b', 'e'])
  })

  test('tells its consumers when it is deleted, and leaves nothing in the store', async () => {
    const world = await openWorld()
    const before = await world.store.scanKeys(Buffer.from([0x20]), Buffer.from([0x40]), 100)
    const queue = declare(world, 'q')
    const one = new Recorder()
    queue.consume(one, { prefetch: 1 })
    for (const text of ['a', 'b']) publish(world, 'q', text)
    one.deliveries[0]?.requeue()
    await settle(world)
    expect(world.queues.deleteQueue('q')).toBe(1)
    await settle(world)
    expect(one.isCancelled).toBe(true)
    expect(await world.store.scanKeys(Buffer.from([0x20]), Buffer.from([0x40]), 100)).toEqual(before)
  })

  test('tells the length of its backlog in time, and when it will be gone', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q')
    for (let i = 0; i < 40; i++) publish(world, 'q', `${i}`)
    const held = queue.get()
    await world.clock.advance(2_000)
    expect(queue.stats()).toMatchObject({ oldestReadyMs: 2_000, oldestUnacknowledgedMs: 2_000, lagMs: 2_000 })
    held?.ack()
    for (let i = 0; i < 19; i++) queue.get()?.ack()
    await world.clock.advance(8_000)
    // 40 came and 20 went within ten seconds: at these rates it never ends.
    expect(queue.stats()).toMatchObject({ rateIn: 4, oldestUnacknowledgedMs: 0, lagMs: 10_000, drainMs: undefined })
    await world.clock.advance(3_000)
    for (let i = 0; i < 10; i++) queue.get()?.ack()
    await world.clock.advance(1_000)
    const { rateIn, rateOut, drainMs } = queue.stats()
    expect(rateIn).toBe(0)
    expect(rateOut).toBeGreaterThan(0)
    expect(drainMs).toBeCloseTo((10 / rateOut) * 1000, 5)
  })
})
