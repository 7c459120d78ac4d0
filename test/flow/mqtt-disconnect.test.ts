import { describe } from 'vitest'
import { test, versions } from '../support/flow.ts'
import { disconnectPacket, publishPacket } from '../support/wire-writer.ts'

describe.each(versions)('DISCONNECT in $name', ({ version }) => {
  test('is answered by closing the connection, without a word (MQTT-3.14.4-2)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(disconnectPacket())
    await client.expectClosed()
  })

  test('comes after what was sent before it in the same chunk', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('a', 1)
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(publishPacket(version, { topic: 'a', payload: 'last words' }), disconnectPacket())
    await client.expectClosed()
    await watcher.receive({ payload: 'last words' })
  })

  test('ends the connection: what comes behind it is not processed (MQTT-3.14.4-1)', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('a')
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(disconnectPacket(), publishPacket(version, { topic: 'a', payload: 'too late' }))
    await client.expectClosed()
    await watcher.expectNothing()
  })

  test('from the broker says that it shuts down (section 3.14.2.1)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await broker.restart()
    await client.expectDisconnected(0x8b)
  })
})

describe('DISCONNECT of version 5', () => {
  test.for([0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99])(
    'with reason code %i ends the connection (section 3.14.2.1)',
    async (reasonCode, { broker }) => {
      const client = await broker.connect({ version: 5, clientId: 'c' })
      client.send(disconnectPacket(reasonCode))
      await client.expectClosed()
    },
  )

  test('with reason string and user properties ends the connection', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    client.send(disconnectPacket(0, { reasonString: 'done', userProperties: [['a', 'b']] }))
    await client.expectClosed()
  })
})

describe('when the broker stops', () => {
  test('the will of a client that is connected is published (section 3.1.2.5)', async ({ start }) => {
    const broker = await start({ persistent: true })
    const { client: watcher } = await broker.resume({ version: 5, clientId: 'watcher' })
    await watcher.subscribe('will', 1)
    await watcher.disconnect()
    await broker.connect({ version: 4, clientId: 'c', will: { topic: 'will', payload: 'gone', qos: 1 } })
    await broker.restart()
    const { client: again } = await broker.resume({ version: 5, clientId: 'watcher' })
    await again.receive({ topic: 'will', payload: 'gone' })
    await again.expectNothing()
  })

  test('a will that is delayed waits for the time to come', async ({ start }) => {
    const broker = await start({ persistent: true })
    await broker.connect({
      version: 5,
      clientId: 'c',
      will: { topic: 'will', payload: 'gone', properties: { willDelayInterval: 1000 } },
      properties: { sessionExpiryInterval: 3600 },
    })
    await broker.restart()
    const watcher = await broker.connect({ version: 5, clientId: 'watcher' })
    await watcher.subscribe('will')
    await broker.pass(900)
    await watcher.expectNothing()
    await broker.pass(200)
    await watcher.receive({ payload: 'gone' })
  })
})
