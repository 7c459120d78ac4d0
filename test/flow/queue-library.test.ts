import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Broker, createBroker, type ReceivedMessage } from '../../src/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { RecordingLog } from '../support/recording-log.ts'

let folder = ''
let broker: Broker
const clock = new FakeClock()
let log = new RecordingLog()

async function start(): Promise<void> {
  log = new RecordingLog()
  broker = await createBroker({ data: folder, clock, log })
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-queue-library-'))
  await start()
})

afterEach(async () => {
  await broker.close()
  rmSync(folder, { recursive: true })
})

function mqtt(topic: string, payload: string, properties?: object): Promise<void> {
  return new Promise((resolve, reject) =>
    broker.publish({ topic, payload, qos: 1, retain: false, ...(properties && { properties }) }, (error) =>
      error ? reject(error) : resolve(),
    ),
  )
}

async function texts(queue: string): Promise<string[]> {
  return (await broker.queues.browse(queue, 100)).map(({ text }) => text)
}

describe('a queue that a program declares', () => {
  test('has what is published to its topic filters, in the order of publishing, after a restart too', async () => {
    await broker.queues.declare('orders', { bindings: ['shop/+/order', { exchange: 'amq.direct', key: 'o' }] })
    await mqtt('shop/1/order', 'a')
    await broker.queues.publish('amq.direct', 'o', 'b')
    await broker.queues.enqueue('orders', 'c')
    await broker.close()
    await start()
    expect(await texts('orders')).toEqual(['a', 'b', 'c'])
    expect(broker.queues.names()).toEqual(['orders'])
  })

  test('is bound and unbound while messages come', async () => {
    await broker.queues.declare('q')
    await broker.queues.bind('q', 'a/#')
    await mqtt('a/b', '1')
    await broker.queues.unbind('q', 'a/#')
    await mqtt('a/b', '2')
    expect(await texts('q')).toEqual(['1'])
  })

  test('gets a name when it has none', async () => {
    const name = await broker.queues.declare('')
    expect(name).toMatch(/^amq\.gen-/)
    expect(broker.queues.isEmpty(name)).toBe(true)
  })

  test('has to be declared as it is', async () => {
    await broker.queues.declare('q', { maxLength: 5 })
    await expect(broker.queues.declare('q', { maxLength: 6 })).rejects.toMatchObject({ replyCode: 406 })
    await expect(broker.queues.declare('q', { 'x-max-length': 5 })).resolves.toBe('q')
    await expect(broker.queues.declare('r', { bindings: ['a/#/b'] })).rejects.toMatchObject({ replyCode: 406 })
    await expect(broker.queues.declare('r', { bindings: [{ exchange: 'no' }] })).rejects.toMatchObject({
      replyCode: 404,
    })
    expect(broker.queues.names()).toEqual(['q'])
  })

  test('is deleted with what it has', async () => {
    await broker.queues.declare('q')
    await broker.queues.enqueue('q', 'a')
    await expect(broker.queues.delete('q', { ifEmpty: true })).rejects.toMatchObject({ replyCode: 406 })
    expect(await broker.queues.delete('q')).toBe(1)
    await expect(broker.queues.enqueue('q', 'a')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND', replyCode: 404 })
  })

  test('that is full refuses, which its publisher hears', async () => {
    await broker.queues.declare('q', { maxLength: 1, overflow: 'reject-publish' })
    await broker.queues.enqueue('q', 'a')
    expect(broker.queues.isFull('q')).toBe(true)
    await expect(broker.queues.enqueue('q', 'b')).rejects.toMatchObject({ replyCode: 506 })
    expect(await texts('q')).toEqual(['a'])
  })

  test('tells how long it is', async () => {
    await broker.queues.declare('q')
    await broker.queues.enqueue('q', 'a')
    await clock.advance(2000)
    expect(broker.queues.stats('q')).toMatchObject({ ready: 1, published: 1, lagMs: 2000 })
    expect(await broker.queues.purge('q')).toBe(1)
    expect(broker.queues.stats('q').ready).toBe(0)
  })
})

describe('exchanges', () => {
  test('are declared, bound to each other and deleted', async () => {
    await broker.queues.declareExchange('in', { type: 'fanout' })
    await broker.queues.declareExchange('by-kind', { type: 'headers', alternateExchange: 'in' })
    await broker.queues.declare('all', { bindings: [{ exchange: 'in' }] })
    await broker.queues.declare('red', { bindings: [{ exchange: 'by-kind', arguments: { colour: 'red' } }] })
    await broker.queues.publish('by-kind', '', 'a', { headers: { colour: 'red' } })
    expect(await broker.queues.publish('by-kind', '', 'b', { headers: { colour: 'blue' } })).toBe(true)
    expect([await texts('red'), await texts('all')]).toEqual([['a'], ['b']])
    await broker.queues.bindExchange('in', { exchange: 'amq.topic', key: 'x.*' })
    await mqtt('x/y', 'c')
    await broker.queues.unbindExchange('in', { exchange: 'amq.topic', key: 'x.*' })
    await mqtt('x/y', 'd')
    expect(await texts('all')).toEqual(['b', 'c'])
    await broker.queues.deleteExchange('by-kind')
    await expect(broker.queues.publish('by-kind', '', 'e')).rejects.toMatchObject({ replyCode: 404 })
  })

  test('answer whether anybody got a message', async () => {
    expect(await broker.queues.publish('amq.topic', 'a.b', 'x')).toBe(false)
    await new Promise<void>((resolve) => broker.subscribe('a/+', (_packet, done) => done(), resolve))
    expect(await broker.queues.publish('amq.topic', 'a.b', 'x')).toBe(true)
  })
})

describe('the words of a FIFO', () => {
  test('put in, look, and take out for good', async () => {
    await broker.queues.declare('q')
    expect(broker.queues.isEmpty('q')).toBe(true)
    await broker.queues.enqueue('q', 'a')
    await broker.queues.enqueue('q', Buffer.from('b'))
    expect((await broker.queues.peek('q'))?.text).toBe('a')
    expect((await broker.queues.dequeue('q'))?.text).toBe('a')
    await broker.close()
    await start()
    expect((await broker.queues.dequeue('q'))?.text).toBe('b')
    expect(await broker.queues.dequeue('q')).toBeUndefined()
    expect(await broker.queues.peek('q')).toBeUndefined()
  })

  test('look without changing anything, as deep as is asked, also at what is on disk alone', async () => {
    await broker.queues.declare('q')
    const count = 300
    for (let i = 0; i < count; i++) void broker.queues.enqueue('q', `${i} `.padEnd(500, '.'))
    await broker.queues.engine.committed()
    const held = await broker.queues.get('q')
    const seen = await broker.queues.browse('q', 1000)
    expect(seen.map(({ text }) => Number.parseInt(text, 10))).toEqual(
      Array.from({ length: count - 1 }, (_, i) => i + 1),
    )
    expect(broker.queues.stats('q')).toMatchObject({ ready: count - 1, unacknowledged: 1, delivered: 1 })
    held?.nack()
    expect((await broker.queues.peek('q'))?.deliveryCount).toBe(1)
  })

  test('do not show what has expired, and leave it to be dead-lettered', async () => {
    await broker.queues.declare('dead')
    await broker.queues.declare('q', { deadLetterExchange: '', deadLetterRoutingKey: 'dead' })
    await broker.queues.enqueue('q', 'a')
    await broker.queues.enqueue('q', 'b', { expirationMs: 10 })
    await clock.advance(20)
    expect(await texts('q')).toEqual(['a'])
    expect(broker.queues.stats('q').ready).toBe(2)
    ;(await broker.queues.get('q'))?.ack()
    expect(await texts('dead')).toEqual(['b'])
  })
})

describe('a consumer in a program', () => {
  test('gets one message after the other, and the next when it has answered', async () => {
    await broker.queues.declare('q')
    for (const text of ['a', 'b', 'c']) await broker.queues.enqueue('q', text)
    const seen: ReceivedMessage[] = []
    const consumer = await broker.queues.consume('q', (message) => void seen.push(message))
    expect(seen.map(({ text }) => text)).toEqual(['a'])
    seen[0]?.ack()
    seen[1]?.nack()
    expect(seen.map(({ text }) => text)).toEqual(['a', 'b', 'b'])
    expect(seen[2]).toMatchObject({ redelivered: true, deliveryCount: 1, answered: false })
    consumer.close()
    expect(broker.queues.stats('q')).toMatchObject({ ready: 2, unacknowledged: 0, consumers: 0 })
  })

  test('may hold as many as its prefetch says', async () => {
    await broker.queues.declare('q')
    for (let i = 0; i < 10; i++) await broker.queues.enqueue('q', `${i}`)
    let seen = 0
    const consumer = await broker.queues.consume('q', () => void seen++, { prefetch: 4 })
    expect(seen).toBe(4)
    consumer.prefetch = 6
    expect([seen, consumer.unacknowledged]).toEqual([6, 6])
  })

  test('that throws has rejected the message, where the queue has a place for it', async () => {
    await broker.queues.declare('dead')
    await broker.queues.declare('q', { deadLetterExchange: '', deadLetterRoutingKey: 'dead' })
    await broker.queues.consume('q', async ({ text }) => {
      await Promise.resolve()
      throw new Error(`cannot ${text}`)
    })
    await broker.queues.enqueue('q', 'a')
    expect(await texts('dead')).toEqual(['a'])
    expect(log.lines.some(({ level }) => level === 'error')).toBe(true)
    const dead = await broker.queues.peek('dead')
    expect(dead?.headers.get('x-first-death-reason')).toBe('rejected')
  })

  test('that throws gets the message again a second later, where there is no other place', async () => {
    await broker.queues.declare('q')
    const counts: number[] = []
    await broker.queues.consume('q', (message) => {
      counts.push(message.deliveryCount)
      if (message.deliveryCount < 2) throw new Error('not yet')
      message.ack()
    })
    await broker.queues.enqueue('q', 'a')
    expect(counts).toEqual([0])
    await clock.advance(1000)
    await clock.advance(1000)
    expect(counts).toEqual([0, 1, 2])
    expect(broker.queues.stats('q').messages).toBe(0)
  })

  test('hears that its queue has gone', async () => {
    await broker.queues.declare('q')
    let gone = false
    await broker.queues.consume('q', () => {}, { onCancelled: () => (gone = true) })
    await broker.queues.delete('q')
    expect(gone).toBe(true)
  })

  test('of an exclusive queue is the program alone', async () => {
    await broker.queues.declare('mine', { exclusive: true })
    await broker.queues.enqueue('mine', 'a')
    expect((await broker.queues.get('mine'))?.text).toBe('a')
    expect(() => broker.queues.engine.queue('mine', 'somebody else')).toThrow(/locked/)
  })
})

describe('the messages of a queue as an iteration', () => {
  test('come one after the other, those of later too, and the unanswered go back', async () => {
    await broker.queues.declare('q')
    for (const text of ['a', 'b']) await broker.queues.enqueue('q', text)
    const seen: string[] = []
    for await (const message of broker.queues.messages('q', { prefetch: 10 })) {
      seen.push(message.text)
      if (message.text === 'c') break
      message.ack()
      if (message.text === 'b') for (const text of ['c', 'd']) void broker.queues.enqueue('q', text)
    }
    expect(seen).toEqual(['a', 'b', 'c'])
    const left = await broker.queues.browse('q', 10)
    expect(left.map(({ text, deliveryCount }) => `${text}${deliveryCount}`)).toEqual(['c1', 'd0'])
    expect(broker.queues.stats('q').consumers).toBe(0)
  })

  test('end with the broker', async () => {
    await broker.queues.declare('q')
    const waiting = broker.queues.messages('q').next()
    await broker.close()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await expect(broker.queues.enqueue('q', 'a')).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
  })

  test('end with the queue, without an answer taken only as they are asked for', async () => {
    await broker.queues.declare('q')
    for (const text of ['a', 'b']) await broker.queues.enqueue('q', text)
    const stream = broker.queues.messages('q', { noAck: true })
    expect((await stream.next()).value?.text).toBe('a')
    expect(broker.queues.stats('q').ready).toBe(1)
    await broker.queues.delete('q')
    expect((await stream.next()).done).toBe(true)
  })
})

describe('a message', () => {
  test('from MQTT has its exact topic, its properties and its key', async () => {
    await broker.queues.declare('q', { bindings: ['#'] })
    await mqtt('a.b/c', 'x', { contentType: 'text/plain', userProperties: { colour: 'red' } })
    const message = await broker.queues.peek('q')
    expect(message).toMatchObject({ topic: 'a.b/c', exchange: 'amq.topic', routingKey: 'a%2Eb.c', queue: 'q' })
    expect(message?.properties).toMatchObject({ contentType: 'text/plain', deliveryMode: 2 })
    expect([...(message?.headers ?? [])]).toEqual([
      ['x-mqtt-topic', 'a.b/c'],
      ['colour', 'red'],
    ])
  })

  test("has RabbitMQ's key for its topic where that is asked for, and its exact topic all the same", async () => {
    await broker.close()
    broker = await createBroker({ data: folder, clock, log, topics: { conversion: 'rabbitmq' } })
    await broker.queues.declare('q', { bindings: ['a.b/+'] })
    await mqtt('a.b/c', 'x')
    const message = await broker.queues.peek('q')
    expect(message).toMatchObject({ topic: 'a.b/c', routingKey: 'a.b.c' })
    expect(message?.headers.get('x-mqtt-topic')).toBe('a.b/c')
  })

  test('has the properties that it was published with', async () => {
    await broker.queues.declare('q')
    const timestamp = new Date(1_900_000_000_000)
    const options = { messageId: 'm', priority: 3, timestamp, headers: { n: 1 }, persistent: false, appId: 'till' }
    await broker.queues.enqueue('q', 'x', options)
    expect((await broker.queues.peek('q'))?.properties).toEqual({
      messageId: 'm',
      priority: 3,
      timestamp: 1_900_000_000,
      appId: 'till',
      deliveryMode: 1,
      headers: new Map([['n', 1]]),
    })
    await expect(broker.queues.enqueue('q', 'x', { priority: 300 })).rejects.toThrow(/'priority' is 300/)
  })

  test('from a program reaches MQTT with the properties that it has there', async () => {
    const seen: unknown[] = []
    await new Promise<void>((resolve) =>
      broker.subscribe(
        'a/+',
        (packet, done) => {
          seen.push(packet)
          done()
        },
        resolve,
      ),
    )
    await broker.queues.publish('amq.topic', 'a.b', 'x', { contentType: 'text/plain', headers: { n: 1 } })
    expect(seen).toMatchObject([
      { topic: 'a/b', properties: { contentType: 'text/plain', userProperties: { n: '1' } } },
    ])
  })
})
