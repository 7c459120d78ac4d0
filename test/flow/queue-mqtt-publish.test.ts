import { describe, expect } from 'vitest'
import { test } from '../support/queue-flow.ts'

describe('PUBLISH to $queue/<name>', () => {
  test.for([0, 1, 2])('puts one message into the queue (QoS %s)', async (qos, { begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const publisher = await flow.connect()
    for (const payload of ['one', 'two', 'three']) await publisher.publish('$queue/jobs', payload, { qos })
    expect(await flow.ready('jobs')).toEqual(['one', 'two', 'three'])
  })

  test.for([1, 2])('is acknowledged when it is on disk (QoS %s)', async (qos, { begin }) => {
    const flow = await begin({ durability: 'fsync' })
    flow.declare('jobs')
    const { commit } = flow.broker.store
    const publisher = await flow.connect()
    const before = commit.committedEpoch
    const answer = await publisher.publish('$queue/jobs', 'one', { qos })
    expect(answer.reasonCode).toBe(0)
    expect(commit.committedEpoch).toBeGreaterThan(before)
    await flow.restart()
    expect(await flow.ready('jobs')).toEqual(['one'])
  })

  test('of QoS 2 that is sent again puts it there once', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const publisher = await flow.connect()
    for (const dup of [false, true]) {
      publisher.sendPublish({ topic: '$queue/jobs', payload: 'one', qos: 2, packetId: 5, dup })
      await publisher.expect('pubrec', { packetId: 5, reasonCode: 0 })
    }
    publisher.sendAck('pubrel', 5)
    await publisher.expect('pubcomp')
    expect(await flow.ready('jobs')).toEqual(['one'])
  })

  test('reaches no subscriber, whatever the filter, and no binding', async ({ begin }) => {
    const flow = await begin()
    for (const name of ['jobs', 'all', 'same']) flow.declare(name)
    flow.queues.bind({ source: 'amq.topic', target: 'all', key: '#' })
    flow.queues.bind({ source: 'amq.topic', target: 'same', key: '$queue.jobs' })
    const client = await flow.connect()
    await client.subscribe(['#', '+/jobs', '$share/g/#'], 1)
    await client.publish('$queue/jobs', 'one', { qos: 1 })
    await client.expectNothing()
    expect([await flow.ready('jobs'), await flow.ready('all'), await flow.ready('same')]).toEqual([['one'], [], []])
  })

  test('with RETAIN retains nothing', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const client = await flow.connect()
    await client.publish('$queue/jobs', 'one', { qos: 1, retain: true })
    expect([...flow.broker.retained.match('$queue/jobs')]).toEqual([])
    await client.subscribe('$queue/jobs', 1)
    await client.receive({ payload: 'one', retain: false })
    await client.expectNothing()
  })

  test.for([1, 2])('to a queue that refuses is 0x97 (QoS %s)', async (qos, { begin }) => {
    const flow = await begin()
    flow.declare('short', { 'x-max-length': 1, 'x-overflow': 'reject-publish' })
    const publisher = await flow.connect()
    const codes: number[] = []
    for (const payload of ['one', 'two']) {
      codes.push((await publisher.publish('$queue/short', payload, { qos })).reasonCode)
    }
    expect(codes).toEqual([0, 0x97])
    expect(await flow.ready('short')).toEqual(['one'])
  })

  test('to a queue that refuses is not answered below version 5', async ({ begin }) => {
    const flow = await begin()
    flow.declare('short', { 'x-max-length': 1, 'x-overflow': 'reject-publish' })
    const publisher = await flow.connect({ version: 4 })
    await publisher.publish('$queue/short', 'one', { qos: 1 })
    publisher.sendPublish({ topic: '$queue/short', payload: 'two', qos: 1, packetId: 9 })
    await publisher.expectNothing()
    expect(await flow.ready('short')).toEqual(['one'])
  })

  test.for([1, 2])('to a queue that is not there is 0x90, logged and counted (QoS %s)', async (qos, { begin }) => {
    const flow = await begin()
    const publisher = await flow.connect({ clientId: 'p' })
    const { reasonCode, properties } = await publisher.publish('$queue/nowhere', 'x', { qos })
    expect(reasonCode).toBe(0x90)
    expect(properties.reasonString).toBe('there is no such queue')
    expect(flow.broker.counters.publishRefused).toBe(1)
    expect(flow.log.about('p').map(({ fields }) => fields)).toContainEqual({ clientId: 'p', queue: 'nowhere' })
    await publisher.expectNothing()
  })

  test.for([0, 1])('to a queue that is not there closes a client below version 5 (QoS %s)', async (qos, { begin }) => {
    const flow = await begin()
    const publisher = await flow.connect({ version: 4 })
    publisher.sendPublish({ topic: '$queue/nowhere', payload: 'x', qos, packetId: 9 })
    await publisher.expectClosed()
    expect(flow.broker.counters.publishRefused).toBe(1)
  })

  test('at QoS 0, many in one chunk, finds the queue as soon as it is there', async ({ begin }) => {
    const flow = await begin()
    const publisher = await flow.connect()
    const send = async (): Promise<void> => {
      for (let sent = 0; sent < 10; sent++) publisher.sendPublish({ topic: '$queue/jobs', payload: `${sent}` })
      await publisher.expectNothing()
    }
    await send()
    expect(flow.broker.counters.publishRefused).toBe(10)
    flow.declare('jobs')
    await send()
    expect(flow.queues.queue('jobs').readyCount).toBe(10)
    flow.queues.deleteQueue('jobs')
    await send()
    expect(flow.broker.counters.publishRefused).toBe(20)
  })

  test('asks the authorizePublish hook, which may also send it there', async ({ begin }) => {
    const flow = await begin({
      authorizePublish(_client, packet, done) {
        if (packet.topic === 'jobs') packet.topic = '$queue/jobs'
        done(packet.topic === '$queue/closed' ? new Error('not allowed here') : null)
      },
    })
    for (const name of ['jobs', 'closed']) flow.declare(name)
    const publisher = await flow.connect()
    const answers = ['$queue/closed', 'jobs', '$queue/jobs', '$queue/nowhere'].map((topic) => async () => {
      const { reasonCode } = await publisher.publish(topic, topic, { qos: 1 })
      return reasonCode
    })
    const codes: number[] = []
    for (const answer of answers) codes.push(await answer())
    expect(codes).toEqual([0x87, 0, 0, 0x90])
    expect([await flow.ready('jobs'), await flow.ready('closed')]).toEqual([['jobs', '$queue/jobs'], []])
  })

  test('with a name as long as a topic may be is refused as any other', async ({ begin }) => {
    const flow = await begin()
    const publisher = await flow.connect()
    const { reasonCode } = await publisher.publish(`$queue/${'x'.repeat(65_000)}`, 'x', { qos: 1 })
    expect(reasonCode).toBe(0x90)
    await publisher.expectNothing()
  })

  test('with a topic alias works too', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const publisher = await flow.connect()
    await publisher.publish('$queue/jobs', 'one', { qos: 1, properties: { topicAlias: 1 } })
    await publisher.publish('', 'two', { qos: 1, properties: { topicAlias: 1 } })
    expect(await flow.ready('jobs')).toEqual(['one', 'two'])
  })
})

test('a will to $queue/<name> enters the queue', async ({ begin }) => {
  const flow = await begin()
  flow.declare('deaths')
  const client = await flow.connect({ will: { topic: '$queue/deaths', payload: 'gone', qos: 1, retain: true } })
  client.drop()
  const consumer = await flow.connect()
  await consumer.subscribe('$queue/deaths', 1)
  await consumer.receive({ payload: 'gone', retain: false })
  expect([...flow.broker.retained.match('#')]).toEqual([])
})

test('a program that embeds the broker publishes into a queue, and hears where there is none', async ({ begin }) => {
  const flow = await begin()
  flow.declare('jobs')
  const publish = (topic: string): Promise<string> =>
    new Promise((resolve) => {
      flow.broker.publish({ topic, payload: 'one', qos: 1 }, (error) => resolve(error?.message ?? 'done'))
    })
  expect(await publish('$queue/jobs')).toBe('done')
  expect(await publish('$queue/nowhere')).toMatch(/refused/)
  expect(await flow.ready('jobs')).toEqual(['one'])
})
