import type { Socket } from 'node:net'
import { describe, expect } from 'vitest'
import { test } from '../support/faulty-world.ts'
import { versions } from '../support/flow.ts'
import { frame, string, u16, u8 } from '../support/wire-bytes.ts'
import { connectPacket, disconnectPacket, PINGREQ, publishPacket, subscribePacket } from '../support/wire-writer.ts'

const LIMIT = 1000

/** The first bytes of a packet of this length; what should follow never comes. */
function announcing(header: number, wholeLength: number): Buffer {
  const packet = frame(header, Buffer.alloc(wholeLength - (wholeLength <= 129 ? 2 : 3)))
  expect(packet.length).toBe(wholeLength)
  return packet.subarray(0, 5)
}

describe('input beyond the size limit', () => {
  test('before CONNECT ends the connection as soon as its length is known', async ({ start }) => {
    const world = await start({ limits: { connectPacketBytesMax: LIMIT } })
    const calm = await world.bystanders()
    const client = await world.open()
    client.send(announcing(0x10, LIMIT + 1))
    await client.expectClosed()
    expect(world.broker.counters.protocolErrors).toBe(1)
    expect(world.log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', text: 'closed a connection that broke the protocol' }),
    )
    await calm()
  })

  test('before CONNECT is not taken for the larger limit that holds after it', async ({ start }) => {
    const world = await start({ limits: { connectPacketBytesMax: LIMIT, packetBytesMax: 2 * LIMIT } })
    const atLimit = await world.open()
    const filler = 'u'.repeat(LIMIT - connectPacket({ username: '' }).length - 1)
    atLimit.send(connectPacket({ username: filler }))
    await atLimit.expect('connack', { reasonCode: 0 })
    atLimit.send(publishPacket(4, { topic: 'a', payload: Buffer.alloc(2 * LIMIT - 6) }))
    await atLimit.expectNothing()
    const beyond = await world.open()
    beyond.send(connectPacket({ username: `${filler}u` }))
    await beyond.expectClosed()
  })

  test.for(versions)(
    'after CONNECT of $name ends the connection as soon as its length is known',
    async ({ version }, { start }) => {
      const world = await start({ limits: { packetBytesMax: LIMIT } })
      const calm = await world.bystanders()
      const client = await world.connect({ version, clientId: 'waiting' })
      client.send(announcing(0x30, LIMIT))
      await calm()
      expect(client.isClosed).toBe(false)
      const other = await world.connect({ version, clientId: 'beyond' })
      other.send(announcing(0x30, LIMIT + 1))
      await other.expectDisconnected(0x95)
      await calm()
    },
  )
})

describe('input that breaks off', () => {
  test('after any byte leaves nothing behind', async ({ start }) => {
    const world = await start()
    const { broker } = world
    const subscriptionCount = broker.router.subscriptionCount
    const stream = Buffer.concat([
      connectPacket({ version: 5, clientId: 'c', keepAlive: 60 }),
      subscribePacket(5, 1, [{ filter: 'a/+', qos: 2 }]),
      publishPacket(5, { topic: 'a/b', payload: 'x', qos: 2, packetId: 2 }),
      disconnectPacket(),
    ])
    for (let length = 0; length < stream.length; length++) {
      const client = await world.open(5)
      client.send(stream.subarray(0, length)).halfClose()
      await client.end()
    }
    await world.until(() => broker.connectedClients === 0)
    expect(Object.keys(broker.clients)).toEqual([])
    expect(broker.router.subscriptionCount).toBe(subscriptionCount)
    expect(broker.counters.protocolErrors).toBe(0)
  })

  test('by a reset leaves nothing behind', async ({ start }) => {
    const world = await start()
    const calm = await world.bystanders()
    for (let round = 0; round < 50; round++) {
      const client = await world.connect({ clientId: 'c' })
      client.send(subscribePacket(4, 1, [{ filter: 'a' }]), Buffer.alloc(round, 0x30))
      ;(client.stream as Socket).resetAndDestroy()
    }
    await world.until(() => world.broker.connectedClients === 2)
    expect(Object.keys(world.broker.clients).toSorted()).toEqual(['bystander', 'calm publisher'])
    await calm()
  })
})

describe('input that drips one byte at a time', () => {
  test.for(versions)('is understood in $name', async ({ version }, { start }) => {
    const world = await start()
    const client = await world.open(version)
    const drip = async (bytes: Buffer): Promise<void> => {
      for (const byte of bytes) {
        const before = world.broker.counters.bytesReceived
        client.send(u8(byte))
        await world.until(() => world.broker.counters.bytesReceived > before)
      }
    }
    await drip(connectPacket({ version, clientId: 'c', will: { topic: 'w', payload: 'x' } }))
    await client.expect('connack', { reasonCode: 0 })
    await drip(subscribePacket(version, 1, [{ filter: 'a', qos: 1 }]))
    await client.expect('suback', { reasonCodes: [1] })
    const payload = 'p'.repeat(150)
    await drip(publishPacket(version, { topic: 'a', payload, qos: 1, packetId: 2 }))
    await client.take('puback', { packetId: 2 })
    await client.take('publish', { payload })
    await drip(PINGREQ)
    await client.expect('pingresp')
  })

  test('does not extend the time for CONNECT', async ({ start }) => {
    const world = await start({ limits: { connectTimeoutMs: 10_000 } })
    const client = await world.open()
    const connect = connectPacket({ clientId: 'slow', username: 'somebody' })
    for (let second = 0; second < 9; second++) {
      client.send(connect.subarray(second, second + 1))
      await world.until(() => world.broker.counters.bytesReceived === second + 1)
      await world.clock.advance(1000)
    }
    expect(client.isClosed).toBe(false)
    await world.clock.advance(1000)
    await client.expectClosed()
    expect(world.log.lines.map(({ fields }) => fields['reason'])).toEqual(['connect did not arrive in time'])
  })
})

describe('1,000 packets in one chunk with CONNECT in front', () => {
  test.for(versions)('are answered one by one in order in $name', async ({ version }, { start }) => {
    const world = await start()
    const client = await world.open(version)
    const packets = [connectPacket({ version, clientId: 'c' }), subscribePacket(version, 1, [{ filter: 'a', qos: 1 }])]
    for (let packetId = 2; packetId < 1000; packetId++) {
      packets.push(publishPacket(version, { topic: 'a', payload: String(packetId), qos: 1, packetId }))
    }
    packets.push(PINGREQ)
    client.send(Buffer.concat(packets))
    await client.expect('connack', { reasonCode: 0 })
    await client.expect('suback')
    const echoed: number[] = []
    for (let packetId = 2; packetId < 1000; packetId++) {
      await client.take('puback', { packetId })
      const { payload, packetId: outgoing } = await client.take('publish')
      client.sendAck('puback', outgoing)
      echoed.push(Number(payload))
    }
    await client.take('pingresp')
    expect(echoed).toEqual(Array.from({ length: 998 }, (_, index) => index + 2))
  })

  test('wait for a slow authenticate hook, and go on when it answers', async ({ start }) => {
    let answer: (() => void) | undefined
    const world = await start({
      authenticate: (_client, _name, _password, done) => {
        answer = () => done(null, true)
      },
    })
    const client = await world.open()
    const packets = [connectPacket({ clientId: 'c' })]
    for (let packetId = 1; packetId <= 1000; packetId++) {
      packets.push(publishPacket(4, { topic: 'a', qos: 1, packetId }))
    }
    client.send(Buffer.concat(packets))
    await world.until(() => answer !== undefined)
    expect(client.received).toEqual([])
    answer?.()
    await client.expect('connack', { reasonCode: 0 })
    for (let packetId = 1; packetId <= 1000; packetId++) await client.expect('puback', { packetId })
    await client.expectNothing()
  })

  test('are not looked at when the first one ends the connection', async ({ start }) => {
    const world = await start()
    const watcher = await world.connect({ clientId: 'watcher' })
    await watcher.subscribe('#')
    const client = await world.open()
    const publish = publishPacket(4, { topic: 'a', payload: 'x' })
    client.send(Buffer.concat([connectPacket({}), Buffer.from([0x00, 0x00]), ...new Array(1000).fill(publish)]))
    await client.expect('connack')
    await client.expectClosed()
    await watcher.expectNothing()
  })
})

const MALFORMED: Record<string, Buffer> = {
  'a remaining length of five bytes': Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]),
  'packet type 0': Buffer.from([0x00, 0x00]),
  'PUBLISH at QoS 3': frame(0x36, string('a'), u16(1)),
  'PUBLISH with a wildcard in its topic': publishPacket(4, { topic: 'a/#' }),
  'PUBLISH with packet id 0': publishPacket(4, { topic: 'a', qos: 1, packetId: 0 }),
  'PUBLISH whose topic is longer than the packet': frame(0x30, u16(500), Buffer.from('a')),
  'PUBLISH with a topic that is no UTF-8': publishPacket(4, { topic: Buffer.from([0xc3, 0x28]) }),
  'SUBSCRIBE without a filter': frame(0x82, u16(1)),
  'SUBSCRIBE at QoS 3': frame(0x82, u16(1), string('a'), u8(3)),
  'SUBSCRIBE with wrong flags': frame(0x80, u16(1), string('a'), u8(0)),
  'a second CONNECT': connectPacket({ clientId: 'c' }),
  'CONNACK from a client': frame(0x20, u8(0), u8(0)),
  'PINGREQ with a body': frame(0xc0, u8(0)),
}

describe('a packet that cannot be', () => {
  test.for(Object.entries(MALFORMED))(
    '(%s) costs its own client only, with a line and a count',
    async ([, bytes], { start }) => {
      const world = await start()
      const calm = await world.bystanders()
      const client = await world.connect({ clientId: 'c' })
      client.send(bytes)
      await client.expectClosed()
      await calm()
      expect(world.broker.counters.protocolErrors).toBe(1)
      expect(world.log.about('c').filter(({ level }) => level === 'warn')).toEqual([
        expect.objectContaining({ text: 'closed a connection that broke the protocol' }),
      ])
      expect(Object.keys(world.broker.clients)).not.toContain('c')
    },
  )

  test('of any bytes costs its own client only', async ({ start }) => {
    const world = await start({ limits: { packetBytesMax: 4096 } })
    const calm = await world.bystanders()
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = randomFrom(seed)
    for (let round = 0; round < 150; round++) {
      const client = await world.open(5)
      if (round % 3 > 0) client.send(connectPacket({ version: 5, clientId: `noise ${round}` }))
      client.send(Buffer.from(Array.from({ length: 1 + random() * 200 }, () => random() * 256)))
      client.halfClose()
      if (round % 25 === 0) await calm()
    }
    await world.until(() => world.broker.connectedClients === 2)
    await calm()
    expect(Object.keys(world.broker.clients), `seed ${seed}`).toHaveLength(2)
  })
})

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return state / 0x7fffffff
  }
}
