import { describe, expect } from 'vitest'
import type { Properties } from '../../src/wire/mqtt/packet.ts'
import type { RawClient } from '../support/raw-client.ts'
import { test } from '../support/queue-flow.ts'
import { subscribePacket } from '../support/wire-writer.ts'

async function ask(client: RawClient, ...filters: string[]): Promise<{ codes: number[]; properties: Properties }> {
  const packetId = client.nextPacketId()
  const list = filters.map((filter) => ({ filter, qos: 1 }))
  client.send(subscribePacket(client.version, packetId, list, {}))
  const { reasonCodes, properties } = await client.take('suback', { packetId })
  return { codes: reasonCodes, properties }
}

describe('SUBSCRIBE', () => {
  const impossible = ['$queue/', '$queue/#', '$queue/+', '$queue/a/+', '$queue/a/#', '$share/g/$queue/jobs']

  test.for(impossible)('to %s is 0x8F with a reason in version 5', async (filter, { begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const client = await flow.connect()
    const { codes, properties } = await ask(client, filter, 'topic')
    expect(codes).toEqual([0x8f, 1])
    expect(properties.reasonString).toMatch(/queue/)
  })

  test.for(impossible)('to %s is 0x80 below version 5, and the client stays connected', async (filter, { begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const client = await flow.connect({ version: 4 })
    const { codes } = await ask(client, filter, 'topic')
    expect(codes).toEqual([0x80, 1])
    await client.expectNothing()
  })

  test('to a queue that is not there is 0x80 with its name', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const client = await flow.connect()
    const { codes, properties } = await ask(client, '$queue/nowhere', '$queue/jobs', '$queue/elsewhere')
    expect(codes).toEqual([0x80, 1, 0x80])
    expect(properties.reasonString).toContain("'nowhere'")
    expect(properties.reasonString).toContain("'elsewhere'")
    expect(await client.unsubscribe('$queue/nowhere')).toEqual([0x11])
  })

  test('is told why in a text that stays short, however long the names are', async ({ begin }) => {
    const flow = await begin()
    const client = await flow.connect()
    const { codes, properties } = await ask(
      client,
      ...Array.from({ length: 50 }, (_, n) => `$queue/${n}${'x'.repeat(2000)}`),
    )
    expect(codes).toEqual(Array.from({ length: 50 }, () => 0x80))
    expect(properties.reasonString).toHaveLength(1000)
    await client.expectNothing()
  })

  test('to somebody else’s exclusive queue is 0x87', async ({ begin }) => {
    const flow = await begin()
    flow.queues.declareQueue('mine', { exclusive: true }, {})
    const client = await flow.connect()
    const { codes, properties } = await ask(client, '$queue/mine')
    expect(codes).toEqual([0x87])
    expect(properties.reasonString).toContain("'mine'")
  })

  test('to a queue that somebody consumes exclusively is 0x87', async ({ begin }) => {
    const flow = await begin()
    flow.declare('jobs')
    const alone = flow.queues.queue('jobs').consume({ ready: true, deliver() {}, cancelled() {} }, { exclusive: true })
    const client = await flow.connect()
    const old = await flow.connect({ version: 4 })
    expect((await ask(client, '$queue/jobs')).codes).toEqual([0x87])
    expect((await ask(old, '$queue/jobs')).codes).toEqual([0x80])
    alone.close()
    expect((await ask(client, '$queue/jobs')).codes).toEqual([1])
  })

  test('counts against the subscriptions that a client may have', async ({ begin }) => {
    const flow = await begin({ limits: { subscriptionsPerClientMax: 2 } })
    for (const name of ['a', 'b', 'c']) flow.declare(name)
    const client = await flow.connect()
    expect((await ask(client, '$queue/a', '$queue/b', '$queue/c')).codes).toEqual([1, 1, 0x97])
    expect(flow.queues.queue('c').consumerCount).toBe(0)
  })

  test('asks the authorizeSubscribe hook first, whether the queue is there or not', async ({ begin }) => {
    const asked: string[] = []
    const flow = await begin({
      authorizeSubscribe(_client, subscription, done) {
        asked.push(subscription.topic)
        done(null, subscription.topic.endsWith('open') ? subscription : null)
      },
    })
    for (const name of ['open', 'closed']) flow.declare(name)
    const client = await flow.connect()
    expect((await ask(client, '$queue/open', '$queue/closed', '$queue/nowhere')).codes).toEqual([1, 0x87, 0x87])
    expect(asked).toEqual(['$queue/open', '$queue/closed', '$queue/nowhere'])
    expect(flow.queues.queue('closed').consumerCount).toBe(0)
  })

  test('that the hook turns into another queue consumes from that one', async ({ begin }) => {
    const flow = await begin({
      authorizeSubscribe: (_client, { topic, ...rest }, done) => done(null, { ...rest, topic: `${topic}-2` }),
    })
    flow.declare('jobs-2')
    const client = await flow.connect()
    expect((await ask(client, '$queue/jobs')).codes).toEqual([1])
    await flow.fill('jobs-2', 'one')
    await client.receive({ topic: '$queue/jobs-2', payload: 'one' })
  })

  test('a session that comes back loses what the hook no longer permits', async ({ begin }) => {
    let permits = true
    const flow = await begin({
      authorizeSubscribe: (_client, subscription, done) => done(null, permits ? subscription : null),
    })
    flow.declare('jobs')
    const client = await flow.resume({ clientId: 'c' })
    await ask(client, '$queue/jobs')
    await client.disconnect()
    permits = false
    await flow.fill('jobs', 'one')
    const back = await flow.resume({ clientId: 'c' })
    await back.expectNothing()
    expect(flow.queues.queue('jobs').stats()).toMatchObject({ consumers: 0, ready: 1 })
  })
})
