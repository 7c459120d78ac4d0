import { describe, expect } from 'vitest'
import { encodeProperties } from '../../src/message/basic-properties.ts'
import type { FieldValue } from '../../src/message/field-table.ts'
import { test } from '../support/queue-flow.ts'
import { subscribePacket } from '../support/wire-writer.ts'

describe('a subscription to $queue/<name>', () => {
  test('gets a message that waits there, and an acknowledgement ends it', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', 'one')
    const consumer = await flow.connect()
    expect(await consumer.subscribe('$queue/jobs', 1)).toEqual([1])
    const sent = await consumer.receive({ topic: '$queue/jobs', payload: 'one', qos: 1, dup: false, retain: false })
    expect(sent.packetId).toBeGreaterThanOrEqual(0x8000)
    await consumer.expectNothing()
    expect(flow.queues.queue('jobs').stats().messages).toBe(0)
  })

  test.for([3, 4, 5] as const)('works the same below version 5 (%s)', async (version, { begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', 'one', 'two')
    const consumer = await flow.connect({ version, clientId: 'c' })
    expect(await consumer.subscribe('$queue/jobs', 2)).toEqual([1])
    await consumer.receive({ topic: '$queue/jobs', payload: 'one', qos: 1 })
    await consumer.receive({ topic: '$queue/jobs', payload: 'two', qos: 1 })
    await consumer.expectNothing()
    expect(flow.queues.queue('jobs').stats().messages).toBe(0)
  })

  test('of QoS 0 is granted as such, and what was written is done with', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', 'one', 'two')
    const consumer = await flow.connect()
    expect(await consumer.subscribe('$queue/jobs', 0)).toEqual([0])
    await consumer.expect('publish', { payload: 'one', qos: 0 })
    await consumer.expect('publish', { payload: 'two', qos: 0 })
    consumer.drop()
    expect(flow.queues.queue('jobs').stats()).toMatchObject({ messages: 0, unacknowledged: 0 })
  })

  test('gets nothing before its SUBACK', async ({ begin }) => {
    const flow = await begin({ durability: 'fsync' })
    flow.declare('jobs')
    await flow.fill('jobs', 'one')
    const consumer = await flow.resume({ clientId: 'c' })
    consumer.send(subscribePacket(5, 1, [{ filter: '$queue/jobs', qos: 1 }]))
    const answer = await consumer.expect('suback')
    await consumer.receive({ payload: 'one' })
    expect(answer.reasonCodes).toEqual([1])
  })

  test('takes all after the prefix as the name, slashes too', async ({ begin }) => {
    const flow = await begin()
    flow.declare('site/1/jobs')
    await flow.fill('site/1/jobs', 'one')
    const consumer = await flow.connect()
    expect(await consumer.subscribe('$queue/site/1/jobs', 1)).toEqual([1])
    const sent = await consumer.receive({ topic: '$queue/site/1/jobs', payload: 'one' })
    expect(sent.properties.userProperties).toContainEqual(['x-queue', 'site/1/jobs'])
  })

  test('competes with all other consumers, in turn', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const first = await flow.connect()
    const second = await flow.connect({ version: 4, clientId: 'c' })
    const library: string[] = []
    await first.subscribe('$queue/jobs', 1)
    await second.subscribe('$queue/jobs', 1)
    flow.queues.queue('jobs').consume({
      ready: true,
      deliver(delivery) {
        library.push(delivery.message.payload.toString())
        delivery.ack()
      },
      cancelled() {},
    })
    await flow.fill('jobs', '1', '2', '3', '4', '5', '6')
    const of = async (client: typeof first): Promise<string[]> =>
      (await client.receiveMany(2)).map(({ payload }) => payload)
    expect([await of(first), await of(second), library].map((each) => each.length)).toEqual([2, 2, 2])
    await first.expectNothing()
    await second.expectNothing()
  })

  test('passes its subscription identifier along, and the one of a later SUBSCRIBE from then on', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1, { subscriptionIdentifiers: [7] })
    await flow.fill('jobs', 'one')
    const one = await consumer.receive({ payload: 'one' })
    await consumer.subscribe('$queue/jobs', 0, { subscriptionIdentifiers: [300] })
    await flow.fill('jobs', 'two')
    const two = await consumer.receive({ payload: 'two', qos: 0 })
    expect([one, two].map(({ properties }) => properties.subscriptionIdentifiers)).toEqual([[7], [300]])
  })

  test('has no use for no-local: a client consumes what it published itself', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const client = await flow.connect()
    await client.subscribe({ filter: '$queue/jobs', noLocal: true, retainHandling: 1 }, 1)
    await client.publish('$queue/jobs', 'own', { qos: 1 })
    const sent = await client.receive({ payload: 'own' })
    expect(sent.qos).toBe(1)
  })

  test('can be made by the program that embeds the broker, for a client', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', 'one')
    const consumer = await flow.connect({ clientId: 'c' })
    const client = flow.broker.clients['c']
    await new Promise((resolve) => client?.subscribe({ topic: '$queue/jobs', qos: 1 }, resolve))
    await consumer.receive({ topic: '$queue/jobs', payload: 'one' })
    await consumer.expectNothing()
    await new Promise((resolve) => client?.unsubscribe({ topic: '$queue/jobs', qos: 1 }, resolve))
    expect(flow.queues.queue('jobs').stats()).toMatchObject({ consumers: 0, messages: 0 })
  })

  test('is asked about by authorizeSubscribe alone, not by authorizeForward', async ({ begin }) => {
    const flow = await begin({ authorizeForward: () => null })
    flow.declare('jobs')
    const consumer = await flow.connect()
    await consumer.subscribe(['$queue/jobs', 'topic'], 1)
    await flow.fill('jobs', 'one')
    await consumer.publish('topic', 'kept back', { qos: 1 })
    const sent = await consumer.receive({ payload: 'one' })
    await consumer.expectNothing()
    expect(sent.topic).toBe('$queue/jobs')
  })

  test('waits while the disk is far behind, and goes on after a commit', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', 'one')
    const { commit } = flow.broker.store
    let congested = true
    Object.defineProperty(commit, 'congested', { configurable: true, get: () => congested })
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    await consumer.expectNothing()
    congested = false
    flow.declare('other')
    await commit.flush()
    await consumer.receive({ payload: 'one' })
    expect(flow.queues.queue('jobs').readyCount).toBe(0)
  })

  test('sends a payload that is larger than what is copied as it came', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const payload = Buffer.alloc(100_000, 'abcdefg')
    const publisher = await flow.connect()
    await publisher.publish('$queue/jobs', payload, { qos: 1 })
    for (const version of [4, 5] as const) {
      const consumer = await flow.connect({ version, clientId: `c${version}` })
      await consumer.subscribe('$queue/jobs', 1)
      const sent = await consumer.take('publish')
      expect(sent.payloadBytes.equals(payload)).toBe(true)
      consumer.drop()
    }
  })
})

describe('a consumer of version 5', () => {
  test('is told the original topic, the queue and how often the message came back', async ({ begin }) => {
    const flow = await begin()
    flow.declare('temps')
    flow.queues.bind({ source: 'amq.topic', target: 'temps', key: 'site.*.temp' })
    const publisher = await flow.connect()
    await publisher.publish('site/ä/temp', '21', { qos: 1 })
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/temps', 1)
    const { properties } = await consumer.receive({ topic: '$queue/temps', payload: '21' })
    expect(new Map(properties.userProperties)).toEqual(
      new Map([
        ['x-queue', 'temps'],
        ['x-mqtt-topic', 'site/ä/temp'],
        ['x-delivery-count', '0'],
      ]),
    )
  })

  test('gets the MQTT 5 properties of the publisher, and the rest of its expiry', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const publisher = await flow.connect()
    const properties = {
      payloadFormatIndicator: 1 as const,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([1, 2, 3]),
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ] as [string, string][],
    }
    await publisher.publish('$queue/jobs', 'x', { qos: 1, properties: { ...properties, messageExpiryInterval: 100 } })
    await flow.clock.advance(30_000)
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    const sent = await consumer.receive({ payload: 'x' })
    const { userProperties, ...rest } = properties
    expect(sent.properties).toMatchObject({ ...rest, messageExpiryInterval: 70 })
    expect(sent.properties.userProperties?.filter(([name]) => name === 'a')).toEqual(userProperties)
  })

  test('gets an expiry that the protocol can say, though the clock was set back', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const publisher = await flow.connect()
    const properties = { messageExpiryInterval: 0xffff_ffff }
    await publisher.publish('$queue/jobs', 'x', { qos: 1, properties })
    await flow.clock.advance(-60_000)
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    const sent = await consumer.receive({ payload: 'x' })
    expect(sent.properties.messageExpiryInterval).toBe(0xffff_ffff)
  })

  test('cannot be deceived by user properties with the names of the broker', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const publisher = await flow.connect()
    const userProperties: [string, string][] = [
      ['x-mqtt-topic', 'forged'],
      ['x-delivery-count', '99'],
      ['x-queue', 'forged'],
      ['x-other', 'kept'],
    ]
    await publisher.publish('$queue/jobs', 'x', { qos: 1, properties: { userProperties, contentType: 'kept' } })
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    const { properties } = await consumer.receive({ payload: 'x' })
    expect(properties.contentType).toBe('kept')
    expect(properties.userProperties?.toSorted()).toEqual([
      ['x-delivery-count', '0'],
      ['x-mqtt-topic', '$queue/jobs'],
      ['x-other', 'kept'],
      ['x-queue', 'jobs'],
    ])
  })

  test('gets what came over AMQP with its properties as MQTT has them', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const headers = new Map<string, FieldValue>([
      ['tries', 3],
      ['x-queue', 'forged'],
    ])
    const properties = encodeProperties({ contentType: 'application/json', correlationId: 'c-1', headers })
    flow.queues.enqueue('jobs', { payload: Buffer.from('{}'), properties })
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    const sent = await consumer.receive({ payload: '{}' })
    expect(sent.properties).toMatchObject({ contentType: 'application/json', correlationData: Buffer.from('c-1') })
    expect(sent.properties.userProperties?.toSorted()).toEqual([
      ['tries', '3'],
      ['x-delivery-count', '0'],
      ['x-mqtt-topic', 'jobs'],
      ['x-queue', 'jobs'],
    ])
  })
})
