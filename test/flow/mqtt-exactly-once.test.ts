import { describe } from 'vitest'
import { test, versions } from '../support/flow.ts'
import { ackPacket, publishPacket } from '../support/wire-writer.ts'

describe.each(versions)('exactly once in $name', ({ version }) => {
  test('PUBLISH twice in one chunk is delivered once (MQTT-4.3.3-10)', async ({ broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    const packet = { topic: 'a', payload: 'x', qos: 2, packetId: 5 }
    publisher.send(publishPacket(version, packet), publishPacket(version, { ...packet, dup: true }))
    await publisher.expect('pubrec', { packetId: 5 })
    await publisher.expect('pubrec', { packetId: 5 })
    publisher.sendAck('pubrel', 5)
    await publisher.expect('pubcomp', { packetId: 5 })
    await subscriber.receive({ payload: 'x', qos: 2 })
    await subscriber.expectNothing()
  })

  test('PUBLISH again after a reconnect is delivered once', async ({ broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    const { client: publisher } = await broker.resume({ version, clientId: 'publisher' })
    publisher.sendPublish({ topic: 'a', payload: 'x', qos: 2, packetId: 5 })
    await publisher.expect('pubrec', { packetId: 5 })
    publisher.drop()
    const { client: again } = await broker.resume({ version, clientId: 'publisher' })
    await again.publish('a', 'x', { qos: 2, packetId: 5, dup: true })
    await subscriber.receive({ payload: 'x', qos: 2 })
    await subscriber.expectNothing()
  })

  test('PUBLISH again after a restart of the broker is delivered once', async ({ start }) => {
    const broker = await start({ persistent: true })
    const { client: subscriber } = await broker.resume({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    await subscriber.disconnect()
    const { client: publisher } = await broker.resume({ version, clientId: 'publisher' })
    publisher.sendPublish({ topic: 'a', payload: 'x', qos: 2, packetId: 5 })
    await publisher.expect('pubrec', { packetId: 5 })
    await broker.restart()
    const { client: again } = await broker.resume({ version, clientId: 'publisher' })
    await again.publish('a', 'x', { qos: 2, packetId: 5, dup: true })
    const { client: back } = await broker.resume({ version, clientId: 'subscriber' })
    await back.receive({ payload: 'x', qos: 2 })
    await back.expectNothing()
  })

  test('PUBREL after a reconnect completes the handshake', async ({ broker }) => {
    const { client: publisher } = await broker.resume({ version, clientId: 'publisher' })
    publisher.sendPublish({ topic: 'a', payload: 'x', qos: 2, packetId: 5 })
    await publisher.expect('pubrec', { packetId: 5 })
    publisher.drop()
    const { client: again } = await broker.resume({ version, clientId: 'publisher' })
    again.sendAck('pubrel', 5)
    await again.expect('pubcomp', { packetId: 5, reasonCode: 0 })
  })

  test('after PUBCOMP the packet id stands for a new message (MQTT-4.3.3-12)', async ({ broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    for (const payload of ['one', 'two', 'three']) {
      await publisher.publish('a', payload, { qos: 2, packetId: 5 })
      await subscriber.receive({ payload })
    }
  })

  test('PUBLISH, PUBREL and the next PUBLISH of the same id in one chunk are two messages', async ({ broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    publisher.send(
      publishPacket(version, { topic: 'a', payload: 'one', qos: 2, packetId: 5 }),
      ackPacket('pubrel', 5),
      publishPacket(version, { topic: 'a', payload: 'two', qos: 2, packetId: 5 }),
      ackPacket('pubrel', 5),
    )
    for (let round = 0; round < 2; round++) {
      await publisher.take('pubrec', { packetId: 5 })
      await publisher.take('pubcomp', { packetId: 5 })
    }
    await subscriber.receive({ payload: 'one' })
    await subscriber.receive({ payload: 'two' })
    await subscriber.expectNothing()
  })

  test('a clean start forgets what was received but not released', async ({ broker }) => {
    const { client: publisher } = await broker.resume({ version, clientId: 'publisher' })
    publisher.sendPublish({ topic: 'a', payload: 'old', qos: 2, packetId: 5 })
    await publisher.expect('pubrec', { packetId: 5 })
    publisher.drop()
    const again = await broker.connect({ version, clientId: 'publisher', clean: true })
    // Subscribed after the old message, so that only the new one can arrive, whenever the broker passes messages on.
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    await again.publish('a', 'new', { qos: 2, packetId: 5 })
    await subscriber.receive({ payload: 'new' })
    await subscriber.expectNothing()
  })

  test('PUBREL for an unknown id is answered with PUBCOMP (MQTT-4.3.3-11, section 3.7.2.1)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    client.sendAck('pubrel', 4711)
    await client.expect('pubcomp', { packetId: 4711, reasonCode: version === 5 ? 0x92 : 0 })
    await client.expectNothing()
  })

  test('PUBREL twice is answered twice', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.publish('a', 'x', { qos: 2, packetId: 5 })
    client.sendAck('pubrel', 5)
    await client.expect('pubcomp', { packetId: 5, reasonCode: version === 5 ? 0x92 : 0 })
  })

  test('a subscriber that repeats PUBREC gets PUBREL again', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('a', 2)
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 2 })
    const { packetId } = await client.expect('publish', { qos: 2 })
    client.sendAck('pubrec', packetId).sendAck('pubrec', packetId)
    await client.expect('pubrel', { packetId })
    await client.expect('pubrel', { packetId })
    client.sendAck('pubcomp', packetId)
    await client.expectNothing()
  })
})

describe('reason codes of QoS 2 in version 5', () => {
  test('PUBREC for an unknown id is answered with PUBREL 0x92 (section 3.6.2.1)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    client.sendAck('pubrec', 4711)
    await client.expect('pubrel', { packetId: 4711, reasonCode: 0x92 })
    await client.expectNothing()
  })

  test('a PUBREC that refuses ends the delivery without PUBREL (MQTT-4.3.3-4)', async ({ broker }) => {
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe('a', 2)
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'x', { qos: 2 })
    const { packetId } = await client.expect('publish', { qos: 2 })
    client.sendAck('pubrec', packetId, 0x83)
    await client.expectNothing()
    client.drop()
    await (await broker.resume({ version: 5, clientId: 'c' })).client.expectNothing()
  })

  test('a PUBACK that refuses ends the delivery (section 4.4)', async ({ broker }) => {
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.publish('a', 'x', { qos: 1 })
    const { packetId } = await client.take('publish')
    client.sendAck('puback', packetId, 0x99, { reasonString: 'not mine' })
    await client.expectNothing()
    client.drop()
    await (await broker.resume({ version: 5, clientId: 'c' })).client.expectNothing()
  })
})
