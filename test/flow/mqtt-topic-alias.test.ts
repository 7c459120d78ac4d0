import { describe, expect } from 'vitest'
import { lasting, test } from '../support/flow.ts'

describe('a topic alias from the client', () => {
  test('stands for its topic (MQTT-3.3.2-8)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('#')
    for (const topic of ['a/b', '', '']) client.sendPublish({ topic, properties: { topicAlias: 1 } })
    for (let index = 0; index < 3; index++) {
      const packet = await client.receive({ topic: 'a/b' })
      expect(packet.properties).not.toHaveProperty('topicAlias')
    }
  })

  test('can be given another topic', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('#')
    for (const topic of ['a', '', 'b', '']) client.sendPublish({ topic, properties: { topicAlias: 1 } })
    for (const topic of ['a', 'a', 'b', 'b']) await client.receive({ topic })
  })

  test('works at each QoS and is kept apart from the others', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('#', 2)
    await client.publish('one', '0', { qos: 2, properties: { topicAlias: 1 } })
    await client.receive({ topic: 'one' })
    await client.publish('two', '1', { qos: 1, properties: { topicAlias: 2 } })
    await client.receive({ topic: 'two' })
    for (const qos of [0, 1, 2]) {
      await client.publish('', 'x', { qos, properties: { topicAlias: 1 } })
      await client.receive({ topic: 'one', qos })
      await client.publish('', 'x', { qos, properties: { topicAlias: 2 } })
      await client.receive({ topic: 'two', qos })
    }
  })

  test('belongs to its connection, not to the session (MQTT-3.3.2-7)', async ({ broker }) => {
    const client = await broker.connect(lasting({ version: 5, clientId: 'c' }))
    await client.publish('a', 'x', { qos: 1, properties: { topicAlias: 1 } })
    await client.disconnect()
    const again = await broker.connect(lasting({ version: 5, clientId: 'c' }))
    again.sendPublish({ topic: '', properties: { topicAlias: 1 } })
    await again.expectDisconnected(0x82)
  })

  test('belongs to one client', async ({ broker }) => {
    const one = await broker.connect({ version: 5, clientId: 'one' })
    const two = await broker.connect({ version: 5, clientId: 'two' })
    await one.publish('a', 'x', { properties: { topicAlias: 1 } })
    two.sendPublish({ topic: '', properties: { topicAlias: 1 } })
    await two.expectDisconnected(0x82)
    await one.expectNothing()
  })

  test.for([
    ['0 (MQTT-3.3.2-8)', 'a', 0],
    ['65,535, beyond the maximum (MQTT-3.3.2-9)', 'a', 65_535],
  ] as const)('of %s ends the connection with 0x94', async ([, topic, topicAlias], { broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    client.sendPublish({ topic, properties: { topicAlias } })
    await client.expectDisconnected(0x94)
  })

  test('just beyond the announced maximum ends the connection with 0x94', async ({ broker }) => {
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'c' })
    const { properties } = await client.expect('connack')
    client.sendPublish({ topic: 'a', properties: { topicAlias: (properties.topicAliasMaximum ?? 0) + 1 } })
    await client.expectDisconnected(0x94)
  })

  test('that was never set ends the connection with 0x82 (section 3.3.2.1)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    client.sendPublish({ topic: '', properties: { topicAlias: 1 } })
    await client.expectDisconnected(0x82)
  })
})

describe('a topic alias from the broker', () => {
  test('is not used when the client allows none (MQTT-3.1.2-26, MQTT-3.1.2-27)', async ({ broker }) => {
    for (const properties of [{}, { topicAliasMaximum: 0 }]) {
      const client = await broker.connect({ version: 5, clientId: 'c', properties })
      await client.subscribe('a')
      for (let index = 0; index < 5; index++) {
        await client.publish('a', String(index))
        const packet = await client.receive({ topic: 'a' })
        expect(packet.properties).not.toHaveProperty('topicAlias')
      }
    }
  })

  test('stays within what the client allows, and each message can be told its topic', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c', properties: { topicAliasMaximum: 2 } })
    await client.subscribe('a/+', 2)
    const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
    const aliases = new Map<number, string>()
    for (let index = 0; index < 40; index++) {
      const topic = `a/${index % 5}`
      await publisher.publish(topic, topic, { qos: index % 3 })
      const packet = await client.receive({ payload: topic })
      const alias = packet.properties.topicAlias
      if (alias !== undefined) {
        expect([1, 2]).toContain(alias)
        if (packet.topic !== '') aliases.set(alias, packet.topic)
      }
      expect(packet.topic === '' ? aliases.get(alias ?? 0) : packet.topic).toBe(topic)
    }
  })

  test('is set again after a reconnect (MQTT-3.3.2-7)', async ({ broker }) => {
    const options = lasting({ version: 5, clientId: 'c' })
    const properties = { sessionExpiryInterval: 60, topicAliasMaximum: 10 }
    for (let round = 0; round < 2; round++) {
      const client = await broker.connect({ ...options, properties })
      await client.subscribe('a', 1)
      const publisher = await broker.connect({ version: 5, clientId: 'publisher' })
      for (let index = 0; index < 3; index++) {
        await publisher.publish('a', String(index), { qos: 1 })
        const packet = await client.receive({ payload: String(index) })
        if (index === 0) expect(packet.topic).toBe('a')
        else expect(['a', '']).toContain(packet.topic)
      }
      await client.disconnect()
    }
  })
})
