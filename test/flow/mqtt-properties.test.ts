import { describe, expect } from 'vitest'
import type { Properties } from '../../src/wire/mqtt/packet.ts'
import { test } from '../support/flow.ts'
import { frame, string, u16 } from '../support/wire-bytes.ts'
import { encodeProperties } from '../support/wire-properties.ts'

const ALL: Properties = {
  payloadFormatIndicator: 1,
  contentType: 'application/json; charset=utf-8 ✓',
  responseTopic: 'answers/to/me',
  correlationData: Buffer.from([0, 255, 1, 254, 0]),
  userProperties: [
    ['b', '1'],
    ['a', '2'],
    ['b', '3'],
    ['', ''],
    ['7', 'like a number'],
    ['3', 'before it'],
    ['__proto__', 'polluted'],
    ['b', '1'],
  ],
}

describe('the properties of a message', () => {
  test.for([0, 1, 2])(
    'reach a subscriber unaltered and in order at QoS %i (MQTT-3.3.2-4 … -18)',
    async (qos, { broker }) => {
      const client = await broker.connect({ version: 5, clientId: 'c' })
      await client.subscribe('a', qos)
      const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
      await publisher.publish('a', '{}', { qos, properties: ALL })
      expect((await client.receive()).properties).toEqual(ALL)
    },
  )

  test('are kept with a retained message', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.publish('a', '{}', { qos: 1, retain: true, properties: ALL })
    await client.subscribe('a')
    expect((await client.receive({ retain: true })).properties).toEqual(ALL)
  })

  test('are kept for an offline session and over a restart', async ({ start }) => {
    const broker = await start({ persistent: true })
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.disconnect()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', '{}', { qos: 1, retain: true, properties: ALL })
    await broker.restart()
    const { client: again } = await broker.resume({ version: 5, clientId: 'c' })
    expect((await again.receive()).properties).toEqual(ALL)
    await again.subscribe('a')
    expect((await again.receive({ retain: true })).properties).toEqual(ALL)
  })

  test('are kept in whatever order they stand, next to those that are not passed on', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('a')
    const body = Buffer.concat([
      Buffer.from([0x26]),
      string('k'),
      string('1'),
      Buffer.from([0x23, 0, 1, 0x01, 1, 0x26]),
      string('k'),
      string('2'),
      Buffer.from([0x02, 0, 0, 1, 0, 0x03]),
      string('text'),
    ])
    client.send(frame(0x30, string('a'), Buffer.from([body.length]), body, Buffer.from('x')))
    const { properties } = await client.receive()
    expect(properties).toEqual({
      payloadFormatIndicator: 1,
      messageExpiryInterval: 256,
      contentType: 'text',
      userProperties: [
        ['k', '1'],
        ['k', '2'],
      ],
    })
  })

  test('are left out for subscribers below version 5, whose message is the same', async ({ broker }) => {
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    for (const version of [3, 4] as const) {
      const client = await broker.connect({ version, clientId: 'c' })
      await client.subscribe('a', 1)
      await publisher.publish('a', 'payload', { qos: 1, properties: ALL })
      await client.receive({ topic: 'a', payload: 'payload', qos: 1 })
    }
  })

  test('are none for a message from below version 5', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1)
    const publisher = await broker.connect({ version: 4, clientId: 'publisher' })
    await publisher.publish('a', 'payload', { qos: 1 })
    expect((await client.receive({ payload: 'payload' })).properties).toEqual({})
  })

  test('may be empty: an empty content type and no correlation data are values', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('a')
    const empty: Properties = { payloadFormatIndicator: 0, contentType: '', correlationData: Buffer.alloc(0) }
    await client.publish('a', 'x', { properties: empty })
    expect((await client.receive()).properties).toEqual(empty)
  })

  test('of 60,000 bytes arrive', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1)
    const userProperties: [string, string][] = Array.from({ length: 100 }, (_, index) => [
      `name ${index}`,
      'x'.repeat(600),
    ])
    await client.publish('a', 'x', { qos: 1, properties: { userProperties } })
    const packet = await client.take('publish')
    expect(packet.properties).toEqual({ userProperties })
  })

  test.for([
    ['a payload format of 2', '0102', 0x82],
    ['a payload format twice', '01010101', 0x82],
    ['a content type twice', '0300016103000162', 0x82],
    ['a response topic with a wildcard (MQTT-3.3.2-14)', '0800032f2b61', 0x82],
    ['a subscription identifier from a client (MQTT-3.3.4-6)', '0b01', 0x82],
    ['a topic alias twice', '230001230001', 0x82],
    ['a message expiry twice', '02000000010200000001', 0x82],
    ['a property of CONNECT', '1100000001', 0x81],
    ['an unknown property', '7f', 0x81],
    ['a property length beyond the packet', undefined, 0x81],
    ['ill-formed UTF-8 in the content type', '030001ff', 0x81],
    ['U+0000 in a user property', '26000100000161', 0x81],
  ] as const)('are refused with %s', async ([, properties, reasonCode], { broker }) => {
    const watcher = await broker.connect({ version: 5, clientId: 'watcher' })
    await watcher.subscribe('#')
    const client = await broker.connect({ version: 5, clientId: 'c' })
    const bytes = Buffer.from(properties ?? '', 'hex')
    const length = properties === undefined ? 0x7f : bytes.length
    client.send(frame(0x32, string('a'), u16(1), Buffer.from([length]), bytes))
    await client.end()
    expect(client.received.filter(({ type }) => type !== 'disconnect')).toEqual([])
    for (const packet of client.received) expect([0x81, 0x82, reasonCode]).toContain(packet.reasonCode)
    await watcher.expectNothing()
  })
})

describe('the properties of other packets', () => {
  test('user properties of SUBSCRIBE, UNSUBSCRIBE, PUBACK and DISCONNECT are accepted', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    const properties: Properties = { userProperties: [['why', 'because']] }
    expect(await client.subscribe('a', 1, properties)).toEqual([1])
    await client.publish('a', 'x', { qos: 1 })
    const { packetId } = await client.expect('publish')
    client.sendAck('puback', packetId, 0, { ...properties, reasonString: 'fine' })
    client.send(frame(0xa2, u16(9), encodeProperties(properties), string('a')))
    await client.expect('unsuback', { packetId: 9, reasonCodes: [0] })
    await client.disconnect(0, { ...properties, reasonString: 'bye' })
    expect(client.received).toEqual([])
  })
})
