import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'

describe.each(versions)('overlapping subscriptions of $name', ({ version }) => {
  test('bring one copy with the highest QoS (MQTT-3.3.4-2)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe([
      { filter: 'a/#', qos: 0 },
      { filter: 'a/b', qos: 1 },
      { filter: '+/b', qos: 2 },
      { filter: '#', qos: 0 },
    ])
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await publisher.publish('a/b', 'two', { qos: 2 })
    await client.receive({ payload: 'two', qos: 2 })
    await publisher.publish('a/c', 'nought', { qos: 2 })
    await client.receive({ payload: 'nought', qos: 0 })
    await publisher.publish('a/b', 'one', { qos: 1 })
    await client.receive({ payload: 'one', qos: 1 })
    await client.expectNothing()
  })

  test('are undone one by one', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await client.subscribe([
      { filter: 'a/#', qos: 2 },
      { filter: 'a/b', qos: 1 },
    ])
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await client.unsubscribe('a/#')
    await publisher.publish('a/b', 'one', { qos: 2 })
    await client.receive({ payload: 'one', qos: 1 })
    await client.unsubscribe('a/b')
    await publisher.publish('a/b', 'none', { qos: 2 })
    await client.expectNothing()
  })
})

describe('overlapping subscriptions with identifiers', () => {
  test('bring all identifiers in one copy (MQTT-3.3.4-3, MQTT-3.3.4-4)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('a/#', 1, { subscriptionIdentifiers: [10] })
    await client.subscribe('a/b', 2, { subscriptionIdentifiers: [268_435_455] })
    await client.subscribe('+/b', 0, { subscriptionIdentifiers: [1] })
    await client.subscribe('other', 0, { subscriptionIdentifiers: [5] })
    await client.subscribe('#', 0)
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a/b', 'x', { qos: 2 })
    const { properties } = await client.receive({ qos: 2 })
    const identifiers = properties.subscriptionIdentifiers ?? []
    expect(identifiers.toSorted((one, other) => one - other)).toEqual([1, 10, 268_435_455])
    await client.expectNothing()
  })

  test('are retained as published when one of them asks for it', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe([{ filter: 'a/#' }, { filter: 'a/b', retainAsPublished: true }])
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    await publisher.publish('a/b', 'x', { retain: true })
    await client.receive({ retain: true })
    await client.expectNothing()
  })

  test('of which one has no-local still bring the own message', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe([{ filter: 'a/#', noLocal: true }, { filter: 'a/b' }])
    await client.publish('a/b', 'x', { qos: 1 })
    await client.receive({ payload: 'x' })
    await client.expectNothing()
  })

  test('bring the own message by those without no-local alone (MQTT-3.8.3-3)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe({ filter: 'a/#', noLocal: true }, 2, { subscriptionIdentifiers: [1] })
    await client.subscribe('a/b', 1, { subscriptionIdentifiers: [2] })
    await client.publish('a/b', 'own', { qos: 2 })
    await client.receive({ payload: 'own', qos: 1, properties: { subscriptionIdentifiers: [2] } })
    const other = await broker.connect({ version: 5, clientId: 'other' })
    other.sendPublish({ topic: 'a/b', payload: 'not own', qos: 2, packetId: 1 })
    await client.receive({ payload: 'not own', qos: 2, properties: { subscriptionIdentifiers: [1, 2] } })
  })
})
