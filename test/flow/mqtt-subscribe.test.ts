import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'
import { frame, string, u16, u8 } from '../support/wire-bytes.ts'
import { subscribePacket, unsubscribePacket } from '../support/wire-writer.ts'

describe.each(versions)('SUBSCRIBE in $name', ({ version }) => {
  test('is answered with one reason code for each filter, in order (MQTT-3.8.4-6)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    const filters = [
      { filter: 'a', qos: 2 },
      { filter: 'b/#', qos: 0 },
      { filter: '+/c', qos: 1 },
      { filter: 'a', qos: 1 },
    ]
    expect(await client.subscribe(filters)).toEqual([2, 0, 1, 1])
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 2 })
    await client.receive({ topic: 'a', qos: 1 })
    await client.expectNothing()
  })

  test('of the same filter again replaces the subscription (MQTT-3.8.4-3)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    for (const qos of [2, 0, 1]) {
      await client.subscribe('a/+', qos)
      await publisher.publish('a/b', 'x', { qos: 2 })
      await client.receive({ topic: 'a/b', qos })
      await client.expectNothing()
    }
  })

  test('of many filters in one packet is answered in full', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    const filters = Array.from({ length: 500 }, (_, index) => `many/${index}/+`)
    expect(await client.subscribe(filters, 1)).toEqual(filters.map(() => 1))
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('many/499/x', '', { qos: 1 })
    await client.receive({ topic: 'many/499/x', qos: 1 })
  })

  test('without a filter ends the connection (MQTT-3.8.3-2)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(subscribePacket(version, 1, []))
    await client.end()
    expect(client.received.map((packet) => packet.type)).not.toContain('suback')
  })

  test.for(['a#', 'a/#/b', '#/a', 'a+', '+a', 'a/+b', 'a/b+/c', 'a/b#', '##', '++', ''])(
    'of the filter %j is refused (MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.3-1)',
    async (filter, { broker }) => {
      const client = await broker.connect({ version, clientId: 'c' })
      const codes = await client.subscribe(filter).catch(() => undefined)
      if (codes === undefined) await client.end()
      else expect(codes).toEqual([version === 5 ? 0x8f : 0x80])
    },
  )

  test('that is denied is refused, the other filters of the packet are not', async ({ start }) => {
    const broker = await start({ denySubscribe: 'secret/#' })
    const { client } = await broker.resume({ version, clientId: 'c' })
    const codes = await client.subscribe(['open', 'secret/a', 'open/2'], 1)
    // Return code 0x80 came with 3.1.1; 3.1 knows no refusal and gets the same.
    expect(codes).toEqual([1, version === 5 ? 0x87 : 0x80, 1])
    await client.disconnect()
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('secret/a', 'x', { qos: 1 })
    await publisher.publish('open', 'y', { qos: 1 })
    const { client: again } = await broker.resume({ version, clientId: 'c' })
    await again.receive({ topic: 'open' })
    await again.expectNothing()
  })

  test('UNSUBSCRIBE ends the subscription, exactly the one (MQTT-3.10.4-1, MQTT-3.10.4-2)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe(['a/b', 'a/+', 'a/#'], 1)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    for (const filter of ['a/b', 'a/#']) {
      await client.unsubscribe(filter)
      await publisher.publish('a/b', filter, { qos: 1 })
      await client.receive({ payload: filter })
      await client.expectNothing()
    }
    await client.unsubscribe('a/+')
    await publisher.publish('a/b', 'nobody', { qos: 1 })
    await client.expectNothing()
  })

  test('UNSUBSCRIBE is answered also when nothing was subscribed (MQTT-3.10.4-5)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a')
    const codes = await client.unsubscribe('a', 'b', 'a')
    expect(codes).toEqual(version === 5 ? [0, 0x11, 0x11] : [])
  })

  test('UNSUBSCRIBE without a filter ends the connection (MQTT-3.10.3-2)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(unsubscribePacket(version, 1, []))
    await client.end()
    expect(client.received.map((packet) => packet.type)).not.toContain('unsuback')
  })

  test('messages in flight are completed after UNSUBSCRIBE (MQTT-3.10.4-3)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 2 })
    const { packetId } = await client.expect('publish')
    await client.unsubscribe('a')
    client.sendAck('pubrec', packetId)
    await client.expect('pubrel', { packetId })
    client.sendAck('pubcomp', packetId)
    await client.expectNothing()
  })
})

describe('subscription options of version 5', () => {
  test('no-local keeps own messages away, those of others come (MQTT-3.8.3-3)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe({ filter: 'a', noLocal: true })
    await client.publish('a', 'mine', { qos: 1 })
    await client.expectNothing()
    const other = await broker.connect({ version: 5, clientId: 'd' })
    await other.publish('a', 'theirs', { qos: 1 })
    await client.receive({ payload: 'theirs' })
  })

  test('no-local keeps the own retained message away, also after a restart (MQTT-3.8.3-3)', async ({ start }) => {
    const broker = await start({ persistent: true })
    const client = await broker.connect({ version: 5, clientId: 'c' })
    const other = await broker.connect({ version: 5, clientId: 'd' })
    await client.publish('a/mine', 'mine', { qos: 1, retain: true })
    await other.publish('a/theirs', 'theirs', { qos: 1, retain: true })
    await client.subscribe({ filter: 'a/+', qos: 1, noLocal: true })
    await client.receive({ payload: 'theirs' })
    await client.expectNothing()
    await broker.restart()
    const again = await broker.connect({ version: 5, clientId: 'c' })
    await again.subscribe({ filter: 'a/+', qos: 1, noLocal: true })
    await again.receive({ payload: 'theirs' })
    await again.expectNothing()
    await again.subscribe({ filter: 'a/+', qos: 1 })
    await again.receiveMany(2)
  })

  test('no-local is turned off by subscribing again without it', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe({ filter: 'a', noLocal: true })
    await client.subscribe({ filter: 'a' })
    await client.publish('a', 'mine', { qos: 1 })
    await client.receive({ payload: 'mine' })
  })

  test('an identifier comes with each message of the subscription (MQTT-3.3.4-3)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.publish('a', 'retained', { qos: 1, retain: true })
    await client.subscribe('a', 1, { subscriptionIdentifiers: [268_435_455] })
    await client.receive({ retain: true, properties: { subscriptionIdentifiers: [268_435_455] } })
    await client.publish('a', 'live', { qos: 1 })
    const { properties } = await client.receive({ payload: 'live' })
    expect(properties).toEqual({ subscriptionIdentifiers: [268_435_455] })
  })

  test('an identifier is replaced or removed by subscribing again', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await client.subscribe('a', 1, { subscriptionIdentifiers: [1] })
    await client.subscribe('a', 1, { subscriptionIdentifiers: [2] })
    await publisher.publish('a', 'x')
    await client.receive({ properties: { subscriptionIdentifiers: [2] } })
    await client.subscribe('a', 1)
    await publisher.publish('a', 'y')
    const { properties } = await client.receive({ payload: 'y' })
    expect(properties).toEqual({})
  })

  test('an identifier comes with messages that waited offline', async ({ broker }) => {
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1, { subscriptionIdentifiers: [7] })
    await client.disconnect()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 1 })
    const { client: again } = await broker.resume({ version: 5, clientId: 'c' })
    await again.receive({ properties: { subscriptionIdentifiers: [7] } })
  })

  test.for([
    ['QoS 3 (MQTT-3.8.3-4)', '03', ''],
    ['retain handling 3', '30', ''],
    ['reserved bits (MQTT-3.8.3-5)', '40', ''],
    ['a subscription identifier of 0', '00', '0b00'],
    ['two subscription identifiers', '00', '0b010b02'],
    ['a subscription identifier of five bytes', '00', '0bffffffff01'],
    ['a property of another packet', '00', '230001'],
  ] as const)('%s is an error', async ([, options, properties], { broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    const bytes = Buffer.from(properties, 'hex')
    client.send(frame(0x82, u16(1), u8(bytes.length), bytes, string('a'), Buffer.from(options, 'hex')))
    await client.end()
    expect(client.received.filter(({ type }) => type !== 'disconnect')).toEqual([])
    for (const { reasonCode } of client.received) expect([0x81, 0x82]).toContain(reasonCode)
  })
})
