import { describe, expect, test } from 'vitest'
import { decodeProperties } from '../../../src/message/basic-properties.ts'
import { Message } from '../../../src/message/message.ts'
import type { Destination } from '../../../src/router/destination.ts'
import { declare, drain, openWorld, publish, publishTopic, settle, table, type World } from './queue-world.ts'

/** A subscriber of MQTT, and what it got. */
function subscribe({ router }: World, filter: string): Message[] {
  const got: Message[] = []
  const destination: Destination = { offer: (message) => void got.push(message) }
  router.subscribe(filter, destination, { filter, qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 })
  return got
}

function topicsOf(messages: readonly Message[]): string[] {
  return messages.map(({ topic }) => topic)
}

function bound(world: World, queue: string, key: string, source = 'amq.topic'): void {
  if (!world.queues.queues.has(queue)) declare(world, queue)
  world.queues.bind({ source, target: queue, key })
}

describe('the header arrays CC and BCC', () => {
  test('lead to queues and subscribers of amq.topic, each of which gets the message once', async () => {
    const world = await openWorld()
    bound(world, 'q', 'b.*')
    bound(world, 'q', 'c.*')
    const [all, third] = [subscribe(world, '#'), subscribe(world, 'c/+')]
    const headers = table({ CC: ['b.1'], BCC: ['c.1'] })
    publish(world, 'a.1', 'x', { headers }, 'amq.topic')
    expect(topicsOf(all)).toEqual(['a/1'])
    expect(topicsOf(third)).toEqual(['c/1'])
    expect(await drain(world, world.queues.queue('q'))).toEqual(['x'])
  })

  test('are shown to receivers, but for BCC', async () => {
    const world = await openWorld()
    declare(world, 'q')
    declare(world, 'r')
    const headers = table({ CC: ['r'], BCC: ['s'], n: 1 })
    declare(world, 's')
    publish(world, 'q', 'x', { headers, appId: 'till' })
    for (const name of ['q', 'r', 's']) {
      const raw = world.queues.queue(name).get()?.message.amqp?.properties ?? Buffer.alloc(0)
      expect(decodeProperties(raw)).toEqual({ appId: 'till', headers: table({ CC: ['r'], n: 1 }) })
    }
  })

  test('make a publisher wait for the store of whoever gets a copy', async () => {
    const world = await openWorld()
    const destination: Destination = {
      offer(message) {
        message.commitEpoch = 7
        message.refusal = 0x97
      },
    }
    const subscription = { filter: 'b/#', qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const
    world.router.subscribe('b/#', destination, subscription)
    const { message } = publish(world, 'a.1', 'x', { headers: table({ CC: ['b.1'] }) }, 'amq.topic')
    expect([message.commitEpoch, message.refusal]).toEqual([7, 0x97])
  })
})

describe('the topic of a message', () => {
  test('is the exact one that its header tells, as long as the key says the same', async () => {
    const world = await openWorld(undefined, undefined, { conversion: 'rabbitmq' })
    const got = subscribe(world, '#')
    const headers = table({ 'x-mqtt-topic': 'a.b/c' })
    publish(world, 'a.b.c', '', { headers }, 'amq.topic')
    publish(world, 'other', '', { headers }, 'amq.topic')
    publish(world, 'a.b.c', '', {}, 'amq.topic')
    publish(world, 'a+', '', { headers: table({ 'x-mqtt-topic': 'a+' }) }, 'amq.topic')
    expect(topicsOf(got)).toEqual(['a.b/c', 'other', 'a/b/c', 'a%2B'])
  })

  test('is that of the dead-letter key where a dead letter goes to topics, and stays what it was in queues', async () => {
    const world = await openWorld()
    const got = subscribe(world, 'dead/#')
    const args = { 'x-dead-letter-exchange': 'amq.topic', 'x-dead-letter-routing-key': 'dead.x' }
    declare(world, 'q', args)
    bound(world, 'dead', 'dead.*')
    world.queues.bind({ source: 'amq.topic', target: 'q', key: 'a.#' })
    publishTopic(world, new Message('a/1', Buffer.from('x'), 1, false))
    world.queues.queue('q').get()?.reject()
    expect(topicsOf(got)).toEqual(['dead/x'])
    expect(world.queues.queue('dead').get()?.message.topic).toBe('a/1')
  })

  test('makes a routing key that RabbitMQ would make, where that is asked for', async () => {
    const world = await openWorld(undefined, undefined, { conversion: 'rabbitmq' })
    world.queues.declareExchange('by-key', { type: 'direct' })
    world.queues.bind({ source: 'amq.topic', target: 'by-key', targetKind: 'exchange', key: '#' })
    bound(world, 'q', 'a.b.c', 'by-key')
    publishTopic(world, new Message('a.b/c', Buffer.from('x'), 1, false))
    expect(await drain(world, world.queues.queue('q'))).toEqual(['x'])
  })
})

test('an exchange behind amq.topic stores as soon as a durable queue is behind it', async () => {
  const world = await openWorld()
  const { queues, router } = world
  for (const name of ['x', 'y']) queues.declareExchange(name, { type: 'fanout' })
  queues.bind({ source: 'amq.topic', target: 'x', targetKind: 'exchange', key: 'a' })
  queues.bind({ source: 'x', target: 'y', targetKind: 'exchange' })
  queues.bind({ source: 'y', target: 'x', targetKind: 'exchange' })
  queues.declareQueue('transient', { durable: false })
  queues.bind({ source: 'y', target: 'transient' })
  const stores = (): unknown => router.route('a').deliveries[0]?.destination.stores
  expect(stores()).toBe(false)
  declare(world, 'durable')
  queues.bind({ source: 'y', target: 'durable' })
  expect(stores()).toBe(true)
  await settle(world)
})
