import { describe, expect } from 'vitest'
import type { Properties } from '../../src/wire/mqtt/packet.ts'
import { test } from '../support/flow.ts'
import type { FlowBroker } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'

async function announced(broker: FlowBroker): Promise<{ client: RawClient; properties: Properties }> {
  const client = await broker.open(5)
  client.sendConnect({ clientId: 'c', properties: { topicAliasMaximum: 5 } })
  const { properties } = await client.expect('connack', { reasonCode: 0 })
  return { client, properties }
}

describe('what CONNACK announces is true:', () => {
  test('the maximum QoS (section 3.2.2.3.4)', async ({ broker }) => {
    const { client, properties } = await announced(broker)
    expect(properties.maximumQoS).toBeUndefined()
    expect(await client.subscribe('a', 2)).toEqual([2])
    await client.publish('a', 'x', { qos: 2 })
    await client.receive({ qos: 2 })
  })

  test('retained messages (section 3.2.2.3.5)', async ({ broker }) => {
    const { client, properties } = await announced(broker)
    expect(properties.retainAvailable ?? 1).toBe(1)
    await client.publish('a', 'x', { qos: 1, retain: true })
    await client.subscribe('a')
    await client.receive({ retain: true })
  })

  test('wildcard subscriptions (section 3.2.2.3.11)', async ({ broker }) => {
    const { client, properties } = await announced(broker)
    expect(properties.wildcardSubscriptionAvailable ?? 1).toBe(1)
    expect(await client.subscribe(['a/+', 'b/#'])).toEqual([0, 0])
  })

  test('subscription identifiers (section 3.2.2.3.12)', async ({ broker }) => {
    const { client, properties } = await announced(broker)
    expect(properties.subscriptionIdentifiersAvailable ?? 1).toBe(1)
    expect(await client.subscribe('a', 0, { subscriptionIdentifiers: [3] })).toEqual([0])
  })

  test('shared subscriptions (section 3.2.2.3.13)', async ({ broker }) => {
    const { client, properties } = await announced(broker)
    expect(properties.sharedSubscriptionAvailable ?? 1).toBe(1)
    expect(await client.subscribe('$share/g/a', 1)).toEqual([1])
  })

  test('the maximum packet size (section 3.2.2.3.6)', async ({ broker }) => {
    const { client, properties } = await announced(broker)
    const size = properties.maximumPacketSize ?? 1_000_000
    const empty = 1 + 4 + 2 + 1 + 2 + 1
    await client.publish('a', Buffer.alloc(size - empty), { qos: 1 })
    client.sendPublish({ topic: 'a', payload: Buffer.alloc(size - empty + 1), qos: 1 })
    if (properties.maximumPacketSize !== undefined) await client.expectDisconnected(0x95)
    else await client.expect('puback')
  })

  test('every topic alias up to the maximum (section 3.2.2.3.8)', async ({ broker }) => {
    const { client, properties } = await announced(broker)
    await client.subscribe('a/#')
    const count = properties.topicAliasMaximum ?? 0
    expect(count).toBeGreaterThan(0)
    for (let topicAlias = 1; topicAlias <= count; topicAlias++) {
      client.sendPublish({ topic: `a/${topicAlias}`, properties: { topicAlias } })
    }
    for (let topicAlias = 1; topicAlias <= count; topicAlias++) {
      client.sendPublish({ topic: '', payload: 'again', properties: { topicAlias } })
    }
    for (let topicAlias = 1; topicAlias <= count; topicAlias++) await client.receive({ payload: '' })
    for (let topicAlias = 1; topicAlias <= count; topicAlias++) await client.receive({ payload: 'again' })
  })

  test('no session present for a new client, and no reason string for success', async ({ broker }) => {
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'c', clean: false })
    const { properties } = await client.expect('connack', { reasonCode: 0, sessionPresent: false })
    expect(properties).not.toHaveProperty('reasonString')
  })

  test('response information only on request (MQTT-3.1.2-28)', async ({ broker }) => {
    for (const requestResponseInformation of [0, 1] as const) {
      const client = await broker.open(5)
      client.sendConnect({ clientId: 'c', properties: { requestResponseInformation } })
      const { properties } = await client.expect('connack', { reasonCode: 0 })
      if (requestResponseInformation === 0) expect(properties).not.toHaveProperty('responseInformation')
    }
  })

  test('a session expiry interval that the broker shortens is told (section 3.2.2.3.2)', async ({ broker }) => {
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'c', properties: { sessionExpiryInterval: 10 } })
    const { properties } = await client.expect('connack', { reasonCode: 0 })
    expect(properties.sessionExpiryInterval ?? 10).toBe(10)
  })
})

describe('request problem information 0', () => {
  const quiet = { requestProblemInformation: 0 } as const

  test('leaves reason strings out of acknowledgements (MQTT-3.1.2-29)', async ({ start }) => {
    const broker = await start({ denyPublish: 'secret/#', denySubscribe: 'secret/#' })
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'c', properties: quiet })
    await client.expect('connack', { reasonCode: 0 })
    const { reasonCode, properties } = await client.publish('secret/a', 'x', { qos: 1 })
    expect({ reasonCode, properties }).toEqual({ reasonCode: 0x87, properties: {} })
    const again = await client.publish('secret/a', 'x', { qos: 2 })
    expect({ reasonCode: again.reasonCode, properties: again.properties }).toEqual({ reasonCode: 0x87, properties: {} })
    client.sendAck('pubrel', 4711)
    expect((await client.expect('pubcomp')).properties).toEqual({})
  })

  test('lets PUBLISH keep its user properties', async ({ broker }) => {
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'c', properties: quiet })
    await client.expect('connack', { reasonCode: 0 })
    await client.subscribe('a')
    await client.publish('a', 'x', { properties: { userProperties: [['k', 'v']] } })
    await client.receive({ properties: { userProperties: [['k', 'v']] } })
  })
})
