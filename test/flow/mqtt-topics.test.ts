import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'

// MQTT 5, section 4.7: a filter, topics that it matches, topics that it does not.
const MATCHES: [filter: string, yes: string[], no: string[]][] = [
  ['sport/tennis/player1/#', ['sport/tennis/player1', 'sport/tennis/player1/ranking', 'sport/tennis/player1/a/b'], []],
  ['sport/#', ['sport', 'sport/', 'sport/a'], ['sports', '/sport', 'Sport']],
  ['#', ['a', '/', '/a', 'a//b'], ['$own', '$own/a']],
  ['+', ['a', 'A b'], ['/a', 'a/b', '$own']],
  ['+/#', ['a', '/', 'a/b/c'], ['$own/a']],
  ['sport/tennis/+', ['sport/tennis/a', 'sport/tennis/'], ['sport/tennis', 'sport/tennis/a/b']],
  ['sport/+', ['sport/'], ['sport', 'sport/a/b']],
  ['+/+', ['/finance', 'a/', '/'], ['finance', '//']],
  ['/+', ['/finance', '/'], ['finance']],
  ['/finance', ['/finance'], ['finance', '/finance/', '/Finance']],
  ['+/tennis/#', ['sport/tennis', '/tennis/x'], ['$own/tennis']],
  ['a//b', ['a//b'], ['a/b', 'a/x/b']],
  ['a/+/b', ['a//b', 'a/x/b'], ['a/b', 'a/x/y/b']],
  ['/', ['/'], ['//', 'a']],
  ['//', ['//'], ['/', '///']],
  ['$own/#', ['$own/a', '$own'], ['own/a', 'a']],
  ['$own/+/b', ['$own/a/b'], ['$own/b']],
  ['+/$own', ['a/$own'], ['$own']],
  ['a b/ü/日本/😀', ['a b/ü/日本/😀'], ['a b/u/日本/😀']],
  ['__proto__/constructor', ['__proto__/constructor'], ['constructor']],
  ['\ufeffa', ['\ufeffa'], ['a']],
]

describe.each(versions)('topics in $name', ({ version }) => {
  test.for(MATCHES)('the filter %s matches as section 4.7 says', async ([filter, yes, no], { broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    await client.subscribe(filter)
    for (const topic of [...no, ...yes]) await publisher.publish(topic, '', { qos: 1 })
    const got: string[] = []
    while (got.length < yes.length) got.push((await client.receive()).topic)
    expect(got).toEqual(yes)
    await client.expectNothing()
  })

  test('a topic of 65,535 bytes is published and received', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    const topic = `long/${'é'.repeat(32_765)}`
    expect(Buffer.byteLength(topic)).toBe(65_535)
    await client.subscribe('long/+', 1)
    await client.publish(topic, 'x', { qos: 1 })
    await client.receive({ topic, payload: 'x' })
  })

  test('a topic of 100 levels is published and received', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    const topic = Array.from({ length: 100 }, (_, index) => index).join('/')
    await client.subscribe([topic, '0/#'], 1)
    await client.publish(topic, 'x', { qos: 1 })
    await client.receive({ topic })
  })

  test.for([
    ['a wildcard (MQTT-3.3.2-2)', 'a/+'],
    ['a wildcard (MQTT-3.3.2-2)', '#'],
    ['U+0000 (MQTT-1.5.4-2)', 'a\u0000b'],
    ['no characters (MQTT-4.7.3-1)', ''],
    ['an overlong form (MQTT-1.5.4-1)', Buffer.from([0x61, 0xc0, 0x80])],
    ['a surrogate (MQTT-1.5.4-1)', Buffer.from([0x61, 0xed, 0xa0, 0x80])],
    ['a code point beyond U+10FFFF (MQTT-1.5.4-1)', Buffer.from([0xf4, 0x90, 0x80, 0x80])],
    ['a character that is cut off (MQTT-1.5.4-1)', Buffer.from([0x61, 0xe2, 0x82])],
  ] as const)('a topic name with %s ends the connection', async ([, topic], { broker }) => {
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('#')
    const client = await broker.connect({ version, clientId: 'c' })
    client.sendPublish({ topic, payload: 'x', qos: 1 })
    await client.end()
    const codes = client.received.map((packet) => `${packet.type} ${packet.reasonCode}`)
    expect(['', 'disconnect 144', 'disconnect 129', 'disconnect 130', 'disconnect 153']).toContain(codes.join())
    await watcher.expectNothing()
  })

  test.for([
    ['U+0000 (MQTT-1.5.4-2)', 'a\u0000b'],
    ['an overlong form (MQTT-1.5.4-1)', Buffer.from([0x61, 0xc0, 0x80])],
    ['a surrogate (MQTT-1.5.4-1)', Buffer.from([0x61, 0xed, 0xa0, 0x80])],
  ] as const)('a topic filter with %s ends the connection', async ([, filter], { broker }) => {
    const client = await broker.connect({ version, clientId: 'c' })
    await expect(client.subscribe({ filter })).rejects.toThrow('ended the connection')
  })

  test('a denied topic is not published', async ({ start }) => {
    const broker = await start({ denyPublish: 'secret/#' })
    const watcher = await broker.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('open')
    const client = await broker.connect({ version, clientId: 'c' })
    if (version === 5) {
      expect((await client.publish('secret/a', 'x', { qos: 1 })).reasonCode).toBe(0x87)
      expect((await client.publish('secret/a', 'x', { qos: 2 })).reasonCode).toBe(0x87)
      await client.publish('open', 'y', { qos: 1 })
      await watcher.receive({ topic: 'open' })
    } else {
      // Below version 5 there is no refusal: the broker acknowledges or ends the connection (MQTT-3.3.5-2).
      await client.publish('secret/a', 'x', { qos: 1 }).catch(() => client.end())
    }
    await watcher.expectNothing()
  })
})
