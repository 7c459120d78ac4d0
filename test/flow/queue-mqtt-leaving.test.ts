import { duplexPair } from 'node:stream'
import { describe, expect } from 'vitest'
import { RawClient } from '../support/raw-client.ts'
import { type QueueFlow, test } from '../support/queue-flow.ts'

const JOBS = ['1', '2', '3', '4']

/** The broker has seen the end of all connections that ended before. */
async function settled(flow: QueueFlow): Promise<void> {
  const probe = await flow.connect()
  await probe.disconnect()
}

/** What a client gets that consumes: payload and how often it came back. */
async function consumed(flow: QueueFlow, count: number): Promise<string[]> {
  const consumer = await flow.connect()
  await consumer.subscribe('$queue/jobs', 1)
  const packets = await consumer.receiveMany(count)
  await consumer.expectNothing()
  await consumer.disconnect()
  return packets.map(({ payload, dup, properties }) => {
    expect(dup).toBe(false)
    return `${payload}:${new Map(properties.userProperties).get('x-delivery-count')}`
  })
}

async function holding(client: RawClient): Promise<void> {
  await client.subscribe('$queue/jobs', 1)
  for (const payload of ['1', '2']) await client.expect('publish', { payload })
}

describe('what a consumer has not answered is ready again at its old place, counted', () => {
  const ways: [string, (flow: QueueFlow, consumer: RawClient) => Promise<void>][] = [
    ['its connection breaks', async (_flow, consumer) => consumer.drop()],
    ['it disconnects', async (_flow, consumer) => consumer.disconnect()],
    ['it breaks the protocol', async (_flow, consumer) => consumer.send(Buffer.from([0xf0, 0])).end()],
    ['it unsubscribes', async (_flow, consumer) => void (await consumer.unsubscribe('$queue/jobs'))],
    ['it is taken over', async (flow) => void (await flow.resume({ clientId: 'c', clean: true }))],
    ['the broker closes it', async (flow) => flow.broker.clients['c']?.close()],
    ['the broker restarts', async (flow) => flow.restart()],
  ]
  test.for(ways)('when %s', async ([, way], { begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', ...JOBS)
    const consumer = await flow.connect({ clientId: 'c', properties: { receiveMaximum: 2 } })
    await holding(consumer)
    await way(flow, consumer)
    await settled(flow)
    expect(await consumed(flow, 4)).toEqual(['1:1', '2:1', '3:0', '4:0'])
  })

  test('also when its client begins anew with a clean start', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', ...JOBS)
    const consumer = await flow.resume({ clientId: 'c', properties: { receiveMaximum: 2 } })
    await holding(consumer)
    const again = await flow.connect({ clientId: 'c', clean: true })
    expect(await consumed(flow, 4)).toEqual(['1:1', '2:1', '3:0', '4:0'])
    await again.expectNothing()
  })
})

test('what was acknowledged does not come back', async ({ begin }) => {
  const flow = await begin()
  flow.declare('jobs')
  await flow.fill('jobs', ...JOBS)
  const consumer = await flow.connect({ properties: { receiveMaximum: 2 } })
  await consumer.subscribe('$queue/jobs', 1)
  await consumer.expect('publish', { payload: '1' })
  await consumer.receive({ payload: '2' })
  await consumer.expect('publish', { payload: '3' })
  consumer.drop()
  await settled(flow)
  expect(await consumed(flow, 3)).toEqual(['1:1', '3:1', '4:0'])
})

test('each time that a message comes back counts', async ({ begin }) => {
  const flow = await begin()
  flow.declare('jobs')
  await flow.fill('jobs', '1')
  for (let times = 0; times < 3; times++) {
    const consumer = await flow.connect({ version: 4, clientId: 'c' })
    await consumer.subscribe('$queue/jobs', 1)
    await consumer.expect('publish', { payload: '1', dup: false })
    consumer.drop()
    await settled(flow)
  }
  expect(await consumed(flow, 1)).toEqual(['1:3'])
})

test('what never left the process does not count as having come back', async ({ begin }) => {
  const flow = await begin()
  flow.declare('jobs')
  const [near, far] = duplexPair()
  flow.broker.handle(far)
  const consumer = new RawClient(near, 5)
  consumer.sendConnect({ clientId: 'c' })
  await consumer.expect('connack')
  await consumer.subscribe('$queue/jobs', 1)
  far.destroy()
  // In the same turn, so that the broker has not seen the end yet.
  flow.queues.enqueue('jobs', { payload: Buffer.from('1') })
  expect(flow.queues.queue('jobs').stats()).toMatchObject({ ready: 0, unacknowledged: 1 })
  await settled(flow)
  expect(await consumed(flow, 1)).toEqual(['1:0'])
})

test('a message that came back too often is dead-lettered', async ({ begin }) => {
  const flow = await begin()
  flow.declare('dead')
  flow.declare('jobs', {
    'x-delivery-limit': 1,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'dead',
  })
  await flow.fill('jobs', '1')
  for (let times = 0; times < 2; times++) {
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    await consumer.expect('publish', { payload: '1' })
    consumer.drop()
    await settled(flow)
  }
  expect([await flow.ready('jobs'), await flow.ready('dead')]).toEqual([[], ['1']])
})

describe('after UNSUBSCRIBE', () => {
  test('nothing more comes, and a late acknowledgement changes nothing', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', '1')
    const consumer = await flow.connect()
    await consumer.subscribe('$queue/jobs', 1)
    const late = await consumer.expect('publish', { payload: '1' })
    expect(await consumer.unsubscribe('$queue/jobs', '$queue/jobs')).toEqual([0, 0x11])
    await consumer.acknowledge(late)
    await flow.fill('jobs', '2')
    await consumer.expectNothing()
    expect(await flow.ready('jobs')).toEqual(['1', '2'])
  })

  test('what is unanswered still takes its place in the window', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    await flow.fill('jobs', '1', '2')
    const consumer = await flow.connect({ properties: { receiveMaximum: 1 } })
    await consumer.subscribe('$queue/jobs', 1)
    const held = await consumer.expect('publish', { payload: '1' })
    await consumer.unsubscribe('$queue/jobs')
    await consumer.subscribe('$queue/jobs', 1)
    await consumer.expectNothing()
    await consumer.acknowledge(held)
    const again = await consumer.receive({ payload: '1' })
    expect(again.packetId).not.toBe(held.packetId)
    await consumer.receive({ payload: '2' })
  })
})

describe('a subscription of a session that is kept', () => {
  test('consumes again when its client comes back, without a new SUBSCRIBE', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const consumer = await flow.resume({ clientId: 'c' })
    await consumer.subscribe('$queue/jobs', 1, { subscriptionIdentifiers: [9] })
    consumer.drop()
    await settled(flow)
    await flow.fill('jobs', '1', '2')
    expect(flow.queues.queue('jobs').stats()).toMatchObject({ consumers: 0, ready: 2 })
    const back = await flow.resume({ clientId: 'c' })
    const first = await back.receive({ payload: '1' })
    expect(first.properties.subscriptionIdentifiers).toEqual([9])
    await back.receive({ payload: '2' })
    await back.expectNothing()
  })

  test.for([4, 5] as const)('is kept over a restart of the broker (%s)', async (version, { begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const consumer = await flow.resume({ version, clientId: 'c' })
    expect(await consumer.subscribe(['$queue/jobs', 'other'], 1)).toEqual([1, 1])
    await flow.restart()
    expect(flow.queues.queue('jobs').stats().consumers).toBe(0)
    await flow.fill('jobs', '1')
    const back = await flow.resume({ version, clientId: 'c' })
    await back.receive({ payload: '1', topic: '$queue/jobs' })
    expect(await back.unsubscribe('$queue/jobs')).toEqual(version === 5 ? [0] : [])
  })

  test('competes with nobody while its client is away', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const consumer = await flow.resume({ clientId: 'c' })
    await consumer.subscribe('$queue/jobs', 1)
    await consumer.disconnect()
    await flow.fill('jobs', ...JOBS)
    expect(await consumed(flow, 4)).toEqual(['1:0', '2:0', '3:0', '4:0'])
  })

  test('goes, with a line in the log, when the queue was deleted meanwhile', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const consumer = await flow.resume({ clientId: 'c' })
    await consumer.subscribe('$queue/jobs', 1)
    await consumer.disconnect()
    flow.queues.deleteQueue('jobs')
    const back = await flow.resume({ clientId: 'c' })
    await back.expectNothing()
    flow.declare('jobs')
    await flow.fill('jobs', '1')
    await back.expectNothing()
    const warnings = flow.log.about('c').filter(({ level }) => level === 'warn')
    expect(warnings.map(({ fields }) => fields)).toMatchObject([{ filter: '$queue/jobs' }])
    expect(await back.unsubscribe('$queue/jobs')).toEqual([0x11])
  })
})

test('deleting a queue ends the consumption, and an acknowledgement that comes later is harmless', async ({
  begin,
}) => {
  const flow = await begin()
  flow.declare('jobs')
  await flow.fill('jobs', '1')
  const consumer = await flow.connect({ clientId: 'c', properties: { receiveMaximum: 1 } })
  await consumer.subscribe('$queue/jobs', 1)
  const held = await consumer.expect('publish', { payload: '1' })
  flow.queues.deleteQueue('jobs')
  await consumer.acknowledge(held)
  expect(await consumer.unsubscribe('$queue/jobs')).toEqual([0x11])
  flow.declare('jobs')
  await flow.fill('jobs', '2')
  await consumer.expectNothing()
  expect(await consumer.subscribe('$queue/jobs', 1)).toEqual([1])
  await consumer.receive({ payload: '2' })
})

test('a queue that goes with its last consumer goes with the connection', async ({ begin }) => {
  const flow = await begin()
  flow.queues.declareQueue('jobs', { autoDelete: true })
  const consumer = await flow.connect()
  await consumer.subscribe('$queue/jobs', 1)
  consumer.drop()
  await settled(flow)
  expect(flow.queues.queues.has('jobs')).toBe(false)
})

test('what is purged while a client holds it stays with the client', async ({ begin }) => {
  const flow = await begin()
  flow.declare('jobs')
  await flow.fill('jobs', '1', '2')
  const consumer = await flow.connect({ properties: { receiveMaximum: 1 } })
  await consumer.subscribe('$queue/jobs', 1)
  const held = await consumer.expect('publish', { payload: '1' })
  expect(flow.queues.queue('jobs').purge()).toBe(1)
  await consumer.acknowledge(held)
  await consumer.expectNothing()
  expect(flow.queues.queue('jobs').stats().messages).toBe(0)
})
