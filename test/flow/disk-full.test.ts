import { describe, expect } from 'vitest'
import { lasting, versions } from '../support/flow.ts'
import { type DiskWorld, test } from '../support/faulty-disk.ts'
import type { RawClient } from '../support/raw-client.ts'
import { subscribePacket, unsubscribePacket } from '../support/wire-writer.ts'

/** A subscriber whose session, and whatever it has not received, is stored. */
async function storedSubscriber(world: DiskWorld, clientId = 'keeper'): Promise<RawClient> {
  const client = await world.connect(lasting({ clientId }))
  await client.subscribe('kept/#', 2)
  return client
}

describe.each(versions)('while the disk is full, with clients of $name', ({ version }) => {
  test('QoS 0, and whatever needs no store, goes on', async ({ world }) => {
    const subscriber = await world.connect({ version, clientId: 'subscriber' })
    await subscriber.subscribe('a', 2)
    const publisher = await world.connect({ version, clientId: 'publisher' })
    await world.fill()
    for (const qos of [0, 1, 2]) {
      await publisher.publish('a', `at ${qos}`, { qos })
      await subscriber.receive({ payload: `at ${qos}`, qos })
    }
    const late = await world.connect({ version, clientId: 'late' })
    await late.subscribe('a', 1)
    await publisher.publish('a', 'to both', { qos: 0 })
    await late.receive({ payload: 'to both' })
  })

  test('a connection that the store would have to know of is refused, and keeps out nobody else', async ({ world }) => {
    const present = await world.connect({ version, clientId: 'c' })
    await world.fill()
    for (const options of [lasting({ version, clientId: 'c' }), { version, clientId: 'd', will: { topic: 'w' } }]) {
      const client = await world.open(version)
      client.sendConnect(options)
      await client.expect('connack', { reasonCode: version === 5 ? 0x97 : 3 })
      await client.end()
    }
    await present.expectNothing()
  })
})

describe.each(versions.filter(({ version }) => version !== 5))('$name on a full disk', ({ version }) => {
  test.for([1, 2])('is not acknowledged at QoS %i until there is room, and loses nothing', async (qos, { world }) => {
    const keeper = await storedSubscriber(world)
    keeper.drop()
    const publisher = await world.connect({ version, clientId: 'publisher' })
    await world.fill()
    publisher.sendPublish({ topic: 'kept/a', payload: 'first', qos, packetId: 1 })
    publisher.sendPublish({ topic: 'kept/a', payload: 'second', qos, packetId: 2 })
    await publisher.expectNothing()
    await world.makeRoom()
    for (const packetId of [1, 2]) await publisher.expect(qos === 1 ? 'puback' : 'pubrec', { packetId })
    const again = await (await world.restarted()).connect(lasting({ clientId: 'keeper' }))
    await again.receive({ payload: 'first', qos })
    await again.receive({ payload: 'second', qos })
    await again.expectNothing()
  })

  test('has a retained message acknowledged once it is stored', async ({ world }) => {
    const publisher = await world.connect({ version, clientId: 'publisher' })
    await world.fill()
    publisher.sendPublish({ topic: 'state', payload: 'on', qos: 1, retain: true, packetId: 1 })
    await publisher.expectNothing()
    await world.makeRoom()
    await publisher.expect('puback', { packetId: 1 })
    const reader = await (await world.restarted()).connect({ clientId: 'reader' })
    await reader.subscribe('state')
    await reader.receive({ payload: 'on', retain: true })
  })

  test('gets SUBACK and UNSUBACK of a session that is kept once they are true', async ({ world }) => {
    const client = await world.connect(lasting({ version, clientId: 'c' }))
    await client.subscribe('old', 1)
    await world.fill()
    client.send(subscribePacket(version, 7, [{ filter: 'new', qos: 1 }]), unsubscribePacket(version, 8, ['old']))
    await client.expectNothing()
    await world.makeRoom()
    await client.expect('suback', { packetId: 7, reasonCodes: [1] })
    await client.expect('unsuback', { packetId: 8 })
    const next = await world.restarted()
    const again = await next.connect(lasting({ version, clientId: 'c' }))
    const publisher = await next.connect({ clientId: 'publisher' })
    await publisher.publish('old', 'x', { qos: 1 })
    await publisher.publish('new', 'y', { qos: 1 })
    await again.receive({ payload: 'y' })
  })
})

describe('MQTT 5.0 on a full disk', () => {
  const version = 5

  test.for([1, 2])('is told so at QoS %i, before anyone has the message', async (qos, { world }) => {
    const keeper = await storedSubscriber(world)
    const watcher = await world.connect({ clientId: 'watcher' })
    await watcher.subscribe('kept/#', 0)
    const publisher = await world.connect({ version, clientId: 'publisher' })
    await world.fill()
    expect((await publisher.publish('kept/a', 'no', { qos })).reasonCode).toBe(0x97)
    await keeper.expectNothing()
    await watcher.expectNothing()
    expect(world.broker.counters.publishRefused).toBe(1)
    await world.makeRoom()
    expect((await publisher.publish('kept/a', 'yes', { qos })).reasonCode).toBe(0)
    await keeper.receive({ payload: 'yes' })
  })

  test('is refused a QoS 2 message that its own session would have to remember', async ({ world }) => {
    const publisher = await world.connect(lasting({ version, clientId: 'publisher' }))
    await world.fill()
    expect((await publisher.publish('nobody', 'x', { qos: 2 })).reasonCode).toBe(0x97)
    expect((await publisher.publish('nobody', 'x', { qos: 1 })).reasonCode).toBe(0x10)
  })

  test('is refused a retained message above QoS 0, and the one that is stored stays', async ({ world }) => {
    const publisher = await world.connect({ version, clientId: 'publisher' })
    await publisher.publish('state', 'old', { qos: 1, retain: true })
    await world.fill()
    expect((await publisher.publish('state', 'new', { qos: 1, retain: true })).reasonCode).toBe(0x97)
    await publisher.subscribe('state')
    await publisher.receive({ payload: 'old' })
  })

  test('is refused subscriptions of a session that is kept, and has those it had', async ({ world }) => {
    const client = await world.connect(lasting({ version, clientId: 'c' }))
    await client.subscribe('old', 0)
    await world.fill()
    expect(await client.subscribe('new', 0)).toEqual([0x97])
    expect(await client.unsubscribe('old', 'none')).toEqual([0x83, 0x11])
    const publisher = await world.connect({ clientId: 'publisher' })
    await publisher.publish('new', 'x')
    await publisher.publish('old', 'y')
    await client.receive({ payload: 'y' })
    await world.makeRoom()
    expect(await client.subscribe('new', 0)).toEqual([0])
  })
})

describe('a disk that fills up', () => {
  test('holds back the acknowledgements of what is being written, and no word of them is lost', async ({ world }) => {
    const keeper = await storedSubscriber(world)
    const publisher = await world.connect({ version: 5, clientId: 'publisher' })
    world.disk.slow = true
    publisher.sendPublish({ topic: 'kept/a', payload: 'x', qos: 2, packetId: 1 })
    await world.until(() => world.disk.isBusy)
    world.disk.failure = new Error('No space left on device')
    world.disk.goOn()
    await publisher.expectNothing()
    await keeper.expectNothing()
    await world.makeRoom()
    await publisher.expect('pubrec', { packetId: 1, reasonCode: 0 })
    await keeper.receive({ payload: 'x', qos: 2 })
  })

  test('does not answer PUBREL, nor send one, before the store knows', async ({ world }) => {
    const keeper = await storedSubscriber(world)
    const publisher = await world.connect(lasting({ clientId: 'publisher' }))
    publisher.sendPublish({ topic: 'kept/a', payload: 'x', qos: 2, packetId: 1 })
    await publisher.expect('pubrec', { packetId: 1 })
    const { packetId } = await keeper.expect('publish', { payload: 'x' })
    await world.fill()
    publisher.sendAck('pubrel', 1)
    keeper.sendAck('pubrec', packetId)
    await publisher.expectNothing()
    await keeper.expectNothing()
    await world.makeRoom()
    await publisher.expect('pubcomp', { packetId: 1 })
    await keeper.expect('pubrel', { packetId })
  })

  test('keeps the will of a client that is lost meanwhile', async ({ world }) => {
    const keeper = await storedSubscriber(world)
    const device = await world.connect({ clientId: 'device', will: { topic: 'kept/will', payload: 'gone', qos: 1 } })
    keeper.drop()
    await world.fill()
    device.drop()
    await world.until(() => world.broker.wills.count === 0)
    await world.makeRoom()
    const again = await (await world.restarted()).connect(lasting({ clientId: 'keeper' }))
    await again.receive({ topic: 'kept/will', payload: 'gone' })
    await again.expectNothing()
  })

  test('is told at once to the log, to a counter and to $SYS, and so is the end of it', async ({ start }) => {
    const world = await start({ sys: { intervalSeconds: 3600 } })
    const watcher = await world.connect({ clientId: 'watcher' })
    await watcher.subscribe(['$SYS/broker/store/failing', '$SYS/broker/store/failures'])
    await watcher.expect('publish', { payload: '0' })
    await watcher.expect('publish', { payload: '0' })
    await world.fill()
    expect(world.broker.counters.storeFailures).toBe(1)
    expect(world.log.lines.at(-1)).toMatchObject({ level: 'error', text: expect.stringContaining('is the disk full?') })
    await watcher.expect('publish', { topic: '$SYS/broker/store/failing', payload: '1' })
    await watcher.expect('publish', { topic: '$SYS/broker/store/failures', payload: '1' })
    await world.makeRoom()
    expect(world.log.lines.at(-1)).toMatchObject({ level: 'info', text: 'the store writes again' })
    await watcher.expect('publish', { topic: '$SYS/broker/store/failing', payload: '0' })
  })

  test('refuses a message of the program that has the broker', async ({ world }) => {
    const keeper = await storedSubscriber(world)
    await world.fill()
    const publish = (qos: 0 | 1, payload: string): Promise<string> =>
      new Promise((resolve) => {
        const packet = { cmd: 'publish', topic: 'kept/a', payload, qos, retain: false, dup: false } as const
        world.broker.publish(packet, (error) => resolve(error?.message ?? 'done'))
      })
    expect(await publish(1, 'no')).toBe('the store cannot write at present')
    expect(await publish(0, 'yes')).toBe('done')
    await keeper.receive({ payload: 'yes' })
  })
})
