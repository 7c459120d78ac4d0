import { redeliveryKey } from '../../../src/store/keys.ts'
import { expect, test } from 'vitest'
import { Message } from '../../../src/message/message.ts'
import {
  crash,
  declare,
  drain,
  openWorld,
  publish,
  Recorder,
  restart,
  settle,
  table,
  type World,
} from './queue-world.ts'

const KIND_DEFINITIONS = 0x30

/** Keys of what queues leave beside their messages. */
async function leftovers({ store }: World, kinds: readonly number[]): Promise<number> {
  let count = 0
  for (const kind of kinds) count += (await store.scanKeys(Buffer.of(kind), Buffer.of(kind + 1), 1000)).length
  return count
}

test('a deleted queue leaves nothing in the store: deliveries, delays, identifiers, bindings', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q', { 'x-deduplication-window': 60_000, 'x-retry-delays': [60_000] })
  world.queues.bind({ source: 'amq.topic', target: 'q', key: '#' })
  for (let i = 0; i < 20; i++) publish(world, 'q', `${i}`, { messageId: `${i}` })
  publish(world, 'q', 'later', { headers: table({ 'x-delay': 1000 }) })
  for (let i = 0; i < 5; i++) queue.get()?.reject()
  const held = [queue.get(), queue.get()]
  for (const delivery of held) delivery?.requeue()
  await settle(world)
  const kinds = Array.from({ length: 16 }, (_, i) => KIND_DEFINITIONS + i)
  expect(await leftovers(world, kinds)).toBeGreaterThan(20)
  world.queues.deleteQueue('q')
  for (let i = 0; i < 10; i++) await settle(world)
  expect(await leftovers(world, kinds)).toBe(0)
})

test('what is known of returned messages goes with a queue that a crash has ended', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q')
  publish(world, 'q', 'a')
  queue.get()?.requeue()
  await settle(world)
  const { store } = world
  // Of a FIFO that no queue has.
  const stray = redeliveryKey(0xffff_ffff, 1)
  store.commit.put(stray, Buffer.from([1, 0, 0, 0, 1, 0, 0]))
  await settle(world)
  const after = await restart(world)
  await settle(after)
  expect((await after.store.get(stray)) ?? 'gone').toBe('gone')
  const [seen] = await after.queues.queue('q').browse(1)
  expect(seen?.deliveryCount).toBe(1)
})

test('an identifier of any length is known again, and takes little room', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q', { 'x-deduplication-window': 60_000 })
  const long = 'x'.repeat(60_000)
  const message = (): Message => {
    const name = Buffer.from('message-id')
    const head = Buffer.of(0x26, 0, name.length, ...name, long.length >> 8, long.length & 0xff)
    return new Message('q', Buffer.from('a'), 1, false, Buffer.concat([head, Buffer.from(long)]))
  }
  for (let i = 0; i < 3; i++) queue.offer(message())
  expect(queue.stats()).toMatchObject({ ready: 1, duplicates: 2 })
  await settle(world)
  const keys = await world.store.scanKeys(Buffer.of(0), Buffer.of(255), 1000)
  expect(Math.max(...keys.map((key) => key.length))).toBeLessThan(100)
  const after = await crash(world)
  after.queues.queue('q').offer(message())
  expect(after.queues.queue('q').stats()).toMatchObject({ ready: 1, duplicates: 1 })
})

test('while memory is short nothing more is handed out than one consumer has to answer', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q')
  for (const text of ['a', 'b', 'c']) publish(world, 'q', text)
  const recorder = new Recorder()
  world.store.queueMemory.bytesMax = 1
  queue.consume(recorder)
  expect(recorder.texts).toEqual(['a'])
  recorder.deliveries[0]?.ack()
  expect(recorder.texts).toEqual(['a', 'b'])
  world.store.queueMemory.bytesMax = Number.POSITIVE_INFINITY
  recorder.deliveries[1]?.ack()
  expect(recorder.texts).toEqual(['a', 'b', 'c'])
})

test('a message that comes while another one of the same queue is being dropped is not left lying', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q', {
    'x-max-length': 1,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'd',
  })
  const got = new Recorder()
  let isFirst = true
  // Puts a message into the first queue while that one drops.
  declare(world, 'd').consume({
    ready: true,
    cancelled() {},
    deliver(delivery) {
      delivery.ack()
      if (!isFirst) return
      isFirst = false
      consumer.prefetch = 0
      publish(world, 'q', 'late')
    },
  })
  const consumer = queue.consume(got, { prefetch: 1 })
  for (const text of ['a', 'b', 'c']) publish(world, 'q', text)
  await settle(world)
  expect(got.texts).toEqual(['a', 'late'])
  expect(await drain(world, queue)).toEqual([])
})

test('the head that a get has uncovered expires by itself', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q')
  publish(world, 'q', 'a')
  publish(world, 'q', 'b', { expiration: '10' })
  queue.get()
  await world.clock.advance(10)
  expect(queue.stats()).toMatchObject({ ready: 0, expired: 1 })
})

test('looking into a queue drops nothing that has expired', async () => {
  const world = await openWorld()
  declare(world, 'q')
  publish(world, 'q', 'a')
  publish(world, 'q', 'b', { expiration: '10' })
  await world.clock.advance(20)
  const seen = await world.queues.queue('q').browse(10)
  expect(seen.map(({ message }) => message.payload.toString())).toEqual(['a'])
  expect(world.queues.queue('q').stats()).toMatchObject({ ready: 2, expired: 0, delivered: 0 })
})

test('a start reads no message of a queue that nobody takes from, unless one may expire', async () => {
  const world = await openWorld()
  declare(world, 'q')
  declare(world, 'expiring')
  publish(world, 'q', 'a'.repeat(10_000))
  publish(world, 'expiring', 'a', { expiration: '1000' })
  await settle(world)
  const after = await crash(world)
  await settle(after)
  expect(after.store.queueMemory.bytes).toBeGreaterThan(0)
  expect(after.store.queueMemory.bytes).toBeLessThan(10_000)
  await after.clock.advance(1000)
  expect(after.queues.queue('expiring').stats()).toMatchObject({ ready: 0, expired: 1 })
})

test('a message over MQTT has the priority and the identifier that its user properties tell', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q', { 'x-max-priority': 5, 'x-deduplication-window': 1000 })
  const offer = (text: string, name: string, value: string): void => {
    const pair = [name, value].flatMap((part) => [0, part.length, ...Buffer.from(part)])
    queue.offer(new Message('q', Buffer.from(text), 1, false, Buffer.from([0x26, ...pair])))
  }
  offer('low', 'amqp-priority', 'none')
  offer('high', 'amqp-priority', '3')
  offer('once', 'amqp-message-id', 'm')
  offer('twice', 'amqp-message-id', 'm')
  expect(await drain(world, queue)).toEqual(['high', 'low', 'once'])
})
