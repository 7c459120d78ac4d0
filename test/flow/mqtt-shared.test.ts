import { describe, expect } from 'vitest'
import type { ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { lasting, test, versions } from '../support/flow.ts'
import type { FlowBroker } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'
import { subscribePacket } from '../support/wire-writer.ts'

const FILTER = '$share/group/a/#'

async function member(broker: FlowBroker, version: ProtocolVersion, clientId: string, qos = 1): Promise<RawClient> {
  const { client } = await broker.resume({ version, clientId })
  await client.subscribe(FILTER, qos)
  return client
}

/** Publishes `a/0`, `a/1`, … at QoS 1 and returns the publisher. */
async function publishMany(broker: FlowBroker, count: number, qos = 1): Promise<RawClient> {
  const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
  for (let index = 0; index < count; index++) await publisher.publish(`a/${index}`, String(index), { qos })
  return publisher
}

/** Takes, without an acknowledgement, what has arrived; the client must be alive. */
async function arrived(client: RawClient): Promise<number[]> {
  client.send(Buffer.from([0xc0, 0]))
  await client.take('pingresp')
  return client.received.splice(0).map((packet) => Number(packet.payload))
}

describe.each(versions)('a shared subscription of $name', ({ version }) => {
  test.for([0, 1, 2])('sends each message of QoS %i to one member, to all in turn', async (qos, { broker }) => {
    const members: RawClient[] = []
    for (const clientId of ['one', 'two', 'three']) members.push(await member(broker, version, clientId, 2))
    await publishMany(broker, 12, qos)
    const shares = [] as number[][]
    for (const client of members) shares.push(await arrived(client))
    expect(shares.map((share) => share.length)).toEqual([4, 4, 4])
    expect(shares.flat().toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    for (const share of shares) expect(share).toEqual(share.toSorted((a, b) => a - b))
  })

  test('passes over members that are offline while one is there (section 4.8.2)', async ({ broker }) => {
    const here = await member(broker, version, 'here')
    const away = await member(broker, version, 'away')
    await away.disconnect()
    await publishMany(broker, 6)
    expect(await arrived(here)).toEqual([0, 1, 2, 3, 4, 5])
    const { client } = await broker.resume({ version, clientId: 'away' })
    await client.expectNothing()
  })

  test('keeps messages of QoS 1 and 2 while no member is there', async ({ broker }) => {
    const client = await member(broker, version, 'one', 2)
    await client.disconnect()
    const publisher = await publishMany(broker, 3)
    await publisher.publish('a/3', '3', { qos: 2 })
    const { client: again } = await broker.resume({ version, clientId: 'one' })
    const got = (await again.receiveMany(4)).map((packet) => Number(packet.payload))
    expect(got).toEqual([0, 1, 2, 3])
    await again.expectNothing()
  })

  test('gives what a member that leaves for good had not acknowledged to another', async ({ broker }) => {
    const leaves = await broker.connect({ version, clientId: 'leaves', clean: true })
    await leaves.subscribe(FILTER, 1)
    await publishMany(broker, 3)
    expect(await arrived(leaves)).toEqual([0, 1, 2])
    const stays = await member(broker, version, 'stays')
    leaves.drop()
    const got = (await stays.receiveMany(3)).map((packet) => Number(packet.payload))
    expect(got.toSorted()).toEqual([0, 1, 2])
    await stays.expectNothing()
  })

  test('is one of several groups and of plain subscriptions, each with its own copy', async ({ broker }) => {
    const plain = await broker.connect({ version, clientId: 'plain' })
    await plain.subscribe('a/#', 1)
    const other = await broker.connect({ version, clientId: 'other' })
    await other.subscribe('$share/others/a/+', 1)
    const client = await member(broker, version, 'one')
    await publishMany(broker, 2)
    for (const receiver of [plain, other, client]) expect(await arrived(receiver)).toEqual([0, 1])
  })

  test('and a plain subscription of one client bring a message twice (section 4.8.2)', async ({ broker }) => {
    const client = await member(broker, version, 'one')
    await client.subscribe('a/0', 1)
    await publishMany(broker, 1)
    expect(await arrived(client)).toEqual([0, 0])
  })

  test('differs by its filter, not only by its group name', async ({ broker }) => {
    const one = await broker.connect({ version, clientId: 'one' })
    await one.subscribe('$share/group/a/+', 1)
    const two = await broker.connect({ version, clientId: 'two' })
    await two.subscribe('$share/group/a/0', 1)
    await publishMany(broker, 1)
    expect(await arrived(one)).toEqual([0])
    expect(await arrived(two)).toEqual([0])
  })

  test('has the QoS of the member that gets the message', async ({ broker }) => {
    const client = await member(broker, version, 'one', 1)
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a/b', 'x', { qos: 2 })
    await client.receive({ qos: 1 })
  })

  test('ends with UNSUBSCRIBE of the same words', async ({ broker }) => {
    const one = await member(broker, version, 'one')
    const two = await member(broker, version, 'two')
    await one.unsubscribe(FILTER)
    await publishMany(broker, 4)
    expect(await arrived(one)).toEqual([])
    expect(await arrived(two)).toEqual([0, 1, 2, 3])
  })

  test('does not match `$` topics with a leading wildcard', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe('$share/group/#', 1)
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('$own/a', 'x', { qos: 1 })
    await publisher.publish('a', 'y', { qos: 1 })
    await client.receive({ topic: 'a' })
    await client.expectNothing()
  })

  test.for(['$share//a', '$share/group', '$share/group/', '$share/gr+up/a', '$share/gr#up/a', '$share/+/a'])(
    'of the form %s is refused (MQTT-4.8.2-1, MQTT-4.8.2-2)',
    async (filter, { broker }) => {
      const client = await broker.connect({ version, clientId: 'c' })
      const codes = await client.subscribe(filter).catch(() => undefined)
      if (codes === undefined) await client.end()
      else expect(codes[0]).toBeGreaterThanOrEqual(0x80)
    },
  )
})

describe('a shared subscription of version 5', () => {
  test('passes over members whose receive maximum is used up (section 4.8.2)', async ({ broker }) => {
    const narrow = await broker.connect({ version: 5, clientId: 'narrow', properties: { receiveMaximum: 2 } })
    await narrow.subscribe(FILTER, 1)
    const wide = await member(broker, 5, 'wide')
    await publishMany(broker, 12)
    const [few, many] = [await arrived(narrow), await arrived(wide)]
    expect(few).toHaveLength(2)
    expect(many).toHaveLength(10)
  })

  test.for([0, 3600])(
    'gives waiting messages to the first member that has room, session expiry %i',
    async (sessionExpiryInterval, { broker }) => {
      const members: RawClient[] = []
      for (const clientId of ['one', 'two']) {
        const properties = { receiveMaximum: 1, sessionExpiryInterval }
        const client = await broker.connect({ version: 5, clientId, properties })
        await client.subscribe(FILTER, 1)
        members.push(client)
      }
      const [one, two] = members as [RawClient, RawClient]
      await publishMany(broker, 5)
      const stuck = await one.expect('publish')
      const got = (await two.receiveMany(4)).map((packet) => packet.payload)
      expect([stuck.payload, ...got].toSorted()).toEqual(['0', '1', '2', '3', '4'])
    },
  )

  test('with no-local is a protocol error (MQTT-3.8.3-4)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    client.send(subscribePacket(5, 1, [{ filter: FILTER, noLocal: true }]))
    await client.expectDisconnected(0x82)
  })

  test('carries the subscription identifier of the member', async ({ broker }) => {
    const one = await broker.connect({ version: 5, clientId: 'one' })
    await one.subscribe(FILTER, 1, { subscriptionIdentifiers: [11] })
    const two = await broker.connect({ version: 5, clientId: 'two' })
    await two.subscribe(FILTER, 1, { subscriptionIdentifiers: [22] })
    await publishMany(broker, 2)
    await one.receive({ properties: { subscriptionIdentifiers: [11] } })
    await two.receive({ properties: { subscriptionIdentifiers: [22] } })
  })

  test('gives what waits for a session that expires to another member', async ({ broker }) => {
    const expires = await broker.connect(lasting({ version: 5, clientId: 'expires' }, 2))
    await expires.subscribe(FILTER, 1)
    await publishMany(broker, 2)
    expect(await arrived(expires)).toEqual([0, 1])
    const stays = await member(broker, 5, 'stays')
    await expires.disconnect()
    await broker.pass(7)
    const got = (await stays.receiveMany(2)).map((packet) => packet.payload)
    expect(got.toSorted()).toEqual(['0', '1'])
  })

  test('never gives a QoS 2 message that one member was sent to another (MQTT-4.8.2-5)', async ({ broker }) => {
    const leaves = await broker.connect({ version: 5, clientId: 'leaves' })
    await leaves.subscribe(FILTER, 2)
    await publishMany(broker, 1, 2)
    expect(await arrived(leaves)).toEqual([0])
    const stays = await member(broker, 5, 'stays', 2)
    await leaves.disconnect()
    await stays.expectNothing()
    expect((await broker.resume({ version: 5, clientId: 'leaves' })).present).toBe(false)
    await stays.expectNothing()
  })

  test('does not offer a message that one member refused to another (MQTT-4.8.2-6)', async ({ broker }) => {
    const refuses = await member(broker, 5, 'refuses', 2)
    await publishMany(broker, 1, 1)
    const one = await refuses.expect('publish', { qos: 1 })
    await publishMany(broker, 1, 2)
    const two = await refuses.expect('publish', { qos: 2 })
    const other = await member(broker, 5, 'other', 2)
    refuses.sendAck('puback', one.packetId, 0x83)
    refuses.sendAck('pubrec', two.packetId, 0x83)
    await refuses.expectNothing()
    await refuses.disconnect(0, { sessionExpiryInterval: 0 })
    await other.expectNothing()
  })

  test('keeps its messages over a restart', async ({ start }) => {
    const broker = await start({ persistent: true })
    const client = await member(broker, 5, 'one')
    await client.disconnect()
    await publishMany(broker, 3)
    await broker.restart()
    const { client: again } = await broker.resume({ version: 5, clientId: 'one' })
    const got = (await again.receiveMany(3)).map((packet) => packet.payload)
    expect(got).toEqual(['0', '1', '2'])
    await again.expectNothing()
  })
})
