import { describe, expect } from 'vitest'
import type { RawClient } from '../support/raw-client.ts'
import { type QueueFlow, test } from '../support/queue-flow.ts'

const numbers = (count: number, prefix = ''): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`)

function enqueue(flow: QueueFlow, queueName: string, payloads: readonly string[]): void {
  for (const payload of payloads) flow.queues.enqueue(queueName, { payload: Buffer.from(payload) })
}

/** How many messages are here and unanswered: nothing more comes by itself. */
async function held(client: RawClient): Promise<number> {
  client.send(Buffer.from([0xc0, 0]))
  await client.take('pingresp')
  return client.received.filter(({ type }) => type === 'publish').length
}

describe('Receive Maximum', () => {
  test('is how many messages of a queue may be unanswered', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    enqueue(flow, 'jobs', numbers(10))
    const consumer = await flow.connect({ properties: { receiveMaximum: 3 } })
    await consumer.subscribe('$queue/jobs', 1)
    expect(await held(consumer)).toBe(3)
    await consumer.receive({ payload: '1' })
    expect(await held(consumer)).toBe(3)
    const rest = await consumer.receiveMany(9)
    expect(rest.map(({ payload }) => payload)).toEqual(numbers(10).slice(1))
  })

  test('is the configured window below version 5', async ({ begin }) => {
    const flow = await begin({ limits: { inflightMessagesMax: 4 } })
    flow.declare('jobs')
    enqueue(flow, 'jobs', numbers(10))
    const consumer = await flow.connect({ version: 4 })
    await consumer.subscribe('$queue/jobs', 1)
    expect(await held(consumer)).toBe(4)
    expect(await consumer.receiveMany(10)).toHaveLength(10)
  })

  test('counts messages of all queues and those of topics together', async ({ begin }) => {
    const flow = await begin()
    for (const name of ['a', 'b']) {
      flow.declare(name)
      enqueue(flow, name, numbers(10, name))
    }
    const consumer = await flow.connect({ properties: { receiveMaximum: 5 } })
    await consumer.subscribe(['$queue/a', '$queue/b', 'topic'], 1)
    const publisher = await flow.connect()
    for (const payload of numbers(10, 't')) await publisher.publish('topic', payload, { qos: 1 })
    let most = 0
    const seen: string[] = []
    while (seen.length < 30) {
      most = Math.max(most, await held(consumer))
      seen.push((await consumer.receive()).payload)
    }
    expect(most).toBe(5)
    const of = (prefix: string): string[] => seen.filter((payload) => payload.startsWith(prefix))
    expect([of('a'), of('b'), of('t')]).toEqual([numbers(10, 'a'), numbers(10, 'b'), numbers(10, 't')])
  })

  test.for([1, 2, 10])(
    'of %s is shared: neither a queue nor a topic shuts out the others',
    async (window, { begin }) => {
      const flow = await begin()
      for (const name of ['a', 'b']) {
        flow.declare(name)
        enqueue(flow, name, numbers(100, name))
      }
      const consumer = await flow.connect({ properties: { receiveMaximum: window } })
      await consumer.subscribe(['$queue/a', '$queue/b', 'topic'], 1)
      const publisher = await flow.connect()
      for (const payload of numbers(100, 't')) await publisher.publish('topic', payload, { qos: 1 })
      const seen = (await consumer.receiveMany(window + 60)).slice(window).map(({ payload }) => payload.charAt(0))
      for (const prefix of ['a', 'b', 't']) {
        expect(seen.filter((each) => each === prefix).length, prefix).toBeGreaterThanOrEqual(10)
      }
    },
  )

  test('has room for a queue again when a program drops what a client was to get of topics', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const consumer = await flow.connect({ clientId: 'c', properties: { receiveMaximum: 1 } })
    await consumer.subscribe(['topic', '$queue/jobs'], 1)
    await consumer.publish('topic', 'never acknowledged', { qos: 1 })
    await consumer.expect('publish', { topic: 'topic' })
    enqueue(flow, 'jobs', ['1'])
    await consumer.expectNothing()
    await new Promise<void>((resolve) => flow.broker.clients['c']?.emptyOutgoingQueue(() => resolve()))
    const sent = await consumer.receive({ payload: '1' })
    expect(sent.topic).toBe('$queue/jobs')
  })

  test('does not hold back QoS 0', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    enqueue(flow, 'jobs', numbers(50))
    const consumer = await flow.connect({ properties: { receiveMaximum: 1 } })
    await consumer.subscribe('$queue/jobs', 0)
    expect(await held(consumer)).toBe(50)
  })
})

describe('packet identifiers', () => {
  test('are used again, past one that is still in use', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const consumer = await flow.connect({ properties: { receiveMaximum: 100 } })
    await consumer.subscribe('$queue/jobs', 1)
    enqueue(flow, 'jobs', ['stays'])
    const stays = await consumer.expect('publish', { payload: 'stays' })
    const count = 33_000
    const used = new Set<number>()
    for (let sent = 0; sent < count; sent += 1000) {
      enqueue(flow, 'jobs', numbers(1000))
      for (const { packetId } of await consumer.receiveMany(1000)) {
        expect(packetId).not.toBe(stays.packetId)
        used.add(packetId)
      }
    }
    expect(used.size).toBe(0x7fff)
    expect(Math.min(...used)).toBeGreaterThanOrEqual(0x8000)
    await consumer.expectNothing()
    expect(flow.queues.queue('jobs').stats().messages).toBe(1)
  })

  test('that are not known are acknowledged in vain', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    enqueue(flow, 'jobs', ['one', 'two'])
    const consumer = await flow.connect({ properties: { receiveMaximum: 1 } })
    await consumer.subscribe('$queue/jobs', 1)
    const one = await consumer.expect('publish', { payload: 'one' })
    consumer.sendAck('puback', 0xffff, 0x80)
    consumer.sendAck('puback', 0x9000)
    await consumer.expectNothing()
    await consumer.acknowledge(one)
    await consumer.acknowledge(one)
    await consumer.receive({ payload: 'two' })
    await consumer.expectNothing()
    expect(flow.queues.queue('jobs').stats().messages).toBe(0)
  })
})

test('a consumer that does not read gets of a queue what its outbox holds, and the rest when it reads', async ({
  begin,
}) => {
  const flow = await begin({ limits: { outboxBytesMax: 64 * 1024 } })
  flow.declare('jobs')
  const payload = Buffer.alloc(16 * 1024, 'x')
  const consumer = await flow.connect()
  await consumer.subscribe('$queue/jobs', 0)
  consumer.stopReading()
  const count = 2000
  for (let sent = 0; sent < count; sent++) flow.queues.enqueue('jobs', { payload })
  const publisher = await flow.connect()
  await publisher.expectNothing()
  expect(flow.queues.queue('jobs').readyCount).toBeGreaterThan(0)
  consumer.goOnReading()
  for (let taken = 0; taken < count; taken++) await consumer.take('publish')
  expect(flow.queues.queue('jobs').stats().messages).toBe(0)
})

test('a small outbox does not stop a consumer of QoS 0 that reads', async ({ begin }) => {
  const flow = await begin({ limits: { outboxBytesMax: 16 * 1024 } })
  flow.declare('jobs')
  for (let sent = 0; sent < 500; sent++) {
    flow.queues.enqueue('jobs', { payload: Buffer.alloc(1000, 'x') })
  }
  const consumer = await flow.connect()
  await consumer.subscribe('$queue/jobs', 0)
  for (let taken = 0; taken < 500; taken++) await consumer.take('publish')
  expect(flow.queues.queue('jobs').stats().messages).toBe(0)
})
