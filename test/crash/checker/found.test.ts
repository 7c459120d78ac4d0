import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import { lasting } from '../../support/flow.ts'
import { RawClient } from '../../support/raw-client.ts'
import { PowerCutWorld, socket } from './power-cut-world.ts'

vi.mock('../../../src/store/level/open-folder.ts', () => ({ openFolder: async () => socket.next?.() }))

let world: PowerCutWorld

beforeEach(() => {
  world = new PowerCutWorld(1, 0)
  return world.start()
})

afterEach(() => world.stop())

async function resume(clientId: string, version: ProtocolVersion = 4): Promise<RawClient> {
  const client = new RawClient(await world.open(), version)
  client.sendConnect(lasting({ version, clientId }))
  await client.expect('connack', { reasonCode: 0 })
  return client
}

async function restart(): Promise<void> {
  world.disk.cutAt = 0
  await world.clear()
  await world.start()
}

test.each([1, 2])(
  'what was sent at QoS %i for the first time after a clean end comes again with DUP after a crash',
  async (qos) => {
    const reader = await resume('reader')
    await reader.subscribe('topic', qos)
    await reader.disconnect()
    await (await resume('publisher')).publish('topic', 'x', { qos })
    await world.close()
    await world.start()
    // The sync of the connection is the last one: what sending itself stores is lost.
    world.disk.cutAt = world.disk.synced + 2
    const first = await (await resume('reader')).expect('publish', { payload: 'x', dup: false })
    await restart()
    const { packetId } = first
    const again = await (await resume('reader')).expect('publish', { payload: 'x', packetId })
    expect(again.dup).toBe(true)
  },
)
