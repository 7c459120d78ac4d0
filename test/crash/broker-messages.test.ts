import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Properties, ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { versions } from '../support/flow.ts'
import { ChildBroker } from './broker-child.ts'

let broker: ChildBroker
let round = 0
// One broker goes through all the crashes, so each test has names of its own.
let clientId: string
let publisherId: string
let topic: string

beforeAll(async () => {
  broker = await ChildBroker.start()
})

beforeEach(() => {
  round++
  clientId = `subscriber ${round}`
  publisherId = `publisher ${round}`
  topic = `topic/${round}`
})

afterAll(() => broker.stop())

/** A session that is offline. */
async function leave(version: ProtocolVersion, filter: string, qos: number): Promise<void> {
  const { client } = await broker.resume({ version, clientId })
  await client.subscribe(filter, qos)
  await client.disconnect()
}

// What is stored does not depend on the version; 3.1 and 3.1.1 differ in CONNECT and CONNACK only.
describe.each(versions.filter(({ version }) => version !== 4))(
  'after kill -9 of the broker, in $name,',
  ({ version }) => {
    test('an offline session gets every acknowledged message of QoS 1 and 2 once and in order', async () => {
      await leave(version, `${topic}/#`, 2)
      const publisher = await broker.connect({ version, clientId: publisherId })
      const sent: string[] = []
      for (let index = 0; index < 40; index++) {
        const qos = 1 + (index % 2)
        await publisher.publish(`${topic}/${index % 3}`, String(index), { qos })
        sent.push(`${index} at ${qos}`)
      }
      await broker.killAndRestart()
      const { client, present } = await broker.resume({ version, clientId })
      expect(present).toBe(version > 3)
      const got = (await client.receiveMany(40)).map(({ payload, qos }) => `${payload} at ${qos}`)
      expect(got).toEqual(sent)
      await client.expectNothing()
    })

    test('what was sent and not acknowledged comes again with DUP and its packet id, before all else', async () => {
      const { client } = await broker.resume({ version, clientId })
      await client.subscribe(topic, 2)
      const publisher = await broker.connect({ version, clientId: publisherId })
      await publisher.publish(topic, 'one', { qos: 1 })
      await publisher.publish(topic, 'two', { qos: 2 })
      const one = await client.expect('publish', { payload: 'one', dup: false })
      const two = await client.expect('publish', { payload: 'two', dup: false })
      await broker.kill()
      await client.end()
      await broker.restart()
      const again = await broker.connect({ version, clientId: publisherId })
      await again.publish(topic, 'three', { qos: 1 })
      const { client: back } = await broker.resume({ version, clientId })
      await back.receive({ payload: 'one', dup: true, qos: 1, packetId: one.packetId })
      await back.receive({ payload: 'two', dup: true, qos: 2, packetId: two.packetId })
      await back.receive({ payload: 'three', dup: false })
      await back.expectNothing()
    })

    test('a QoS 2 message whose PUBREC came goes on with PUBREL and is not sent again', async () => {
      const { client } = await broker.resume({ version, clientId })
      await client.subscribe(topic, 2)
      const publisher = await broker.connect({ version, clientId: publisherId })
      await publisher.publish(topic, 'x', { qos: 2 })
      const { packetId } = await client.expect('publish')
      client.sendAck('pubrec', packetId)
      await client.expect('pubrel', { packetId })
      await broker.killAndRestart()
      const { client: back } = await broker.resume({ version, clientId })
      await back.expect('pubrel', { packetId })
      back.sendAck('pubcomp', packetId)
      await back.expectNothing()
    })

    test('a QoS 2 message that is sent again after its PUBREC is not delivered twice', async () => {
      await leave(version, topic, 2)
      const { client: publisher } = await broker.resume({ version, clientId: publisherId })
      publisher.sendPublish({ topic, payload: 'x', qos: 2, packetId: 7 })
      await publisher.expect('pubrec', { packetId: 7 })
      await broker.killAndRestart()
      const { client: again, present } = await broker.resume({ version, clientId: publisherId })
      expect(present).toBe(version > 3)
      again.sendPublish({ topic, payload: 'x', qos: 2, packetId: 7, dup: true })
      await again.expect('pubrec', { packetId: 7 })
      again.sendAck('pubrel', 7)
      await again.expect('pubcomp', { packetId: 7, reasonCode: 0 })
      const { client } = await broker.resume({ version, clientId })
      await client.receive({ payload: 'x' })
      await client.expectNothing()
    })

    test('a packet id that PUBCOMP has freed carries a new message', async () => {
      await leave(version, topic, 2)
      const { client: publisher } = await broker.resume({ version, clientId: publisherId })
      await publisher.publish(topic, 'old', { qos: 2, packetId: 7 })
      await broker.killAndRestart()
      const { client: again } = await broker.resume({ version, clientId: publisherId })
      await again.publish(topic, 'new', { qos: 2, packetId: 7 })
      const { client } = await broker.resume({ version, clientId })
      expect((await client.receiveMany(2)).map(({ payload }) => payload)).toEqual(['old', 'new'])
      await client.expectNothing()
    })

    test('the subscriptions of a session are there, and the ended one is not', async () => {
      const { client } = await broker.resume({ version, clientId })
      await client.subscribe([
        { filter: `${topic}/+`, qos: 1 },
        { filter: `ended/${round}`, qos: 1 },
      ])
      await client.unsubscribe(`ended/${round}`)
      await broker.killAndRestart()
      const publisher = await broker.connect({ version, clientId: publisherId })
      await publisher.publish(`ended/${round}`, 'x', { qos: 1 })
      await publisher.publish(`${topic}/1`, 'y', { qos: 1 })
      const { client: back, present } = await broker.resume({ version, clientId })
      expect(present).toBe(version > 3)
      await back.receive({ topic: `${topic}/1`, payload: 'y' })
      await back.expectNothing()
    })
  },
)

test('acknowledgements that a client sent before the crash are not forgotten once the broker shows it', async () => {
  const { client } = await broker.resume({ clientId })
  await client.subscribe(topic, 1)
  const publisher = await broker.connect({ clientId: publisherId })
  for (let index = 0; index < 20; index++) await publisher.publish(topic, String(index), { qos: 1 })
  await client.receiveMany(20)
  // A subscription is acknowledged behind its commit, and with it behind that of the earlier acknowledgements.
  await client.subscribe('other', 1)
  await broker.killAndRestart()
  const { client: back } = await broker.resume({ clientId })
  await back.expectNothing()
  expect(back.received).toEqual([])
})

test('messages with all their properties outlive a crash', async () => {
  const { client } = await broker.resume({ version: 5, clientId })
  await client.subscribe(topic, 1, { subscriptionIdentifiers: [9] })
  await client.disconnect()
  const publisher = await broker.connect({ version: 5, clientId: publisherId })
  const properties: Properties = {
    payloadFormatIndicator: 1,
    contentType: 'text/plain',
    responseTopic: 'answers',
    correlationData: Buffer.from([0, 1, 255]),
    userProperties: [
      ['k', '1'],
      ['k', '2'],
    ],
  }
  await publisher.publish(topic, 'x', { qos: 1, properties })
  await broker.killAndRestart()
  const { client: back } = await broker.resume({ version: 5, clientId })
  const packet = await back.receive({ topic, payload: 'x' })
  expect(packet.properties).toEqual({ ...properties, subscriptionIdentifiers: [9] })
})
