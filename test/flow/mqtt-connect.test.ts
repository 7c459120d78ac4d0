import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'
import { frame, string, u16, u8 } from '../support/wire-bytes.ts'
import { connectPacket, disconnectPacket, PINGREQ, publishPacket, subscribePacket } from '../support/wire-writer.ts'

describe.each(versions)('connecting with $name', ({ version }) => {
  test('a new client is accepted without a session (MQTT-3.2.0-1, MQTT-3.2.2-2)', async ({ broker }) => {
    const client = await broker.open(version)
    client.sendConnect({ clientId: 'new' })
    await client.expect('connack', { reasonCode: 0, sessionPresent: false })
    await client.expectNothing()
  })

  test('client identifiers are compared by case and accent', async ({ broker }) => {
    const clients = []
    for (const clientId of ['client', 'CLIENT', 'Client', 'cliént', 'clie\u0301nt', '__proto__', 'constructor']) {
      clients.push(await broker.connect({ version, clientId }))
    }
    for (const client of clients) await client.expectNothing()
  })

  test('a second CONNECT ends the connection (MQTT-3.1.0-2)', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'twice' })
    client.sendConnect({ clientId: 'twice' })
    await client.expectDisconnected(0x82)
  })

  test('a second CONNECT in the same chunk ends the connection after the first is answered', async ({ broker }) => {
    const client = await broker.open(version)
    client.send(connectPacket({ version, clientId: 'twice' }), connectPacket({ version, clientId: 'twice' }))
    await client.expect('connack', { reasonCode: 0 })
    await client.expectDisconnected(0x82)
  })

  test('packets behind CONNECT in one chunk are handled after CONNACK, in order', async ({ broker }) => {
    const client = await broker.open(version)
    client.send(
      connectPacket({ version, clientId: 'eager' }),
      subscribePacket(version, 7, [{ filter: 'eager', qos: 1 }]),
      publishPacket(version, { topic: 'eager', payload: 'mine', qos: 1, packetId: 8 }),
      PINGREQ,
    )
    await client.expect('connack', { reasonCode: 0 })
    await client.expect('suback', { packetId: 7, reasonCodes: [1] })
    await client.take('publish', { topic: 'eager', payload: 'mine', qos: 1 })
    await client.take('puback', { packetId: 8 })
    await client.expect('pingresp')
  })

  test('CONNECT is understood when it arrives byte by byte', async ({ broker }) => {
    const client = await broker.open(version)
    for (const byte of connectPacket({ version, clientId: 'slow', username: 'u', password: 'p', keepAlive: 60 })) {
      client.send(u8(byte))
      await new Promise(setImmediate)
    }
    await client.expect('connack', { reasonCode: 0 })
  })

  test.for([
    ['PUBLISH', publishPacket(version, { topic: 'a' })],
    ['SUBSCRIBE', subscribePacket(version, 1, [{ filter: 'a' }])],
    ['PINGREQ', PINGREQ],
    ['DISCONNECT', disconnectPacket()],
    ['CONNACK', frame(0x20, u8(0), u8(0))],
    ['a request of HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ] as const)('%s before CONNECT ends the connection without a word (MQTT-3.1.0-1)', async ([, bytes], { broker }) => {
    const client = await broker.open(version)
    client.send(bytes)
    await client.expectClosed()
  })

  test('a connection on which no CONNECT comes is closed (section 3.1)', async ({ broker }) => {
    const silent = await broker.open(version)
    const half = await broker.open(version)
    half.send(connectPacket({ version, clientId: 'half' }).subarray(0, 9))
    const accepted = await broker.connect({ version, clientId: 'whole' })

    await broker.pass(31)

    await silent.expectClosed()
    await half.expectClosed()
    await accepted.expectNothing()
  })

  test('the connection stays when only the sending half of another client is closed', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'one' })
    const other = await broker.connect({ version, clientId: 'two' })
    other.halfClose()
    await other.expectClosed()
    await client.expectNothing()
  })

  test('a user with the right password is accepted', async ({ start }) => {
    const broker = await start({ users: { anna: 'secret' } })
    const client = await broker.connect({ version, clientId: 'a', username: 'anna', password: 'secret' })
    await client.expectNothing()
  })

  const notAuthorized = version === 5 ? 0x87 : 5
  test.for([
    ['a wrong password', { username: 'anna', password: 'guess' }],
    ['an empty password', { username: 'anna', password: '' }],
    ['an unknown user', { username: 'bert', password: 'secret' }],
    ['no user', {}],
  ] as const)('%s is refused and closed (MQTT-3.2.2-5, MQTT-3.1.4-2)', async ([, credentials], { start }) => {
    const broker = await start({ users: { anna: 'secret' } })
    const client = await broker.open(version)
    client.sendConnect({ clientId: 'a', ...credentials })
    await client.expect('connack', { reasonCode: notAuthorized, sessionPresent: false })
    await client.expectClosed()
  })

  test('a refused client changes nothing for the connected one of the same identifier', async ({ start }) => {
    const broker = await start({ users: { anna: 'secret' } })
    const client = await broker.connect({ version, clientId: 'a', username: 'anna', password: 'secret' })
    await client.subscribe('will')
    const thief = await broker.open(version)
    thief.sendConnect({ clientId: 'a', username: 'anna', password: 'x', will: { topic: 'will', payload: 'thief' } })
    await thief.expect('connack', { reasonCode: notAuthorized })
    await thief.expectClosed()
    await client.expectNothing()
  })

  test('what a refused client sent behind its CONNECT is not processed (MQTT-3.1.4-6)', async ({ start }) => {
    const broker = await start({ users: { anna: 'secret' } })
    const watcher = await broker.connect({ version, clientId: 'w', username: 'anna', password: 'secret' })
    await watcher.subscribe('#')
    const client = await broker.open(version)
    client.send(connectPacket({ version, clientId: 'a' }), publishPacket(version, { topic: 'sneaked' }))
    await client.expect('connack', { reasonCode: notAuthorized })
    await client.expectClosed()
    await watcher.expectNothing()
  })
})

describe.each(versions.filter(({ version }) => version > 3))('long client identifiers of $name', ({ version }) => {
  test('up to 65,535 bytes are accepted and name a session of their own (MQTT-3.1.3-4)', async ({ broker }) => {
    const clientId = 'é'.repeat(32_767) + 'x'
    const { client } = await broker.resume({ version, clientId })
    await client.disconnect()
    expect((await broker.resume({ version, clientId })).present).toBe(true)
  })

  test('that differ in the last byte are two clients', async ({ broker }) => {
    const start = 'x'.repeat(65_534)
    const one = await broker.connect({ version, clientId: `${start}1` })
    const two = await broker.connect({ version, clientId: `${start}2` })
    await one.expectNothing()
    await two.expectNothing()
  })
})

describe('the client identifier', () => {
  test('has up to 23 characters in MQTT 3.1 (section 3.1 there)', async ({ broker }) => {
    await broker.connect({ version: 3, clientId: 'x'.repeat(23) })
    const client = await broker.open(3)
    client.sendConnect({ clientId: 'x'.repeat(24) })
    await client.expect('connack', { reasonCode: 2 })
    await client.expectClosed()
  })

  test('of no bytes is refused in MQTT 3.1, where it has 1 to 23 characters (section 3.1)', async ({ broker }) => {
    const client = await broker.open(3)
    client.sendConnect({ clientId: '' })
    await client.expect('connack', { reasonCode: 2 })
    await client.expectClosed()
  })

  test('of no bytes is refused without a clean session in MQTT 3.1.1 (MQTT-3.1.3-8)', async ({ broker }) => {
    const client = await broker.open(4)
    client.sendConnect({ clientId: '', clean: false })
    await client.expect('connack', { reasonCode: 2, sessionPresent: false })
    await client.expectClosed()
  })

  test.for([4, 5] as const)('of no bytes makes each client of version %i another one', async (version, { broker }) => {
    const one = await broker.connect({ version, clientId: '' })
    const two = await broker.connect({ version, clientId: '' })
    await one.subscribe('a')
    await two.publish('a', 'x')
    await one.receive({ topic: 'a' })
    await two.expectNothing()
  })

  test('of no bytes is assigned and told in version 5 (MQTT-3.1.3-6, MQTT-3.2.2-16)', async ({ broker }) => {
    const identifiers = new Set<string | undefined>()
    for (let index = 0; index < 3; index++) {
      const client = await broker.open(5)
      client.sendConnect({ clientId: '' })
      identifiers.add((await client.expect('connack', { reasonCode: 0 })).properties.assignedClientIdentifier)
    }
    expect(identifiers.size).toBe(3)
    expect(identifiers).not.toContain(undefined)
    expect(identifiers).not.toContain('')
  })

  test('that was assigned resumes the session in version 5', async ({ broker }) => {
    const client = await broker.open(5)
    client.sendConnect({ clientId: '', clean: false, properties: { sessionExpiryInterval: 100 } })
    const { properties } = await client.expect('connack', { reasonCode: 0 })
    await client.disconnect()
    const clientId = properties.assignedClientIdentifier ?? ''
    expect((await broker.resume({ version: 5, clientId })).present).toBe(true)
  })

  test('that the client chose is not assigned', async ({ broker }) => {
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'mine' })
    const { properties } = await client.expect('connack', { reasonCode: 0 })
    expect(properties).not.toHaveProperty('assignedClientIdentifier')
  })
})

describe('the protocol', () => {
  const start = (name: string, level: number): Buffer =>
    frame(0x10, string(name), u8(level), u8(2), u16(0), ...(level === 5 ? [u8(0)] : []), string('client'))

  test.for([
    ['MQTT', 6],
    ['MQTT', 2],
    ['MQTT', 0],
    ['MQIsdp', 4],
    ['MQTT', 3],
    ['MQIsdp', 5],
  ] as const)('%s of level %i is refused as unsupported (MQTT-3.1.2-2)', async ([name, level], { broker }) => {
    const client = await broker.open(4)
    client.stream.removeAllListeners('data')
    let answer = Buffer.alloc(0)
    client.stream.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk])
    })
    client.send(start(name, level))
    await client.end()
    expect(['', '20020001', '2003008400']).toContain(answer.toString('hex'))
  })

  test.for(['MQTTX', 'mqtt', 'MQT', ''])('named %j is closed (MQTT-3.1.2-1)', async (name, { broker }) => {
    const client = await broker.open(4)
    client.send(start(name, 4))
    await client.end()
    expect(client.received.filter((packet) => packet.reasonCode === 0)).toEqual([])
  })

  test.for([
    ['MQIsdp', 0x83],
    ['MQTT', 0x84],
  ] as const)('%s of level %i is a bridge and is accepted', async ([name, level], { broker }) => {
    const client = await broker.open(4)
    client.send(start(name, level))
    await client.expect('connack', { reasonCode: 0 })
    await client.expectNothing()
  })
})
