import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect } from 'vitest'
import { WebSocket } from 'ws'
import { test, type World } from '../support/faulty-world.ts'
import type { RawClient } from '../support/raw-client.ts'
import { connectPacket } from '../support/wire-writer.ts'

const COUNT = 2_000
const CONNECT_TIMEOUT_MS = 10_000

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Keeps no connection alive by itself, and says how many of those that failed still are. */
function watchLeaks(world: World): () => Promise<number> {
  const seen: WeakRef<object>[] = []
  world.broker.on('connectionError', (client) => seen.push(new WeakRef(client)))
  return async () => {
    for (let round = 0; round < 5; round++) {
      // What a turn has looked at through a WeakRef stays until the turn is over.
      await new Promise((resolve) => setTimeout(resolve, 10))
      collectGarbage()
    }
    return seen.filter((each) => each.deref() !== undefined).length
  }
}

describe(`${COUNT} connections that never send CONNECT`, () => {
  test('are closed in time and leave nothing, and nobody notices', { timeout: 30_000 }, async ({ start }) => {
    const world = await start({ limits: { connectTimeoutMs: CONNECT_TIMEOUT_MS } })
    const { broker, clock, log } = world
    const leaks = watchLeaks(world)
    const calm = await world.bystanders()
    const silent: RawClient[] = []
    for (let index = 0; index < COUNT; index++) {
      const client = await world.open()
      // Some say nothing at all, some begin and stop.
      if (index % 2 === 1) client.send(connectPacket({ clientId: `half ${index}` }).subarray(0, 1 + (index % 15)))
      silent.push(client)
    }
    await world.until(() => broker.counters.connectionsOpened === COUNT + 2)
    await clock.advance(CONNECT_TIMEOUT_MS - 1)
    await calm()
    expect(silent.filter(({ isClosed }) => isClosed)).toHaveLength(0)
    await clock.advance(1)
    for (const client of silent) await client.expectClosed()
    for (const client of silent) client.drop()
    await calm()
    expect(Object.keys(broker.clients)).toHaveLength(2)
    expect(log.lines.filter(({ fields }) => fields['reason'] === 'connect did not arrive in time')).toHaveLength(COUNT)
    expect(await leaks()).toBe(0)
  })
})

test('a connection over WebSocket that never sends CONNECT is closed in time', async ({ start }) => {
  const world = await start({ http: { port: 0 }, limits: { connectTimeoutMs: CONNECT_TIMEOUT_MS } })
  const socket = new WebSocket(world.broker.addresses[1]?.url ?? '', 'mqtt')
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve))
  await world.until(() => world.broker.counters.connectionsOpened === 1)
  await world.clock.advance(CONNECT_TIMEOUT_MS - 1)
  expect(socket.readyState).toBe(WebSocket.OPEN)
  await world.clock.advance(1)
  await closed
  expect(world.broker.connectedClients).toBe(0)
})
