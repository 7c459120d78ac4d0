import { describe, expect } from 'vitest'
import type { BrokerOptions } from '../../src/index.ts'
import { test, type World } from '../support/faulty-world.ts'
import type { RawClient } from '../support/raw-client.ts'
import { PINGREQ } from '../support/wire-writer.ts'

const OUTBOX_BYTES = 16 * 1024
const QUEUE_MESSAGES = 50
// A duplex in memory holds so much on each of its two sides.
const ON_THE_WAY_BYTES = 64 * 1024
const PAYLOAD = 'p'.repeat(1000)

function limits(given: NonNullable<BrokerOptions['limits']> = {}): BrokerOptions {
  return { limits: { outboxBytesMax: OUTBOX_BYTES, queuedMessagesMax: QUEUE_MESSAGES, ...given } }
}

/** A client in memory that subscribes and then reads no more. */
async function deaf(world: World, qos: number, clean = true): Promise<RawClient> {
  const client = await world.connectInMemory({ clientId: 'deaf', clean })
  await client.subscribe('flood', qos)
  client.stopReading()
  return client
}

/** Publishes so many messages, numbered from 0, each after the answer to the one before; returns what was refused. */
async function flood(world: World, count: number, qos: number, version: 4 | 5 = 5): Promise<number[]> {
  const publisher = await world.connect({ version, clientId: 'publisher' })
  const refused: number[] = []
  for (let index = 0; index < count; index++) {
    const { reasonCode } = await publisher.publish('flood', `${index} ${PAYLOAD}`, { qos })
    if (reasonCode >= 0x80) refused.push(index)
  }
  return refused
}

/** Reads again, acknowledges, and returns the numbers of the messages until nothing more comes. */
async function readAgain(client: RawClient): Promise<number[]> {
  client.goOnReading()
  const numbers: number[] = []
  for (let before = -1; before < numbers.length; ) {
    before = numbers.length
    client.send(PINGREQ)
    await client.take('pingresp')
    for (const packet of client.received.splice(0)) {
      expect(packet.type).toBe('publish')
      numbers.push(Number(packet.payload.split(' ')[0]))
      await client.acknowledge(packet)
    }
  }
  return numbers
}

const all = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe('a subscriber that does not read', () => {
  test('gets no QoS 0 beyond its outbox: dropped, counted, said once; later ones come again', async ({ start }) => {
    const world = await start(limits())
    const calm = await world.bystanders()
    const client = await deaf(world, 0)
    await flood(world, 300, 0)
    await calm()
    const got = await readAgain(client)
    const dropped = world.broker.counters.publishDropped
    expect(dropped).toBeGreaterThan(0)
    expect(got).toEqual(all(300 - dropped))
    expect(got.length * 1000).toBeLessThan(OUTBOX_BYTES + ON_THE_WAY_BYTES)
    expect(world.log.about('deaf').filter(({ level }) => level === 'warn')).toHaveLength(1)
    await (await world.connect()).publish('flood', '300', { qos: 0 })
    expect(await readAgain(client)).toEqual([300])
  })

  test.for([1, 2])('gets every QoS %i message within its queue, in order, once it reads', async (qos, { start }) => {
    const world = await start(limits({ queuedMessagesMax: 500 }))
    const calm = await world.bystanders()
    const client = await deaf(world, qos)
    expect(await flood(world, 300, qos)).toEqual([])
    await calm()
    expect(await readAgain(client)).toEqual(all(300))
    expect(world.broker.counters.publishDropped).toBe(0)
  })

  test.for([1, 2])('with drop-newest keeps the oldest of QoS %i', async (qos, { start }) => {
    const world = await start(limits({ queueOverflow: 'drop-newest' }))
    const client = await deaf(world, qos)
    expect(await flood(world, 300, qos)).toEqual([])
    const got = await readAgain(client)
    expect(got).toEqual(all(QUEUE_MESSAGES))
    expect(world.broker.counters.publishDropped).toBe(300 - QUEUE_MESSAGES)
    expect(world.log.about('deaf').filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  test.for([1, 2])('with drop-oldest keeps what is in flight and the newest of QoS %i', async (qos, { start }) => {
    const world = await start(limits({ queueOverflow: 'drop-oldest' }))
    const client = await deaf(world, qos)
    expect(await flood(world, 300, qos)).toEqual([])
    const got = await readAgain(client)
    expect(got).toHaveLength(QUEUE_MESSAGES)
    expect(got).toEqual(got.toSorted((one, other) => one - other))
    const gap = got.findIndex((number, index) => number !== index)
    expect(gap).toBeGreaterThan(0)
    expect(got.slice(gap)).toEqual(all(300).slice(300 - (QUEUE_MESSAGES - gap)))
    expect(world.broker.counters.publishDropped).toBe(300 - QUEUE_MESSAGES)
  })

  test.for([1, 2])(
    'with reject-publish has the publisher of QoS %i told, and loses none accepted',
    async (qos, { start }) => {
      const world = await start(limits({ queueOverflow: 'reject-publish' }))
      const client = await deaf(world, qos)
      const other = await world.connect({ clientId: 'other' })
      await other.subscribe('flood', 0)
      const refused = await flood(world, 300, qos)
      expect(refused).toEqual(all(300).slice(QUEUE_MESSAGES))
      expect(await readAgain(client)).toEqual(all(QUEUE_MESSAGES))
      expect(world.broker.counters.publishRefused).toBe(refused.length)
      // A subscriber with room gets the message in any case.
      expect(await readAgain(other)).toEqual(all(300))
    },
  )

  test('with reject-publish leaves a version 3 publisher without acknowledgement, to send again', async ({ start }) => {
    const world = await start(limits({ queueOverflow: 'reject-publish', queuedMessagesMax: 1 }))
    const client = await deaf(world, 1)
    const publisher = await world.connect({ version: 4 })
    await publisher.publish('flood', '0', { qos: 1 })
    publisher.sendPublish({ topic: 'flood', payload: '1', qos: 1, packetId: 9 })
    await publisher.expectNothing()
    expect(await readAgain(client)).toEqual([0])
    publisher.sendPublish({ topic: 'flood', payload: '1', qos: 1, packetId: 9, dup: true })
    await publisher.expect('puback', { packetId: 9 })
    expect(await readAgain(client)).toEqual([1])
  })

  test('counts its queue in bytes too', async ({ start }) => {
    const world = await start(limits({ queuedMessagesMax: 1000, queuedBytesMax: 20_000 }))
    const client = await deaf(world, 1)
    await flood(world, 100, 1)
    const got = await readAgain(client)
    expect(got).toEqual(all(got.length))
    expect(got.length).toBeGreaterThan(5)
    expect(got.length).toBeLessThanOrEqual(20)
    expect(world.broker.counters.publishDropped).toBe(100 - got.length)
  })

  test('and breaks off keeps its session; what waits comes when it is back', async ({ start }) => {
    const world = await start(limits({ queuedMessagesMax: 500 }))
    const client = await deaf(world, 1, false)
    await flood(world, 200, 1)
    client.drop()
    const back = world.openInMemory()
    back.sendConnect({ clientId: 'deaf', clean: false })
    await back.expect('connack', { sessionPresent: true })
    expect(await readAgain(back)).toEqual(all(200))
  })

  test('over TCP, while others publish at full speed, costs bounded memory and nobody else anything', {
    timeout: 30_000,
  }, async ({ start }) => {
    const world = await start(limits())
    const { broker } = world
    const calm = await world.bystanders()
    for (const qos of [0, 1, 2]) {
      const client = await world.connect({ clientId: `deaf ${qos}`, clean: false })
      await client.subscribe('flood', qos)
      client.stopReading()
    }
    const publisher = await world.connect({ clientId: 'publisher' })
    const payload = Buffer.alloc(10_000, 'p')
    const before = process.memoryUsage().rss
    const total = 8_000
    let sentOutboxMax = 0
    for (let index = 0; index < total; index++) {
      publisher.sendPublish({ topic: 'flood', payload, qos: index % 2, packetId: 1 + (index % 1000) })
      if (index % 500 !== 499) continue
      publisher.send(PINGREQ)
      await publisher.take('pingresp')
      publisher.received.length = 0
      await calm()
      for (const [id, client] of Object.entries(broker.clients)) {
        if (id.startsWith('deaf')) sentOutboxMax = Math.max(sentOutboxMax, client?.conn.writableLength ?? 0)
      }
    }
    expect(broker.counters.publishDropped).toBeGreaterThan(total)
    // One write of a turn may go over the limit, by what one turn of a publisher brings.
    expect(sentOutboxMax).toBeLessThan(OUTBOX_BYTES + 2 * 65_536)
    expect(process.memoryUsage().rss - before).toBeLessThan(60 * 1024 * 1024)
    await calm()
  })
})
