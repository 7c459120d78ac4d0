import { describe, expect } from 'vitest'
import type { ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { test, versions } from '../support/flow.ts'
import { PINGREQ } from '../support/wire-writer.ts'

/** What is wrong, the bytes, and the versions in which it is: MQTT 3.1 leaves most reserved bits open. */
const CASES: [what: string, hex: string, wrongIn: ProtocolVersion[]][] = [
  ['the reserved type 0 (section 2.1.2)', '00 00', [3, 4, 5]],
  ['the reserved type 15 (section 2.2.1)', 'f0 00', [3, 4]],
  ['AUTH without an authentication method in CONNECT (MQTT-4.12.0-6)', 'f0 00', [5]],
  ['CONNACK', '20 02 00 00', [3, 4]],
  ['CONNACK', '20 03 00 00 00', [5]],
  ['SUBACK', '90 03 00 01 00', [3, 4]],
  ['SUBACK', '90 04 00 01 00 00', [5]],
  ['UNSUBACK', 'b0 02 00 01', [3, 4]],
  ['PINGRESP', 'd0 00', [3, 4, 5]],
  ['PUBLISH of QoS 3 (MQTT-3.3.1-4)', '36 06 00 01 61 00 01 00', [3, 4, 5]],
  ['PUBLISH with DUP at QoS 0 (MQTT-3.3.1-2)', '38 04 00 01 61 00', [4, 5]],
  ['PUBLISH with packet id 0 (MQTT-2.2.1-3)', '32 05 00 01 61 00 00', [3, 4]],
  ['PUBLISH with packet id 0 (MQTT-2.2.1-3)', '32 06 00 01 61 00 00 00', [5]],
  ['PUBLISH that ends in its topic', '30 03 00 05 61', [3, 4, 5]],
  ['PUBLISH that ends before its packet id', '32 03 00 01 61', [3, 4, 5]],
  ['PUBLISH of nothing', '30 00', [3, 4, 5]],
  ['PUBLISH without its property length', '30 03 00 01 61', [5]],
  ['PUBACK without a packet id', '40 00', [3, 4, 5]],
  ['PUBACK of half a packet id', '40 01 00', [3, 4, 5]],
  ['PUBACK with packet id 0', '40 02 00 00', [4, 5]],
  ['PUBACK with flags (MQTT-2.1.3-1)', '41 02 00 01', [4, 5]],
  ['PUBACK with more than its packet id', '40 03 00 01 00', [4]],
  ['PUBACK with an unknown reason code (MQTT-3.4.2-1)', '40 03 00 01 05', [5]],
  ['PUBREC with flags (MQTT-2.1.3-1)', '52 02 00 01', [4, 5]],
  ['PUBREL without its flag (MQTT-3.6.1-1)', '60 02 00 01', [4, 5]],
  ['PUBREL with packet id 0', '62 02 00 00', [4, 5]],
  ['PUBCOMP with flags (MQTT-2.1.3-1)', '72 02 00 01', [4, 5]],
  ['SUBSCRIBE without its flag (MQTT-3.8.1-1)', '80 06 00 01 00 01 61 00', [4]],
  ['SUBSCRIBE without its flag (MQTT-3.8.1-1)', '80 07 00 01 00 00 01 61 00', [5]],
  ['SUBSCRIBE with packet id 0 (MQTT-2.2.1-3)', '82 06 00 00 00 01 61 00', [3, 4]],
  ['SUBSCRIBE with packet id 0 (MQTT-2.2.1-3)', '82 07 00 00 00 00 01 61 00', [5]],
  ['SUBSCRIBE for QoS 3 (MQTT-3-8.3-4)', '82 06 00 01 00 01 61 03', [3, 4]],
  ['SUBSCRIBE with reserved bits (MQTT-3-8.3-4)', '82 06 00 01 00 01 61 10', [4]],
  ['SUBSCRIBE that ends before the QoS', '82 05 00 01 00 01 61', [3, 4]],
  ['UNSUBSCRIBE without its flag (MQTT-3.10.1-1)', 'a0 05 00 01 00 01 61', [4]],
  ['UNSUBSCRIBE without its flag (MQTT-3.10.1-1)', 'a0 06 00 01 00 00 01 61', [5]],
  ['UNSUBSCRIBE with packet id 0 (MQTT-2.2.1-3)', 'a2 05 00 00 00 01 61', [3, 4]],
  ['UNSUBSCRIBE of a filter that is cut off', 'a2 05 00 01 00 05 61', [3, 4]],
  ['PINGREQ with flags (MQTT-2.1.3-1)', 'c1 00', [4, 5]],
  ['PINGREQ with a body', 'c0 01 00', [4, 5]],
  ['DISCONNECT with flags (MQTT-3.14.1-1)', 'e1 00', [4, 5]],
  ['DISCONNECT with a body', 'e0 01 00', [4]],
  ['DISCONNECT with an unknown reason code (MQTT-3.14.2-1)', 'e0 01 05', [5]],
  ['DISCONNECT with a property of another packet', 'e0 05 00 03 23 00 01', [5]],
  ['a remaining length of five bytes (section 2.1.4)', '30 80 80 80 80 01', [3, 4, 5]],
]

describe.each(versions)('after CONNACK in $name', ({ version }) => {
  test.for(CASES.filter((row) => row[2].includes(version)))('%s ends the connection', async ([, hex], { broker }) => {
    const other = await broker.connect({ version, clientId: 'other' })
    await other.subscribe('#')
    const client = await broker.connect({ version, clientId: 'c' })
    client.send(Buffer.from(hex.replaceAll(' ', ''), 'hex'), PINGREQ)
    await client.end()
    const answers = client.received.map((packet) => `${packet.type} ${packet.reasonCode}`)
    if (version === 5) expect(['disconnect 129', 'disconnect 130', '']).toContain(answers.join())
    else expect(answers).toEqual([])
    await other.expectNothing()
  })

  test('what came whole before a malformed packet is done', async ({ broker }) => {
    const other = await broker.connect({ version, clientId: 'other' })
    await other.subscribe('a')
    const client = await broker.connect({ version, clientId: 'c' })
    client.sendPublish({ topic: 'a', payload: 'good' }).send(Buffer.from('0000', 'hex'))
    await client.expectDisconnected(0x81)
    await other.receive({ payload: 'good' })
    await other.expectNothing()
  })
})

describe('a packet that is right but rare', () => {
  test('a remaining length of more bytes than needed is read or refused, not misread', async ({ broker }) => {
    const client = await broker.connect({ version: 4, clientId: 'c' })
    client.send(Buffer.from('c08000', 'hex'))
    client.send(PINGREQ).halfClose()
    await client.end()
    // Read: both are answered. Refused: none is.
    expect([0, 2]).toContain(client.received.length)
  })

  test('all packets of a client byte by byte', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    const bytes = Buffer.from('8207000100000161023206000161000200c000', 'hex')
    for (const byte of bytes) {
      client.send(Buffer.from([byte]))
      await new Promise(setImmediate)
    }
    await client.expect('suback', { packetId: 1, reasonCodes: [2] })
    await client.take('puback', { packetId: 2, reasonCode: 0 })
    await client.take('publish', { topic: 'a', qos: 1 })
    await client.expect('pingresp')
  })

  test('a PUBACK of version 5 with reason code and no properties', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'c' })
    await client.subscribe('a', 1)
    await client.publish('a', 'x', { qos: 1 })
    const { packetId } = await client.take('publish')
    client.sendAck('puback', packetId, 0x10)
    await client.expectNothing()
  })
})
