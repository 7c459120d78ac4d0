import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect } from 'vitest'
import { unsentBytes } from '../../src/listener/unsent-bytes.ts'
import { test, type World } from '../support/faulty-world.ts'
import type { RawClient } from '../support/raw-client.ts'
import { PINGREQ, publishPacket } from '../support/wire-writer.ts'

const KEEP_ALIVE_S = 10
const TIMEOUT_MS = 1500 * KEEP_ALIVE_S
const LARGE_BYTES = 30_000_000
const LIMITS = { outboxBytesMax: 64 * 1024 }

/** Does not read; the broker has an outbox full of messages for it, and does not read from it either. */
async function stuck(world: World, client: RawClient, payloadBytes: number): Promise<RawClient> {
  await client.subscribe('flood')
  client.stopReading()
  const { counters } = world.broker
  const publisher = await world.connect({ clientId: 'publisher' })
  while (counters.publishDropped === 0) await publisher.publish('flood', Buffer.alloc(payloadBytes))
  await publisher.disconnect()
  const before = counters.packetsReceived
  client.send(PINGREQ)
  await world.until(() => counters.packetsReceived > before)
  // Not handled by anyone: nothing more is read.
  client.send(PINGREQ)
  return client
}

/** What the broker has of its socket. */
function unsent(world: World): number {
  return unsentBytes(world.broker.clients['stuck']?.conn as Socket)
}

const options = { clientId: 'stuck', keepAlive: KEEP_ALIVE_S }

describe('a client that is not read because it does not take what it is sent', () => {
  test.for(['TCP', 'memory'])(
    'over %s is closed when its socket took nothing for one and a half times its keep alive (MQTT-3.1.2-22)',
    async (over, { start }) => {
      const world = await start({ limits: LIMITS })
      const client = await (over === 'TCP' ? world.connect(options) : world.connectInMemory(options))
      await stuck(world, client, over === 'TCP' ? 1_000_000 : 10_000)
      const before = unsent(world)
      expect(before).toBeGreaterThan(0)
      await world.clock.advance(TIMEOUT_MS - 1)
      expect(world.broker.clients['stuck']).toBeDefined()
      await world.clock.advance(TIMEOUT_MS + 1)
      expect(unsent.bind(undefined, world)).toThrow()
      expect(world.broker.counters.keepAliveTimeouts).toBe(1)
      expect(world.log.about('stuck').at(-1)?.fields['reason']).toMatch(/keep alive/i)
    },
  )

  test('stays as long as its socket takes something of one large message', async ({ start }) => {
    const world = await start({ limits: { ...LIMITS, packetBytesMax: LARGE_BYTES + 100 } })
    const client = await stuck(world, await world.connect(options), LARGE_BYTES)
    const { clients, counters } = world.broker
    // What it reads is looked at by nobody.
    client.stream.removeAllListeners('data')
    const socket = clients['stuck']?.conn as Socket
    for (let round = 0; round < 3; round++) {
      await world.clock.advance(TIMEOUT_MS)
      for (const before = unsent(world); unsent(world) === before; ) {
        client.goOnReading()
        await once(client.stream, 'data')
        client.stopReading()
      }
      // Of this figure alone nobody could tell.
      expect(socket.writableLength).toBeGreaterThan(LARGE_BYTES)
    }
    expect(clients['stuck']).toBeDefined()
    // All of it is taken, and what the client has said meanwhile is answered: it has as long again as at first.
    const { packetsReceived } = counters
    client.goOnReading()
    await world.until(() => counters.packetsReceived > packetsReceived)
    await world.clock.advance(TIMEOUT_MS - 1)
    expect(clients['stuck']).toBeDefined()
    await world.clock.advance(TIMEOUT_MS)
    expect(clients['stuck']).toBeUndefined()
  })
})

test('a client that the publish rate holds back is not silent', async ({ start }) => {
  const world = await start({ limits: { publishesPerSecondMax: 1 } })
  const client = await world.connect({ clientId: 'busy', keepAlive: 2 })
  const messages = [...Array(10).keys()].map((index) => publishPacket(4, { topic: 'a', qos: 1, packetId: index + 1 }))
  client.send(...messages)
  await world.until(() => world.broker.counters.publishReceived === 1)
  await world.clock.advance(10_000)
  for (let packetId = 1; packetId <= 10; packetId++) await client.expect('puback', { packetId })
  await client.expectNothing()
  await world.clock.advance(3000)
  await client.expectClosed()
})
