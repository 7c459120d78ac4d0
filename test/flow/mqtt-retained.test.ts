import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'

async function retain(client: RawClient, ...topics: string[]): Promise<void> {
  for (const topic of topics) await client.publish(topic, `of ${topic}`, { qos: 1, retain: true })
}

async function topicsOf(client: RawClient, count: number): Promise<string[]> {
  const topics = (await client.receiveMany(count)).map((packet) => packet.topic)
  await client.expectNothing()
  return topics.toSorted()
}

describe.each(versions)('a retained message of $name', ({ version }) => {
  test('is sent to a new subscription with RETAIN 1 (MQTT-3.3.1-8)', async ({ broker }) => {
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await retain(publisher, 'a/b')
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a/b', 1)
    await client.receive({ topic: 'a/b', payload: 'of a/b', retain: true, dup: false, qos: 1 })
    await client.expectNothing()
  })

  test('is sent after SUBACK', async ({ broker }) => {
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await retain(publisher, 'a')
    await publisher.subscribe('a')
    expect(publisher.received.length).toBeLessThanOrEqual(1)
    await publisher.receive({ retain: true })
  })

  test('reaches a subscriber that is already there with RETAIN 0 (MQTT-3.3.1-9)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a')
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await retain(publisher, 'a')
    await client.receive({ topic: 'a', retain: false })
    await client.expectNothing()
  })

  test('is replaced by the next one of its topic (MQTT-3.3.1-5)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.publish('a', 'old', { qos: 2, retain: true })
    await client.publish('a', 'new', { qos: 0, retain: true })
    await client.publish('a', 'passing', { qos: 1 })
    await client.subscribe('a', 2)
    await client.receive({ payload: 'new', qos: 0, retain: true })
    await client.expectNothing()
  })

  test('is deleted by an empty payload, which reaches subscribers as a message (MQTT-3.3.1-6)', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('a')
    const client = await broker.connect({ version, clientId: 'c' })
    await retain(client, 'a', 'b')
    await client.publish('a', '', { qos: 1, retain: true })
    await watcher.receive({ payload: 'of a' })
    await watcher.receive({ payload: '', retain: false })
    await client.subscribe('#')
    await client.receive({ topic: 'b' })
    await client.expectNothing()
  })

  test('is not deleted by an empty payload without RETAIN', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await retain(client, 'a')
    await client.publish('a', '', { qos: 1 })
    await client.subscribe('a')
    await client.receive({ payload: 'of a' })
  })

  test('of an empty payload is not stored (MQTT-3.3.1-7)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.publish('never/stored', '', { qos: 1, retain: true })
    await client.subscribe('never/#')
    await client.expectNothing()
  })

  test('is sent again to a repeated subscription (MQTT-3.8.4-3)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await retain(client, 'a')
    await client.subscribe('a')
    await client.receive({ topic: 'a', retain: true })
    await client.subscribe('a', 1)
    await client.receive({ topic: 'a', retain: true, qos: 1 })
    await client.expectNothing()
  })

  test('outlives its publisher, whose session was clean', async ({ broker }) => {
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await retain(publisher, 'a')
    await publisher.disconnect()
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a')
    await client.receive({ topic: 'a' })
  })

  test('outlives a restart, the deleted one stays away', async ({ start }) => {
    const broker = await start({ persistent: true })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await retain(publisher, 'a/1', 'a/2', 'a/3')
    await publisher.publish('a/2', '', { qos: 1, retain: true })
    await publisher.publish('a/3', 'newer', { qos: 1, retain: true })
    await broker.restart()
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a/+', 1)
    const got = (await client.receiveMany(2)).map(({ topic, payload, retain, qos }) => ({
      topic,
      payload,
      retain,
      qos,
    }))
    expect(got.toSorted((one, other) => one.topic.localeCompare(other.topic))).toEqual([
      { topic: 'a/1', payload: 'of a/1', retain: true, qos: 1 },
      { topic: 'a/3', payload: 'newer', retain: true, qos: 1 },
    ])
    await client.expectNothing()
  })

  test('of QoS 1 for a session that goes away is delivered when it returns', async ({ broker }) => {
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 2, retain: true })
    const { client } = await broker.resume({ version, clientId: 'c' })
    await client.subscribe('a', 2)
    const { packetId } = await client.expect('publish', { topic: 'a', qos: 2, retain: true })
    client.drop()
    const { client: again } = await broker.resume({ version, clientId: 'c' })
    await again.receive({ topic: 'a', qos: 2, packetId, dup: true })
    await again.expectNothing()
  })

  test('is found by each filter that matches its topic', async ({ broker }) => {
    const topics = ['/', '/a', 'a', 'a/', 'a/b', 'a/b/c', 'a//c', 'b/b', '$own/a']
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await retain(publisher, ...topics)
    const found: Record<string, string[]> = {
      a: ['a'],
      'a/#': ['a', 'a/', 'a//c', 'a/b', 'a/b/c'],
      'a/+': ['a/', 'a/b'],
      '+/b': ['a/b', 'b/b'],
      'a/+/c': ['a//c', 'a/b/c'],
      '+': ['a'],
      '/+': ['/', '/a'],
      '+/+': ['/', '/a', 'a/', 'a/b', 'b/b'],
      '#': ['/', '/a', 'a', 'a/', 'a//c', 'a/b', 'a/b/c', 'b/b'],
      '+/#': ['/', '/a', 'a', 'a/', 'a//c', 'a/b', 'a/b/c', 'b/b'],
      '$own/#': ['$own/a'],
      'nothing/+': [],
    }
    for (const [filter, expected] of Object.entries(found)) {
      const client = await broker.connect({ version, clientId: 'c' })
      await client.subscribe(filter)
      expect({ filter, topics: await topicsOf(client, expected.length) }).toEqual({ filter, topics: expected })
    }
  })

  test('is not sent to a shared subscription (section 4.8.2)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await retain(client, 'a')
    await client.subscribe('$share/group/a')
    await client.expectNothing()
  })
})

describe('retain handling', () => {
  test('1 sends retained messages to a new subscription only (MQTT-3.3.1-10)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await retain(client, 'a')
    await client.subscribe({ filter: 'a', retainHandling: 1 })
    await client.receive({ topic: 'a' })
    await client.subscribe({ filter: 'a', retainHandling: 1, qos: 2 })
    await client.expectNothing()
    await client.unsubscribe('a')
    await client.subscribe({ filter: 'a', retainHandling: 1 })
    await client.receive({ topic: 'a' })
  })

  test('1 knows the subscriptions of a resumed session', async ({ broker }) => {
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe('a')
    await client.disconnect()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await retain(publisher, 'a')
    const { client: again } = await broker.resume({ version: 5, clientId: 'c' })
    await again.subscribe({ filter: 'a', retainHandling: 1 })
    await again.expectNothing()
  })

  test('2 never sends them (MQTT-3.3.1-11)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await retain(client, 'a')
    await client.subscribe({ filter: 'a', retainHandling: 2 })
    await client.expectNothing()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'live')
    await client.receive({ payload: 'live', retain: false })
  })

  test('applies to each filter of a SUBSCRIBE by itself', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await retain(client, 'a', 'b', 'c')
    await client.subscribe([
      { filter: 'a', retainHandling: 2 },
      { filter: 'b', retainHandling: 1 },
      { filter: 'c', retainHandling: 0 },
    ])
    expect(await topicsOf(client, 2)).toEqual(['b', 'c'])
  })
})

describe('retain as published', () => {
  test('keeps the flag of the publisher, without it the flag is cleared (MQTT-3.3.1-12, -13)', async ({ broker }) => {
    const keeps = await broker.connect({ version: 5, clientId: 'keeps' })
    await keeps.subscribe({ filter: 'a', retainAsPublished: true })
    const clears = await broker.connect({ version: 5, clientId: 'clears' })
    await clears.subscribe({ filter: 'a' })
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'one', { retain: true })
    await publisher.publish('a', 'two', { retain: false })
    await keeps.receive({ payload: 'one', retain: true })
    await keeps.receive({ payload: 'two', retain: false })
    await clears.receive({ payload: 'one', retain: false })
    await clears.receive({ payload: 'two', retain: false })
  })

  test('holds for messages that wait for an offline session', async ({ broker }) => {
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe({ filter: 'a', retainAsPublished: true, qos: 1 })
    await client.disconnect()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await retain(publisher, 'a')
    const { client: again } = await broker.resume({ version: 5, clientId: 'c' })
    await again.receive({ topic: 'a', retain: true })
  })
})
