import { describe, expect, test } from 'vitest'
import { EMPTY, Message } from '../../../src/message/message.ts'
import { argumentsOf } from '../../support/queue-arguments.ts'
import type { Destination } from '../../../src/router/destination.ts'
import { crash, declare, drain, openWorld, publish, publishTopic, settle, table, type World } from './queue-world.ts'

function overMqtt(world: World, topic: string): void {
  publishTopic(world, new Message(topic, Buffer.from(topic), 1, false))
}

function bind({ queues }: World, source: string, target: string, key = '', args = {}): void {
  queues.bind({ source, target, key, arguments: argumentsOf(args) })
}

/** Which of the queues have got how many messages. */
function counts({ queues }: World): Record<string, number> {
  return Object.fromEntries([...queues.queues.values()].map((queue) => [queue.name, queue.readyCount]))
}

describe('an exchange', () => {
  test('of type direct goes by the whole key, each queue once', async () => {
    const world = await openWorld()
    for (const name of ['a', 'b']) declare(world, name)
    bind(world, 'amq.direct', 'a', 'k')
    bind(world, 'amq.direct', 'a', 'k', { other: 1 })
    bind(world, 'amq.direct', 'b', 'k.x')
    expect(publish(world, 'k', '', {}, 'amq.direct').routed).toBe(true)
    expect(publish(world, 'nothing', '', {}, 'amq.direct').routed).toBe(false)
    expect(counts(world)).toEqual({ a: 1, b: 0 })
  })

  test('of type fanout sends to all', async () => {
    const world = await openWorld()
    for (const name of ['a', 'b']) {
      declare(world, name)
      bind(world, 'amq.fanout', name, name)
    }
    publish(world, 'whatever', '', {}, 'amq.fanout')
    expect(counts(world)).toEqual({ a: 1, b: 1 })
  })

  test.each([
    ['*', 'a', true],
    ['*', '', true],
    ['#', '', true],
    ['a.*', 'a', false],
    ['a.#', 'a', true],
    ['a.#.z', 'a.z', true],
    ['a.#.z', 'a.b.c.z', true],
    ['#.b.#', 'a.b.c', true],
    ['*.b', '$SYS.b', true],
    ['a.*.c', 'a..c', true],
  ])('of type topic: %s and %s', async (pattern, key, isMatch) => {
    const world = await openWorld()
    declare(world, 'q')
    world.queues.declareExchange('t', { type: 'topic' })
    bind(world, 't', 'q', pattern)
    expect(publish(world, key, '', {}, 't').routed).toBe(isMatch)
  })

  test.each([
    [{ 'x-match': 'all', a: 1, b: 'x' }, { a: 1, b: 'x', c: 2 }, true],
    [{ a: 1, b: 'x' }, { a: 1 }, false],
    [{ 'x-match': 'any', a: 1, b: 'x' }, { a: 1 }, true],
    [{ 'x-match': 'any', a: 1 }, { a: 2 }, false],
    [{ a: null }, { a: 'anything' }, true],
    [{ 'x-mine': 1 }, {}, true],
    [{ 'x-match': 'all-with-x', 'x-mine': 1 }, {}, false],
    [{ 'x-match': 'any-with-x', 'x-mine': 1 }, { 'x-mine': 1 }, true],
    [{ a: 5 }, { a: 5n }, true],
  ])('of type headers: %j and its headers', async (args, headers, isMatch) => {
    const world = await openWorld()
    declare(world, 'q')
    bind(world, 'amq.headers', 'q', '', args)
    expect(publish(world, '', '', { headers: table(headers) }, 'amq.headers').routed).toBe(isMatch)
  })

  test('sends to other exchanges, round in a circle, and to each queue once', async () => {
    const world = await openWorld()
    for (const name of ['a', 'b']) declare(world, name)
    for (const name of ['x', 'y']) world.queues.declareExchange(name, { type: 'fanout' })
    world.queues.bind({ source: 'x', target: 'y', targetKind: 'exchange' })
    world.queues.bind({ source: 'y', target: 'x', targetKind: 'exchange' })
    bind(world, 'x', 'a')
    bind(world, 'y', 'a')
    bind(world, 'y', 'b')
    publish(world, '', '', {}, 'x')
    expect(counts(world)).toEqual({ a: 1, b: 1 })
  })

  test('hands what nothing matched to its alternate', async () => {
    const world = await openWorld()
    declare(world, 'q')
    world.queues.declareExchange('rest', { type: 'fanout' })
    world.queues.declareExchange('x', { arguments: table({ 'alternate-exchange': 'rest' }) })
    bind(world, 'rest', 'q')
    expect(publish(world, 'k', 'lost', {}, 'x').routed).toBe(true)
    expect(counts(world)).toEqual({ q: 1 })
  })

  test('adds the keys in CC and BCC', async () => {
    const world = await openWorld()
    for (const name of ['a', 'b', 'c']) declare(world, name)
    publish(world, 'a', '', { headers: table({ CC: ['b'], BCC: ['c'] }) })
    expect(counts(world)).toEqual({ a: 1, b: 1, c: 1 })
  })

  test('that is internal takes nothing from outside, and one with auto-delete goes with its last binding', async () => {
    const world = await openWorld()
    declare(world, 'q')
    world.queues.declareExchange('in', { internal: true })
    world.queues.declareExchange('short', { autoDelete: true })
    expect(() => publish(world, '', '', {}, 'in')).toThrow(/ACCESS_REFUSED/)
    bind(world, 'short', 'q', 'k')
    world.queues.unbind({ source: 'short', target: 'q', key: 'k' })
    expect(() => world.queues.exchange('short')).toThrow("NOT_FOUND - no exchange 'short' in vhost '/'")
  })
})

describe('amq.topic and the topics of MQTT', () => {
  test('are the same from both sides', async () => {
    const world = await openWorld()
    declare(world, 'q')
    const topics: string[] = []
    const subscriber: Destination = { offer: (message) => void topics.push(message.topic) }
    const subscription = { filter: 'site/#', qos: 1, noLocal: false, retainAsPublished: true, identifier: 0 } as const
    world.router.subscribe('site/#', subscriber, subscription)
    bind(world, 'amq.topic', 'q', 'site.*.temp')
    overMqtt(world, 'site/1/temp')
    overMqtt(world, 'site/1/hum')
    publish(world, 'site.2.temp', 'over AMQP', {}, 'amq.topic')
    expect(topics).toEqual(['site/1/temp', 'site/1/hum', 'site/2/temp'])
    expect(await drain(world, world.queues.queue('q'))).toEqual(['site/1/temp', 'over AMQP'])
  })

  test('give a queue one copy, however many ways lead to it', async () => {
    const world = await openWorld()
    for (const name of ['q', 'r']) declare(world, name)
    for (const name of ['x', 'y']) {
      world.queues.declareExchange(name, { type: 'fanout' })
      world.queues.bind({ source: 'amq.topic', target: name, targetKind: 'exchange', key: '#' })
      bind(world, name, 'q')
      bind(world, name, 'r')
    }
    world.queues.bind({ source: 'x', target: 'amq.topic', targetKind: 'exchange' })
    bind(world, 'amq.topic', 'q', 'a.#')
    bind(world, 'amq.topic', 'q', '*.b')
    overMqtt(world, 'a/b')
    expect(counts(world)).toEqual({ q: 1, r: 1 })
    publish(world, 'a.b', '', {}, 'x')
    expect(counts(world)).toEqual({ q: 2, r: 2 })
  })

  test('keep bindings over a crash, and without the $ topics where a wildcard comes first', async () => {
    const world = await openWorld()
    declare(world, 'q')
    bind(world, 'amq.topic', 'q', '#')
    bind(world, 'amq.topic', 'q', 'gone')
    world.queues.unbind({ source: 'amq.topic', target: 'q', key: 'gone' })
    await settle(world)
    const after = await crash(world)
    overMqtt(after, 'a.b/c')
    overMqtt(after, '$SYS/x')
    expect(after.router.subscriptionCount).toBe(1)
    expect(await drain(after, after.queues.queue('q'))).toEqual(['a.b/c'])
    after.queues.deleteQueue('q')
    expect(after.router.subscriptionCount).toBe(0)
  })

  test('let a publisher wait for every queue, and hear of the one that refuses', async () => {
    const world = await openWorld()
    declare(world, 'q')
    declare(world, 'full', { 'x-max-length': 0, 'x-overflow': 'reject-publish' })
    for (const name of ['q', 'full']) bind(world, 'amq.topic', name, '#')
    const message = new Message('a', EMPTY, 1, false)
    publishTopic(world, message)
    expect([message.refusal, message.commitEpoch]).toEqual([0x97, world.store.commit.formingEpoch])
    await settle(world)
    expect(world.store.commit.committedEpoch).toBeGreaterThanOrEqual(message.commitEpoch)
  })
})
