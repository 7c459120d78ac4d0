import { expect } from 'vitest'
import { test } from '../support/faulty-world.ts'

const EXPIRY_SECONDS = 10

test.for([
  { name: 'leaves the packet alone', changed: EXPIRY_SECONDS, left: 6 },
  { name: 'changes the expiry', changed: 20, left: 16 },
])('expiry counts from the receipt where authorizePublish takes its time and $name', async (given, { start }) => {
  const held: (() => void)[] = []
  const world = await start({
    authorizePublish: (_client, packet, done) => {
      if (packet.properties !== undefined) packet.properties.messageExpiryInterval = given.changed
      held.push(() => done(null))
    },
  })
  const subscriber = await world.connect({ version: 5, clientId: 'subscriber' })
  await subscriber.subscribe('a', 1)
  const publisher = await world.connect({ version: 5, clientId: 'publisher' })
  const properties = { messageExpiryInterval: EXPIRY_SECONDS }
  publisher.sendPublish({ topic: 'a', payload: 'x', qos: 1, packetId: 1, properties })
  await world.until(() => held.length > 0)
  await world.clock.advance(4_000)
  held[0]?.()
  const { properties: seen } = await subscriber.receive({ topic: 'a' })
  expect(seen).toEqual({ messageExpiryInterval: given.left })
})

test('a message that expires while authorizePublish is asked is acknowledged and delivered to nobody', async ({
  start,
}) => {
  const held: (() => void)[] = []
  const world = await start({ authorizePublish: (_client, _packet, done) => void held.push(() => done(null)) })
  const subscriber = await world.connect({ version: 5, clientId: 'subscriber' })
  await subscriber.subscribe('a', 1)
  const publisher = await world.connect({ version: 5, clientId: 'publisher' })
  publisher.sendPublish({ topic: 'a', payload: 'x', qos: 1, packetId: 1, properties: { messageExpiryInterval: 3 } })
  await world.until(() => held.length > 0)
  await world.clock.advance(4_000)
  held[0]?.()
  await publisher.expect('puback', { packetId: 1, reasonCode: 0 })
  await subscriber.expectNothing()
})
