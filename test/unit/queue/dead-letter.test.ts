import { describe, expect, test } from 'vitest'
import { decodeProperties } from '../../../src/message/basic-properties.ts'
import { deliveredProperties } from '../../../src/queue/dead-letter.ts'
import type { Queue } from '../../../src/queue/queue.ts'
import { declare, drain, openWorld, publish, restart, settle, table, type World } from './queue-world.ts'

const DLX = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' }

function headersOfNext(queue: Queue): ReadonlyMap<string, unknown> {
  const delivery = queue.get()
  if (delivery === undefined) throw new Error('the queue is empty')
  return (
    decodeProperties(deliveredProperties(delivery.message, delivery.deliveryCount, 0, 'escape')).headers ?? new Map()
  )
}

function rejectNext(queue: Queue): void {
  queue.get()?.reject()
}

async function withDead(args: Record<string, unknown>): Promise<World & { q: Queue; dead: Queue }> {
  const world = await openWorld()
  return { ...world, dead: declare(world, 'dead'), q: declare(world, 'q', { ...DLX, ...args }) }
}

describe('a dead letter', () => {
  test('tells where, when and why it died, as RabbitMQ does', async () => {
    const world = await withDead({})
    publish(world, 'q', 'a', {
      headers: table({ mine: 1, CC: ['nowhere'], 'x-death': 'made up' }),
      expiration: '60000',
    })
    rejectNext(world.q)
    const headers = headersOfNext(world.dead)
    expect(headers.get('mine')).toBe(1)
    expect(headers.get('x-death')).toEqual([
      new Map<string, unknown>([
        ['count', 1],
        ['reason', 'rejected'],
        ['queue', 'q'],
        ['time', new Date(world.clock.now())],
        ['exchange', ''],
        ['routing-keys', ['q', 'nowhere']],
        ['original-expiration', '60000'],
      ]),
    ])
    for (const which of ['first', 'last']) {
      expect(headers.get(`x-${which}-death-reason`)).toBe('rejected')
      expect(headers.get(`x-${which}-death-queue`)).toBe('q')
      expect(headers.get(`x-${which}-death-exchange`)).toBe('')
    }
  })

  test('counts up and moves to the front when it dies again, over a restart too', async () => {
    const world = await openWorld()
    declare(world, 'q', DLX)
    declare(world, 'dead', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'q' })
    publish(world, 'q', 'a')
    rejectNext(world.queues.queue('q'))
    rejectNext(world.queues.queue('dead'))
    await settle(world)
    const after = await restart(world)
    await settle(after)
    after.queues.queue('q').get()?.returnUnsent()
    await settle(after)
    rejectNext(after.queues.queue('q'))
    const headers = headersOfNext(after.queues.queue('dead'))
    const deaths = headers.get('x-death') as ReadonlyMap<string, unknown>[]
    expect(deaths.map((each) => [each.get('queue'), each.get('count')])).toEqual([
      ['q', 2],
      ['dead', 1],
    ])
    expect(headers.get('x-first-death-queue')).toBe('q')
    expect(headers.get('x-last-death-queue')).toBe('q')
  })

  test('is dropped where it would go round without anybody having rejected it', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q', { 'x-message-ttl': 10, 'x-dead-letter-exchange': '' })
    publish(world, 'q', 'a')
    await world.clock.advance(100)
    expect(queue.stats()).toMatchObject({ messages: 0, expired: 1 })
  })

  test('is dropped where there is no such exchange', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q', { 'x-dead-letter-exchange': 'missing' })
    publish(world, 'q', 'a')
    rejectNext(queue)
    expect(queue.stats()).toMatchObject({ messages: 0, rejected: 1 })
  })

  test('keeps the other properties byte for byte and loses its expiration', async () => {
    const world = await withDead({})
    publish(world, 'q', 'a', { contentType: 'x/y', correlationId: 'c', expiration: '5', timestamp: 7, appId: 'app' })
    await world.clock.advance(5)
    const message = world.dead.get()?.message
    expect(message).toBeDefined()
    const { headers, ...rest } = decodeProperties(deliveredProperties(message!, 0, 0, 'escape'))
    expect(rest).toEqual({ contentType: 'x/y', correlationId: 'c', timestamp: 7, appId: 'app' })
    expect(headers?.get('x-last-death-reason')).toBe('expired')
  })
})

describe('a message dies', () => {
  test('of its own expiration or the queue’s, whichever is first, without anybody asking', async () => {
    const { clock, q, dead, ...world } = await withDead({ 'x-message-ttl': 100 })
    publish({ clock, ...world } as World, 'q', 'late')
    publish({ clock, ...world } as World, 'q', 'early', { expiration: '50' })
    await clock.advance(60)
    // The one in front lives longer: time is only looked at where the queue begins.
    expect([q.readyCount, dead.readyCount]).toEqual([2, 0])
    await clock.advance(40)
    expect([q.readyCount, dead.readyCount]).toEqual([0, 2])
  })

  test('of a limit, oldest first', async () => {
    const world = await withDead({ 'x-max-length': 2 })
    for (const text of ['a', 'b', 'c']) publish(world, 'q', text)
    expect(await drain(world, world.q)).toEqual(['b', 'c'])
    expect(await drain(world, world.dead)).toEqual(['a'])
  })

  test('of a limit in bytes of payloads', async () => {
    const world = await withDead({ 'x-max-length-bytes': 100 })
    for (const text of ['a', 'b', 'c']) publish(world, 'q', text.repeat(40))
    expect((await drain(world, world.q)).map((text) => text[0])).toEqual(['b', 'c'])
    expect(world.dead.readyCount).toBe(1)
  })

  test('of a limit in bytes no sooner after a restart than before', async () => {
    const world = await withDead({ 'x-max-length-bytes': 100 })
    for (const text of ['a', 'b']) publish(world, 'q', text.repeat(50))
    await settle(world)
    const after = await restart(world)
    await settle(after)
    expect((await drain(after, after.queues.queue('q'))).map((text) => text[0])).toEqual(['a', 'b'])
    publish(after, 'q', 'c'.repeat(101))
    expect(after.queues.queue('q').readyCount).toBe(0)
  })

  test('of coming back too often', async () => {
    const world = await withDead({ 'x-delivery-limit': 2 })
    publish(world, 'q', 'a')
    for (let i = 0; i < 3; i++) world.q.get()?.requeue()
    expect(world.q.readyCount).toBe(0)
    expect(headersOfNext(world.dead).get('x-last-death-reason')).toBe('delivery_limit')
  })
})

describe('a full queue', () => {
  test('refuses with reject-publish, and takes again when there is room', async () => {
    const world = await withDead({ 'x-max-length': 1, 'x-overflow': 'reject-publish' })
    const refusals = ['a', 'b'].map((text) => publish(world, 'q', text).message.refusal)
    expect(refusals).toEqual([0, 0x97])
    world.q.get()
    expect(publish(world, 'q', 'c').message.refusal).toBe(0)
    expect(world.dead.readyCount).toBe(0)
  })

  test('dead-letters what it refuses with reject-publish-dlx', async () => {
    const world = await withDead({ 'x-max-length': 0, 'x-overflow': 'reject-publish-dlx' })
    expect(publish(world, 'q', 'a').message.refusal).toBe(0x97)
    expect(headersOfNext(world.dead).get('x-last-death-reason')).toBe('maxlen')
  })

  test('gives no room to what was unacknowledged: limits count what is ready', async () => {
    const world = await withDead({ 'x-max-length': 1 })
    publish(world, 'q', 'a')
    const held = world.q.get()
    publish(world, 'q', 'b')
    expect(world.q.stats()).toMatchObject({ ready: 1, unacknowledged: 1 })
    held?.requeue()
    expect(await drain(world, world.q)).toEqual(['b'])
  })
})
