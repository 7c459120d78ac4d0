import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lasting } from '../../support/flow.ts'
import { RawClient } from '../../support/raw-client.ts'
import { PowerCutWorld, socket } from './power-cut-world.ts'
import { pause } from './stage.ts'

vi.mock('../../../src/store/level/open-folder.ts', () => ({ openFolder: async () => socket.next?.() }))

let world: PowerCutWorld

beforeEach(() => {
  world = new PowerCutWorld(1, 0)
  return world.start()
})

afterEach(() => world.stop())

async function resume(clientId: string): Promise<RawClient> {
  const client = new RawClient(await world.open(), 4)
  client.sendConnect(lasting({ version: 4, clientId }))
  await client.expect('connack', { reasonCode: 0 })
  return client
}

test.each([
  { what: 'deletion of a retained message', payload: '' },
  { what: 'retained message', payload: 'after' },
])('the same $what of two clients is acknowledged to neither before it is stored', async ({ payload }) => {
  const clients = [await resume('one'), await resume('other')]
  const reader = await resume('reader')
  await reader.subscribe('kept', 0)
  await reader.publish('kept', 'before', { qos: 1, retain: true })
  await reader.receive({ payload: 'before' })
  world.disk.cutAt = world.disk.synced + 1
  const cut = new Promise<void>((resolve) => {
    world.disk.onCut = resolve
  })
  for (const client of clients) client.sendPublish({ topic: 'kept', payload, qos: 1, retain: true, packetId: 5 })
  await reader.receive({ payload })
  await reader.receive({ payload })
  await cut
  // An acknowledgement that should not be would come with the end of this turn.
  await pause(50)
  expect(clients.flatMap(({ received }) => received)).toEqual([])
  await world.clear()
  await world.start()
  const again = await resume('another reader')
  await again.subscribe('kept', 0)
  await again.receive({ payload: 'before', retain: true })
})
