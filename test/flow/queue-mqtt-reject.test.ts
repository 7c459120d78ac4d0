import { describe, expect } from 'vitest'
import type { FieldValue } from '../../src/message/field-table.ts'
import { test } from '../support/queue-flow.ts'

const TO_DEAD = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' }
const NAMES = ['x-first-death-reason', 'x-first-death-queue', 'x-last-death-reason', 'x-last-death-queue']

describe('a PUBACK with a reason code', () => {
  test.for([0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])('of %s rejects: dead letter', async (reasonCode, { begin }) => {
    const flow = await begin()
    flow.declare('dead')
    flow.declare('jobs', TO_DEAD)
    await flow.fill('jobs', 'bad', 'good')
    const consumer = await flow.connect({ properties: { receiveMaximum: 1 } })
    await consumer.subscribe('$queue/jobs', 1)
    const { packetId } = await consumer.expect('publish', { payload: 'bad' })
    consumer.sendAck('puback', packetId, reasonCode)
    await consumer.receive({ payload: 'good' })
    await consumer.expectNothing()
    expect([await flow.ready('jobs'), await flow.ready('dead')]).toEqual([[], ['bad']])
  })

  test('below 0x80 acknowledges', async ({ begin }) => {
    const flow = await begin()
    flow.declare('dead')
    flow.declare('jobs', TO_DEAD)
    await flow.fill('jobs', 'one')
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    const { packetId } = await consumer.expect('publish')
    consumer.sendAck('puback', packetId, 0x10)
    await consumer.expectNothing()
    expect([await flow.ready('jobs'), await flow.ready('dead')]).toEqual([[], []])
  })

  test('of 0x80 without a dead-letter exchange drops', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', 'bad')
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    const { packetId } = await consumer.expect('publish')
    consumer.sendAck('puback', packetId, 0x80)
    await consumer.expectNothing()
    expect(flow.queues.queue('jobs').stats().messages).toBe(0)
  })

  test('of 0x80 is tried again after each of the retry delays, counted', async ({ begin }) => {
    const flow = await begin()
    flow.declare('dead')
    flow.declare('jobs', { ...TO_DEAD, 'x-retry-delays': [1000, 5000] as FieldValue })
    await flow.fill('jobs', 'bad')
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    for (const [count, delayMs] of [1000, 5000, 0].entries()) {
      const { packetId, properties } = await consumer.expect('publish', { payload: 'bad' })
      expect(properties.userProperties).toContainEqual(['x-delivery-count', String(count)])
      consumer.sendAck('puback', packetId, 0x80)
      await consumer.expectNothing()
      await flow.clock.advance(delayMs)
    }
    expect(await flow.ready('dead')).toEqual(['bad'])
  })
})

test('a dead letter tells its consumer where and why it died', async ({ begin }) => {
  const flow = await begin()
  flow.declare('dead')
  flow.declare('jobs', TO_DEAD)
  await flow.fill('jobs', 'bad')
  const consumer = await flow.connect()
  await consumer.subscribe(['$queue/jobs', '$queue/dead'], 1)
  const { packetId } = await consumer.expect('publish', { topic: '$queue/jobs' })
  consumer.sendAck('puback', packetId, 0x80)
  const { properties } = await consumer.receive({ topic: '$queue/dead', payload: 'bad' })
  const found = new Map(properties.userProperties)
  expect(found.has('x-death')).toBe(false)
  expect(NAMES.map((name) => found.get(name))).toEqual(['rejected', 'jobs', 'rejected', 'jobs'])
  expect(found.get('x-mqtt-topic')).toBe('$queue/jobs')
})

test('a queue without a dead-letter routing key sends what was published to it on under its own name', async ({
  begin,
}) => {
  const flow = await begin()
  flow.queues.declareExchange('deaths', { type: 'direct' })
  flow.declare('dead')
  flow.queues.bind({ source: 'deaths', target: 'dead', key: 'jobs' })
  flow.declare('jobs', { 'x-dead-letter-exchange': 'deaths' })
  await flow.fill('jobs', 'bad')
  const consumer = await flow.connect()
  await consumer.subscribe('$queue/jobs', 1)
  const { packetId } = await consumer.expect('publish')
  consumer.sendAck('puback', packetId, 0x80)
  await consumer.expectNothing()
  const [death] = flow.queues.queue('dead').get()?.message.amqp?.deaths ?? []
  expect(death).toMatchObject({ queue: 'jobs', reason: 'rejected', exchange: '', routingKeys: ['jobs'] })
})

describe('a message that is larger than the Maximum Packet Size of its consumer', () => {
  test.for([0, 1])('is dead-lettered and holds up nobody (QoS %s)', async (qos, { begin }) => {
    const flow = await begin()
    flow.declare('dead')
    flow.declare('jobs', TO_DEAD)
    await flow.fill('jobs', 'a'.repeat(1000), 'small', 'b'.repeat(1000), 'tiny')
    const consumer = await flow.connect({
      clientId: 'c',
      properties: { maximumPacketSize: 500, receiveMaximum: 1 },
    })
    await consumer.subscribe('$queue/jobs', qos)
    await consumer.receive({ payload: 'small', qos })
    await consumer.receive({ payload: 'tiny', qos })
    await consumer.expectNothing()
    expect(await flow.ready('dead')).toEqual(['a'.repeat(1000), 'b'.repeat(1000)])
    expect(flow.queues.queue('jobs').stats().messages).toBe(0)
    expect(flow.log.about('c').filter(({ level }) => level === 'warn')).toHaveLength(2)
  })

  test('is dropped, with a line in the log, where there is no dead-letter exchange', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', 'a'.repeat(1000), 'small')
    const consumer = await flow.connect({ clientId: 'c', properties: { maximumPacketSize: 500 } })
    await consumer.subscribe('$queue/jobs', 1)
    await consumer.receive({ payload: 'small' })
    await consumer.expectNothing()
    const [line] = flow.log.about('c').filter(({ level }) => level === 'warn')
    expect(line?.fields).toMatchObject({ queue: 'jobs' })
    expect(flow.queues.queue('jobs').stats().messages).toBe(0)
  })

  test('is sent when it just fits', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', 'x'.repeat(300))
    const probe = await flow.connect()
    await probe.subscribe('$queue/jobs', 1)
    const { size } = await probe.expect('publish')
    await probe.disconnect()
    const consumer = await flow.connect({ properties: { maximumPacketSize: size } })
    await consumer.subscribe('$queue/jobs', 1)
    const fitting = await consumer.receive()
    expect(fitting.size).toBe(size)
    await flow.fill('jobs', 'x'.repeat(301))
    await consumer.expectNothing()
  })

  test('does not go round for ever where its dead letters come back to the queue', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs', { ...TO_DEAD, 'x-dead-letter-routing-key': 'jobs' })
    await flow.fill('jobs', 'a'.repeat(1000), 'small')
    const consumer = await flow.connect({ properties: { maximumPacketSize: 500 } })
    await consumer.subscribe('$queue/jobs', 1)
    await consumer.receive({ payload: 'small' })
    await consumer.expectNothing()
    expect(flow.queues.queue('jobs').stats().messages).toBe(0)
  })
})
