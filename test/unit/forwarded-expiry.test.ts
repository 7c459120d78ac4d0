import { expect, test } from 'vitest'
import { createBroker } from '../../src/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { duplexPair } from 'node:stream'
import { RawClient } from '../support/raw-client.ts'
import { lasting } from '../support/flow.ts'

// Found by test/model: the hook sees whole seconds, at least one, and what it hands back counted from then on.
test('an authorizeForward hook that changes nothing does not give an expired message another second', async () => {
  const clock = new FakeClock()
  const broker = await createBroker({ memory: true, clock, authorizeForward: (_client, packet) => packet })
  const connect = async (clientId: string): Promise<RawClient> => {
    const [near, far] = duplexPair()
    broker.handle(far)
    const client = new RawClient(near, 5)
    client.sendConnect(lasting({ version: 5, clientId }))
    await client.expect('connack', { reasonCode: 0 })
    return client
  }
  const filter = '$share/group/work'
  const away = await connect('away')
  await away.subscribe(filter, 0)
  await away.disconnect()
  const holder = await connect('holder')
  await holder.subscribe(filter, 1)
  holder.sendPublish({ topic: 'work', payload: 'x', qos: 1, packetId: 9, properties: { messageExpiryInterval: 5 } })
  await holder.take('publish', { payload: 'x' })
  await holder.disconnect()
  await clock.advance(5000)
  const back = await connect('away')
  await back.expectNothing()
  expect(broker.counters.messagesExpired).toBe(1)
  await broker.close()
})
