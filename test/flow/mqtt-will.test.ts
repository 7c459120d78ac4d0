import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'

const WILL = { topic: 'will', payload: 'gone' }

describe.each(versions)('the will of $name', ({ version }) => {
  test('is published when the connection breaks (MQTT-3.1.2-8)', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will', 2)
    const client = await broker.connect({ version, clientId: 'c', will: WILL })
    client.drop()
    await watcher.receive({ topic: 'will', payload: 'gone', qos: 0, retain: false })
    await watcher.expectNothing()
  })

  test('is published when the client ends without DISCONNECT', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = await broker.connect({ version, clientId: 'c', will: WILL })
    client.halfClose()
    await watcher.receive({ topic: 'will' })
  })

  test('is deleted by DISCONNECT (MQTT-3.1.2-10, MQTT-3.14.4-3)', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('#')
    const client = await broker.connect({ version, clientId: 'c', will: WILL })
    await client.disconnect()
    await watcher.expectNothing()
  })

  test('is published after a protocol error', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = await broker.connect({ version, clientId: 'c', will: WILL })
    client.sendConnect({ clientId: 'c' })
    await client.end()
    await watcher.receive({ topic: 'will' })
  })

  test('is published when another connection takes over', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    await broker.connect({ version, clientId: 'c', will: WILL })
    await broker.connect({ version, clientId: 'c' })
    await watcher.receive({ topic: 'will', payload: 'gone' })
    await watcher.expectNothing()
  })

  test('of the new connection is the one that counts after a takeover', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    await broker.connect({ version, clientId: 'c', will: { topic: 'will', payload: 'first' } })
    const second = await broker.connect({ version, clientId: 'c', will: { topic: 'will', payload: 'second' } })
    await watcher.receive({ payload: 'first' })
    second.drop()
    await watcher.receive({ payload: 'second' })
    await watcher.expectNothing()
  })

  test('of an earlier connection is forgotten', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    const { client } = await broker.resume({ version, clientId: 'c', will: WILL })
    await client.disconnect()
    const { client: again } = await broker.resume({ version, clientId: 'c' })
    again.drop()
    await watcher.expectNothing()
  })

  test.for([0, 1, 2])('is published with its QoS %i', async (qos, { broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will', 2)
    const client = await broker.connect({ version, clientId: 'c', will: { ...WILL, qos } })
    client.drop()
    await watcher.receive({ payload: 'gone', qos })
  })

  test('with retain is retained (MQTT-3.1.2-15)', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = await broker.connect({ version, clientId: 'c', will: { ...WILL, qos: 1, retain: true } })
    client.drop()
    await watcher.receive({ payload: 'gone', retain: false })
    await watcher.subscribe('will', 1)
    await watcher.receive({ payload: 'gone', retain: true, qos: 1 })
  })

  test('without retain is not retained (MQTT-3.1.2-14)', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = await broker.connect({ version, clientId: 'c', will: WILL })
    client.drop()
    await watcher.receive({ payload: 'gone' })
    await watcher.subscribe('will')
    await watcher.expectNothing()
  })

  test('with retain and no payload deletes the retained message', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.publish('will', 'here', { qos: 1, retain: true })
    await watcher.subscribe('will')
    await watcher.receive({ payload: 'here' })
    const client = await broker.connect({ version, clientId: 'c', will: { topic: 'will', payload: '', retain: true } })
    client.drop()
    await watcher.receive({ payload: '' })
    await watcher.subscribe('will')
    await watcher.expectNothing()
  })

  test('waits for an offline session like any message', async ({ broker }) => {
    const { client: watcher } = await broker.resume({ version, clientId: 'watcher' })
    await watcher.subscribe('will', 1)
    await watcher.disconnect()
    const witness = await broker.connect({ version, clientId: 'witness' })
    await witness.subscribe('will')
    const client = await broker.connect({ version, clientId: 'c', will: { ...WILL, qos: 1 } })
    client.drop()
    await witness.receive({ topic: 'will' })
    const { client: again } = await broker.resume({ version, clientId: 'watcher' })
    await again.receive({ topic: 'will', payload: 'gone', qos: 1 })
  })

  test('on a topic that is denied is not published', async ({ start }) => {
    const broker = await start({ denyPublish: 'secret/#' })
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    const denied = await broker.connect({ version, clientId: 'd', will: { topic: 'secret/will', payload: 'x' } })
    const allowed = await broker.connect({ version, clientId: 'c', will: WILL })
    await watcher.subscribe('secret/#')
    denied.drop()
    allowed.drop()
    await watcher.receive({ topic: 'will' })
    await watcher.expectNothing()
  })

  test('with an empty payload is a message', async ({ broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = await broker.connect({ version, clientId: 'c', will: { topic: 'will', payload: '' } })
    client.drop()
    await watcher.receive({ topic: 'will', payload: '' })
  })
})

describe('the will of version 5', () => {
  test('is published after DISCONNECT with reason 0x04 (MQTT-3.1.2-8)', async ({ broker }) => {
    const watcher = await broker.connect({ version: 5, clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = await broker.connect({ version: 5, clientId: 'c', will: WILL })
    await client.disconnect(0x04)
    await watcher.receive({ topic: 'will' })
  })

  test('is published after DISCONNECT with an error', async ({ broker }) => {
    const watcher = await broker.connect({ version: 5, clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = await broker.connect({ version: 5, clientId: 'c', will: WILL })
    await client.disconnect(0x80)
    await watcher.receive({ topic: 'will' })
  })

  test('carries its properties, not its delay (section 3.1.3.2)', async ({ broker }) => {
    const watcher = await broker.connect({ version: 5, clientId: 'watcher' })
    await watcher.subscribe('will')
    const properties = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'answer',
      correlationData: Buffer.from([0, 1, 255]),
      userProperties: [
        ['b', '2'],
        ['a', '1'],
        ['b', '3'],
      ] as [string, string][],
    } as const
    const client = await broker.connect({
      version: 5,
      clientId: 'c',
      will: { ...WILL, properties: { ...properties, userProperties: [...properties.userProperties] } },
    })
    client.drop()
    const packet = await watcher.receive({ topic: 'will' })
    expect(packet.properties).toEqual(properties)
  })
})
