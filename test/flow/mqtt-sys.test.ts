import { describe, expect } from 'vitest'
import { test } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'

const NAMES = [
  'version',
  'uptime',
  'clients/connected',
  'clients/disconnected',
  'clients/expired',
  'clients/maximum',
  'clients/total',
  'messages/received',
  'messages/sent',
  'bytes/received',
  'bytes/sent',
  'publish/messages/received',
  'publish/messages/sent',
  'publish/messages/dropped',
  'publish/bytes/received',
  'publish/bytes/sent',
  'subscriptions/count',
  'shared_subscriptions/count',
  'retained messages/count',
  'store/messages/count',
  'store/messages/bytes',
  'heap/current',
]

/** What has arrived below `$SYS/broker/`, the latest value of each name. */
async function figures(client: RawClient): Promise<Map<string, string>> {
  client.send(Buffer.from([0xc0, 0]))
  await client.take('pingresp')
  return new Map(client.received.splice(0).map(({ topic, payload }) => [topic.replace('$SYS/broker/', ''), payload]))
}

describe('$SYS', () => {
  test("has mosquitto's names, retained", async ({ start }) => {
    const broker = await start({ sysIntervalSeconds: 1 })
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await broker.pass(2.1)
    await client.subscribe('$SYS/broker/#')
    await client.expect('publish', { retain: true })
    await client.subscribe('$SYS/broker/#')
    const found = await figures(client)
    expect([...found.keys()]).toEqual(expect.arrayContaining(NAMES.filter((name) => name !== 'heap/current')))
  })

  test('counts what happens', async ({ start }) => {
    const broker = await start({ sysIntervalSeconds: 1 })
    const client = await broker.connect({ version: 4, clientId: 'c' })
    const { client: lasting } = await broker.resume({ version: 4, clientId: 'gone' })
    await lasting.disconnect()
    const other = await broker.connect({ version: 4, clientId: 'd' })
    await other.subscribe(['a', 'b', '$share/group/c'])
    await other.publish('a', '12345', { qos: 1 })
    await other.receive()
    await broker.pass(2.1)
    await client.subscribe('$SYS/broker/#')
    const found = await figures(client)
    expect(found.get('clients/connected')).toBe('2')
    expect(found.get('clients/disconnected')).toBe('1')
    expect(found.get('clients/total')).toBe('3')
    expect(found.get('shared_subscriptions/count')).toBe('1')
    expect(found.get('uptime')).toMatch(/^\d+ seconds$/)
    expect(Number(found.get('publish/messages/received'))).toBe(1)
    expect(Number(found.get('publish/bytes/received'))).toBe(5)
    expect(Number(found.get('subscriptions/count'))).toBeGreaterThanOrEqual(2)
    expect(Number(found.get('bytes/received'))).toBeGreaterThan(50)
  })

  test('sends a figure again when it has changed', async ({ start }) => {
    const broker = await start({ sysIntervalSeconds: 1 })
    const client = await broker.connect({ version: 4, clientId: 'c' })
    await broker.pass(2.1)
    await client.subscribe('$SYS/broker/clients/connected')
    await client.receive({ payload: '1', retain: true })
    await broker.connect({ version: 4, clientId: 'd' })
    await broker.pass(2.1)
    await client.receive({ payload: '2', retain: false })
  })

  test('is not found by a leading wildcard (MQTT-4.7.2-1)', async ({ start }) => {
    const broker = await start({ sysIntervalSeconds: 1 })
    const client = await broker.connect({ version: 4, clientId: 'c' })
    await client.subscribe(['#', '+/broker/#', '+/+/version'])
    await broker.pass(2.1)
    await client.expectNothing()
  })

  test('is silent when its interval is 0', async ({ start }) => {
    const broker = await start({ sysIntervalSeconds: 0 })
    const client = await broker.connect({ version: 4, clientId: 'c' })
    await client.subscribe('$SYS/broker/clients/#')
    await broker.pass(2)
    await client.expectNothing()
  })

  test('cannot be published to by a client', async ({ start }) => {
    const broker = await start({ sysIntervalSeconds: 0 })
    const watcher = await broker.connect({ version: 4, clientId: 'watcher' })
    await watcher.subscribe('$SYS/#')
    const client = await broker.connect({ version: 4, clientId: 'c' })
    await client.publish('$SYS/broker/version', 'fake', { qos: 1, retain: true }).catch(() => undefined)
    await watcher.expectNothing()
  })

  test('does not survive in the store', async ({ start }) => {
    const broker = await start({ persistent: true, sysIntervalSeconds: 1 })
    await broker.pass(1.1)
    await broker.restart()
    const client = await broker.connect({ version: 4, clientId: 'c' })
    await broker.pass(1.1)
    await client.subscribe('$SYS/broker/retained messages/count')
    const { payload } = await client.receive()
    expect(Number(payload)).toBeLessThan(100)
  })
})
