import { describe, expect } from 'vitest'
import { test } from '../support/flow.ts'
import type { FlowBroker } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'

async function offlineSession(broker: FlowBroker): Promise<RawClient> {
  const { client } = await broker.resume({ version: 5, clientId: 'c' })
  await client.subscribe('a', 1)
  await client.disconnect()
  return broker.connect({ version: 5, clientId: 'publisher' })
}

function expiring(seconds: number, retain = false): object {
  return { qos: 1, retain, properties: { messageExpiryInterval: seconds } }
}

describe('the message expiry interval', () => {
  test('reaches a live subscriber unaltered (section 3.3.2.3.3)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.publish('a', 'x', expiring(100))
    const { properties } = await client.take('publish')
    expect(properties).toEqual({ messageExpiryInterval: 100 })
  })

  test('of a message that waited is less by the time it waited (MQTT-3.3.2-6)', async ({ broker }) => {
    const publisher = await offlineSession(broker)
    await publisher.publish('a', 'x', expiring(100))
    await broker.pass(4)
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    const { properties } = await client.receive({ payload: 'x' })
    expect(properties.messageExpiryInterval).toBeGreaterThanOrEqual(95)
    expect(properties.messageExpiryInterval).toBeLessThanOrEqual(97)
  })

  test('passed before delivery lets the message go (MQTT-3.3.2-5)', async ({ broker }) => {
    const publisher = await offlineSession(broker)
    await publisher.publish('a', 'short', expiring(1))
    await publisher.publish('a', 'long', expiring(100))
    await publisher.publish('a', 'for ever', { qos: 1 })
    await broker.pass(3)
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.receive({ payload: 'long' })
    const { properties } = await client.receive({ payload: 'for ever' })
    expect(properties).toEqual({})
    await client.expectNothing()
  })

  test('passed while the window was full lets the message go', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c', properties: { receiveMaximum: 1 } })
    await client.subscribe('a', 1)
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'first', { qos: 1 })
    await publisher.publish('a', 'short', expiring(1))
    await publisher.publish('a', 'last', { qos: 1 })
    const first = await client.expect('publish', { payload: 'first' })
    await broker.pass(3)
    await client.acknowledge(first)
    await client.receive({ payload: 'last' })
    await client.expectNothing()
  })

  test('lets a retained message go', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.publish('a/short', 'x', expiring(1, true))
    await client.publish('a/long', 'x', expiring(100, true))
    await broker.pass(3)
    await client.subscribe('a/+')
    const { properties } = await client.receive({ topic: 'a/long', retain: true })
    expect(properties.messageExpiryInterval).toBeGreaterThanOrEqual(96)
    expect(properties.messageExpiryInterval).toBeLessThanOrEqual(98)
    await client.expectNothing()
  })

  test('of 0 lets a message that cannot be delivered at once go', async ({ broker }) => {
    const publisher = await offlineSession(broker)
    await publisher.publish('a', 'now', expiring(0))
    await publisher.publish('a', 'later', { qos: 1 })
    await broker.pass(1)
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    await client.receive({ payload: 'later' })
  })

  test('goes on over a restart of the broker', async ({ start }) => {
    const broker = await start({ persistent: true })
    const publisher = await offlineSession(broker)
    await publisher.publish('a', 'short', expiring(1000, true))
    await publisher.publish('a', 'long', expiring(5000))
    await broker.pass(600)
    await broker.restart()
    await broker.pass(600)
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    const { properties } = await client.receive({ payload: 'long' })
    expect(properties.messageExpiryInterval).toBeGreaterThanOrEqual(3798)
    expect(properties.messageExpiryInterval).toBeLessThanOrEqual(3802)
    await client.subscribe('a')
    await client.expectNothing()
  })

  test('of the largest value does not end', async ({ broker }) => {
    const publisher = await offlineSession(broker)
    await publisher.publish('a', 'x', expiring(0xffffffff))
    await broker.pass(3)
    const { client } = await broker.resume({ version: 5, clientId: 'c' })
    const { properties } = await client.receive({ payload: 'x' })
    expect(properties.messageExpiryInterval).toBeGreaterThan(0xffffffff - 10)
  })

  test('counts for sessions below version 5 too', async ({ broker }) => {
    const { client } = await broker.resume({ version: 4, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.disconnect()
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a', 'short', expiring(1))
    await publisher.publish('a', 'long', expiring(100))
    await broker.pass(3)
    const { client: again } = await broker.resume({ version: 4, clientId: 'c' })
    await again.receive({ payload: 'long' })
    await again.expectNothing()
  })
})
