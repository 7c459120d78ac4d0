import { expect } from 'vitest'
import { publishPacket, subscribePacket, unsubscribePacket } from '../support/wire-writer.ts'
import { type DefectBroker, test } from './support/broker.ts'

/** A client that sends these bytes after CONNECT is disconnected without an answer. */
async function expectRefused(broker: DefectBroker, bytes: Buffer): Promise<void> {
  const client = await broker.connect()
  client.send(bytes)
  await client.expectClosed()
}

/** A connection that begins with these bytes is never accepted. */
async function expectNotAccepted(broker: DefectBroker, bytes: Buffer): Promise<number | undefined> {
  const client = broker.open()
  client.send(bytes)
  await client.end()
  expect(client.received.filter((packet) => packet.reasonCode === 0)).toEqual([])
  return client.received[0]?.reasonCode
}

function string(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

function connect(name: string, level: number, flags: number, ...fields: Buffer[]): Buffer {
  const body = Buffer.concat([string(name), Buffer.from([level, flags, 0, 0]), ...fields])
  return Buffer.concat([Buffer.from([0x10, body.length]), body])
}

for (const filter of ['a#', 'b+', '+b', 'x/+y', 'a/#/b']) {
  test(`the filter ${filter} is refused`, async ({ start }) => {
    const broker = await start()
    await expectRefused(broker, subscribePacket(4, 1, [{ filter }]))
  })
}

test('an empty client identifier with clean session 0 is refused with return code 2', async ({ start }) => {
  const broker = await start()
  expect(await expectNotAccepted(broker, connect('MQTT', 4, 0, string('')))).toBe(2)
})

test('U+0000 in a topic name ends the connection', async ({ start }) => {
  const broker = await start()
  await expectRefused(broker, publishPacket(4, { topic: 'a\u0000b', payload: 'x' }))
})

test('U+0000 in a topic filter ends the connection', async ({ start }) => {
  const broker = await start()
  await expectRefused(broker, subscribePacket(4, 1, [{ filter: 'a\u0000b' }]))
})

test('bytes that are not UTF-8 in a topic name end the connection', async ({ start }) => {
  const broker = await start()
  await expectRefused(broker, publishPacket(4, { topic: Buffer.from([0x61, 0xff, 0x62]), payload: 'x' }))
})

test('bytes that are not UTF-8 in a client identifier end the connection', async ({ start }) => {
  const broker = await start()
  await expectNotAccepted(broker, connect('MQTT', 4, 2, string(Buffer.from([0xc3, 0x28]))))
})

test('a PUBLISH with packet identifier 0 ends the connection', async ({ start }) => {
  const broker = await start()
  await expectRefused(broker, publishPacket(4, { topic: 't', qos: 1, packetId: 0 }))
})

test('a SUBSCRIBE with packet identifier 0 ends the connection', async ({ start }) => {
  const broker = await start()
  await expectRefused(broker, subscribePacket(4, 0, [{ filter: 't' }]))
})

test('an UNSUBSCRIBE without filters ends the connection', async ({ start }) => {
  const broker = await start()
  await expectRefused(broker, unsubscribePacket(4, 1, []))
})

test('a SUBSCRIBE without filters ends the connection', async ({ start }) => {
  const broker = await start()
  await expectRefused(broker, subscribePacket(4, 1, []))
})

test('a password without a user name is refused below version 5', async ({ start }) => {
  const broker = await start()
  await expectNotAccepted(broker, connect('MQTT', 4, 0x42, string('c'), string('secret')))
})

for (const [name, level] of [
  ['MQIsdp', 4],
  ['MQTT', 3],
] as const) {
  test(`protocol name ${name} with level ${level} is refused`, async ({ start }) => {
    const broker = await start()
    await expectNotAccepted(broker, connect(name, level, 2, string('c')))
  })
}

test('an unknown protocol level is answered with return code 1', async ({ start }) => {
  const broker = await start()
  expect(await expectNotAccepted(broker, connect('MQTT', 2, 2, string('c')))).toBe(1)
})
