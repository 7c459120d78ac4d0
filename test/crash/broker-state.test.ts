import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RawClient } from '../support/raw-client.ts'
import { ChildBroker } from './broker-child.ts'

let broker: ChildBroker
let round = 0
// One broker goes through all the crashes, so each test has names of its own.
let clientId: string
let topic: string

beforeAll(async () => {
  broker = await ChildBroker.start()
})

beforeEach(() => {
  round++
  clientId = `client ${round}`
  topic = `topic/${round}`
})

afterAll(() => broker.stop())

/** Subscribes with a session that waits offline: what is published as the broker starts is not missed. */
async function watch(filter: string): Promise<void> {
  const { client } = await broker.resume({ clientId: `watcher ${round}` })
  await client.subscribe(filter, 1)
  await client.disconnect()
}

async function watcher(): Promise<RawClient> {
  return (await broker.resume({ clientId: `watcher ${round}` })).client
}

describe('after kill -9 of the broker', () => {
  test('retained messages are there in their last state, and the deleted ones are not', async () => {
    const publisher = await broker.connect()
    await publisher.publish(`${topic}/replaced`, 'old', { qos: 1, retain: true })
    await publisher.publish(`${topic}/replaced`, 'new', { qos: 2, retain: true })
    await publisher.publish(`${topic}/deleted`, 'x', { qos: 1, retain: true })
    await publisher.publish(`${topic}/kept`, 'k', { qos: 1, retain: true })
    await publisher.publish(`${topic}/deleted`, '', { qos: 1, retain: true })
    await broker.killAndRestart()
    const reader = await broker.connect()
    await reader.subscribe(`${topic}/#`, 2)
    const got = (await reader.receiveMany(2)).map((packet) => `${packet.topic} ${packet.payload} ${packet.retain}`)
    expect(got.toSorted()).toEqual([`${topic}/kept k true`, `${topic}/replaced new true`])
    await reader.expectNothing()
  })

  test('the will of a client that was connected goes out once', async () => {
    await watch(topic)
    await broker.connect({ clientId, will: { topic, payload: 'gone', qos: 1, retain: true } })
    await broker.killAndRestart()
    const watching = await watcher()
    await watching.receive({ topic, payload: 'gone', qos: 1 })
    await watching.expectNothing()
    await broker.killAndRestart()
    const again = await watcher()
    await again.expectNothing()
    await again.subscribe(topic)
    await again.receive({ payload: 'gone', retain: true })
  })

  test('the will of a client that said DISCONNECT before does not go out', async () => {
    await watch(topic)
    const client = await broker.connect({ clientId, will: { topic, payload: 'gone', qos: 1 } })
    await client.disconnect()
    // An acknowledgement that comes after the deletion of the will shows that the deletion is on disk.
    await (await broker.connect()).publish(topic, 'mark', { qos: 1 })
    await broker.killAndRestart()
    const watching = await watcher()
    await watching.receive({ payload: 'mark' })
    await watching.expectNothing()
  })

  test('a will with delay waits for its delay, beginning with the restart', async () => {
    const will = { topic, payload: 'gone', qos: 1, properties: { willDelayInterval: 1 } }
    await broker.connect({ version: 5, clientId, will, properties: { sessionExpiryInterval: 60 } })
    await broker.killAndRestart()
    const watching = await broker.connect()
    await watching.subscribe(topic, 1)
    await watching.expectNothing()
    await watching.receive({ payload: 'gone', retain: false })
  })

  test('a will with delay is dropped when its client comes back in time', async () => {
    const will = { topic, payload: 'gone', qos: 1, properties: { willDelayInterval: 2 } }
    await broker.connect({ version: 5, clientId, will, properties: { sessionExpiryInterval: 60 } })
    await watch(topic)
    await broker.killAndRestart()
    const { present } = await broker.resume({ version: 5, clientId })
    expect(present).toBe(true)
    await broker.killAndRestart()
    await (await watcher()).expectNothing()
  })

  test('a session that expires ends by the wall clock, and its delayed will goes out then', async () => {
    const will = { topic, payload: 'ended', qos: 1, properties: { willDelayInterval: 600 } }
    const { client } = await broker.resume({ version: 5, clientId, will }, 1)
    await client.subscribe('a', 1)
    client.drop()
    await watch(topic)
    await broker.killAndRestart()
    const watching = await watcher()
    await watching.receive({ payload: 'ended' })
    const { present } = await broker.resume({ version: 5, clientId })
    expect(present).toBe(false)
  })

  test('a session that does not outlive its connection leaves nothing', async () => {
    const client = await broker.connect({ clientId })
    await client.subscribe(topic, 1)
    await broker.killAndRestart()
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    const { client: back, present } = await broker.resume({ clientId })
    expect(present).toBe(false)
    await back.expectNothing()
  })

  test('what waited for a shared group is given to its members, each message once', async () => {
    const filter = `$share/group/${topic}`
    for (const member of ['one', 'two']) {
      const { client } = await broker.resume({ version: 5, clientId: `${member} ${round}` })
      await client.subscribe(filter, 1)
      await client.disconnect()
    }
    const publisher = await broker.connect()
    const sent = Array.from({ length: 20 }, (_, index) => String(index))
    for (const payload of sent) await publisher.publish(topic, payload, { qos: 1 })
    await broker.killAndRestart()
    const { client: one } = await broker.resume({
      version: 5,
      clientId: `one ${round}`,
      properties: { sessionExpiryInterval: 3600, receiveMaximum: 5 },
    })
    const first = [await one.expect('publish'), await one.expect('publish')]
    const { client: two } = await broker.resume({ version: 5, clientId: `two ${round}` })
    const rest = await two.receiveMany(15)
    const others = [...first, ...one.received.splice(0)]
    expect(others).toHaveLength(5)
    expect([...others, ...rest].map(({ payload }) => payload).toSorted(byNumber)).toEqual(sent)
    await two.expectNothing()
  })

  test('what a member of a shared group had not acknowledged is not lost', async () => {
    const { client } = await broker.resume({ version: 5, clientId })
    await client.subscribe(`$share/group/${topic}`, 1)
    const publisher = await broker.connect()
    for (const payload of ['1', '2', '3']) await publisher.publish(topic, payload, { qos: 1 })
    await client.receive({ payload: '1' })
    await broker.killAndRestart()
    const { client: back } = await broker.resume({ version: 5, clientId })
    const got = new Set<string>()
    while (!got.has('2') || !got.has('3')) got.add((await back.receive()).payload)
    // The acknowledgement of the first may have been on its way to the disk.
    expect([...got].filter((payload) => payload !== '1').toSorted()).toEqual(['2', '3'])
  })
})

function byNumber(one: string, other: string): number {
  return Number(one) - Number(other)
}

describe('kill -9 at any moment', () => {
  test('loses no message of QoS 1 that was acknowledged, and keeps their order', async () => {
    const total = 3000
    await watch(topic)
    for (let run = 0; run < 3; run++) {
      const publisher = await broker.connect({ clientId })
      const killAt = 50 + Math.floor(Math.random() * 1500)
      for (let index = 0; index < total; index++) {
        publisher.sendPublish({ topic, payload: `${run} ${index}`, qos: 1, packetId: index + 1 })
      }
      const acknowledged = await acknowledgedBefore(publisher, killAt)
      await broker.restart()
      const watching = await watcher()
      const got: number[] = []
      while (got.length < acknowledged) {
        const packet = await watching.receive()
        expect(packet.payload.startsWith(`${run} `)).toBe(true)
        got.push(Number(packet.payload.split(' ')[1]))
      }
      expect(got).toEqual(Array.from({ length: got.length }, (_, index) => index))
      // Those that were stored and not acknowledged.
      await watching.subscribe('flush', 1)
      await watching.publish('flush', 'end', { qos: 1 })
      while ((await watching.receive()).topic !== 'flush');
      await watching.unsubscribe('flush')
      await watching.disconnect()
    }
  })

  async function acknowledgedBefore(publisher: RawClient, killAt: number): Promise<number> {
    for (let count = 0; count < killAt; count++) await publisher.expect('puback', { packetId: count + 1 })
    await broker.kill()
    await publisher.end()
    return killAt + publisher.received.length
  }

  test('delivers QoS 2 exactly once, when the publisher repeats what it has no PUBREC for', async () => {
    const total = 60
    const { client: leaving } = await broker.resume({ clientId: `watcher ${round}` })
    await leaving.subscribe(topic, 2)
    await leaving.disconnect()
    let next = 0
    for (let run = 0; run < 3; run++) {
      const { client: publisher } = await broker.resume({ clientId })
      const last = run === 2 ? total : next + 5 + Math.floor(Math.random() * 15)
      for (; next < last; next++) {
        const dup = run > 0
        publisher.sendPublish({ topic, payload: String(next), qos: 2, packetId: next + 1, dup })
        await publisher.expect('pubrec', { packetId: next + 1 })
        if (next === last - 1 && run < 2) break
        publisher.sendAck('pubrel', next + 1)
        await publisher.expect('pubcomp', { packetId: next + 1 })
      }
      // The last one was received and not released: it comes again after the restart.
      if (run < 2) await broker.killAndRestart()
    }
    const { client } = await broker.resume({ clientId: `watcher ${round}` })
    const got = (await client.receiveMany(total)).map(({ payload }) => Number(payload))
    expect(got).toEqual(Array.from({ length: total }, (_, index) => index))
    await client.expectNothing()
  })
})
