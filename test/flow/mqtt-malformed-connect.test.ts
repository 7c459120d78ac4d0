import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'
import { binary, frame, string, u8, u16 } from '../support/wire-bytes.ts'
import { connectPacket } from '../support/wire-writer.ts'

const TWO_BYTE_A = Buffer.from([0xc1, 0x81])
const SURROGATE = Buffer.from([0xed, 0xa0, 0x80])
const NUL = Buffer.from('a\u0000b')

/** CONNECT with these flags and payload fields; the properties of version 5 as hex, their length in front. */
function raw(version: number, flags: number, payload: Buffer[], properties = '00'): Buffer {
  return frame(
    0x10,
    string(version === 3 ? 'MQIsdp' : 'MQTT'),
    u8(version),
    u8(flags),
    u16(0),
    version === 5 ? Buffer.from(properties, 'hex') : Buffer.alloc(0),
    ...payload,
  )
}

describe.each(versions)('a malformed CONNECT of $name', ({ version }) => {
  const id = string('client')
  const will = (topic: Buffer): Buffer[] => [id, ...(version === 5 ? [u8(0)] : []), topic, string('payload')]
  const cases: [what: string, bytes: Buffer][] = [
    ['will QoS 3 (MQTT-3.1.2-12)', raw(version, 0x1e, will(string('w')))],
    ['a will topic with a wildcard (MQTT-3.3.2-2)', raw(version, 0x06, will(string('w/#')))],
    ['an empty will topic (MQTT-4.7.3-1)', raw(version, 0x06, will(string('')))],
    ['U+0000 in the will topic (MQTT-1.5.4-2)', raw(version, 0x06, will(string(NUL)))],
    ['no will behind the will flag', raw(version, 0x06, [id])],
    ['no client identifier', raw(version, 0x02, [])],
    ['bytes behind the last field', raw(version, 0x02, [id, Buffer.from('more')])],
    ['a client identifier longer than the packet', raw(version, 0x02, [Buffer.from([0, 9, 0x61])])],
    ['U+0000 in the client identifier (MQTT-1.5.4-2)', raw(version, 0x02, [string(NUL)])],
    ['an overlong form in the client identifier (MQTT-1.5.4-1)', raw(version, 0x02, [binary(TWO_BYTE_A)])],
    ['a surrogate in the client identifier (MQTT-1.5.4-1)', raw(version, 0x02, [binary(SURROGATE)])],
    ['a remaining length of five bytes', Buffer.from('10ffffffff01', 'hex')],
    ['a remaining length of nothing', Buffer.from('1000', 'hex')],
  ]
  // MQTT 3.1 leaves all of these open, and lets the user name be missing in spite of its flag.
  if (version >= 4) {
    cases.push(
      ['the reserved flag (MQTT-3.1.2-3)', raw(version, 0x03, [id])],
      ['will QoS without a will (MQTT-3.1.2-11)', raw(version, 0x0a, [id])],
      ['will retain without a will (MQTT-3.1.2-13)', raw(version, 0x22, [id])],
      ['no user name behind its flag (MQTT-3.1.2-17)', raw(version, 0x82, [id])],
      ['no password behind its flag (MQTT-3.1.2-19)', raw(version, 0xc2, [id, string('user')])],
      ['ill-formed UTF-8 in the user name (MQTT-1.5.4-1)', raw(version, 0x82, [id, binary(SURROGATE)])],
      ['flags in the fixed header (MQTT-2.1.3-1)', Buffer.concat([u8(0x12), raw(version, 2, [id]).subarray(1)])],
    )
  }
  if (version === 4) cases.push(['a password without a user (MQTT-3.1.2-22)', raw(4, 0x42, [id, string('secret')])])

  test.for(cases)('with %s is not accepted and closed', async ([, bytes], { broker }) => {
    const client = await broker.open(version)
    client.send(bytes)
    await client.end()
    const [answer] = client.received
    // Version 5 lets the broker say CONNACK with a reason; the others get no answer to what cannot be read.
    expect(answer === undefined || answer.reasonCode >= (version === 5 ? 0x80 : 1)).toBe(true)
  })

  test('leaves other clients alone and does not reach the session of its identifier', async ({ broker }) => {
    const client = await broker.connect({ version, clientId: 'client' })
    const broken = await broker.open(version)
    broken.send(raw(version, 0x1e, will(string('w'))))
    await broken.end()
    await client.expectNothing()
  })
})

describe('MQTT 3.1', () => {
  test.for([
    ['user name', 0x82, []],
    ['password', 0xc2, [string('user')]],
  ] as const)('lets the %s be missing behind its flag (section 3.1)', async ([, flags, fields], { broker }) => {
    const client = await broker.open(3)
    client.send(raw(3, flags, [string('client'), ...fields]))
    await client.expect('connack', { reasonCode: 0 })
    await client.expectNothing()
  })
})

describe('the properties of CONNECT in version 5', () => {
  const id = string('client')
  test.for([
    ['a session expiry interval twice (MQTT-3.1.2-11)', '0a 1100000001 1100000001', 0x82],
    ['a receive maximum of 0 (section 3.1.2.11.3)', '03 210000', 0x82],
    ['a receive maximum twice', '06 210001 210001', 0x82],
    ['a maximum packet size of 0 (section 3.1.2.11.4)', '05 2700000000', 0x82],
    ['request response information of 2', '02 1902', 0x82],
    ['request problem information of 2', '02 1702', 0x82],
    ['request problem information twice', '04 1700 1700', 0x82],
    ['authentication data without a method (section 3.1.2.11.10)', '04 16000101', 0x82],
    ['a topic alias, which CONNECT does not have', '03 230001', 0x81],
    ['a will delay outside the will', '05 1800000001', 0x81],
    ['an unknown property', '02 7f00', 0x81],
    ['a property length beyond the packet', '7f 1100000001', 0x81],
    ['a property that ends too early', '03 110000', 0x81],
    ['ill-formed UTF-8 in a user property', '07 26 0001 ff 0001 61', 0x81],
  ] as const)('%s is refused', async ([, properties, reasonCode], { broker }) => {
    const client = await broker.open(5)
    client.send(raw(5, 0x02, [id], properties.replaceAll(' ', '')))
    await client.end()
    for (const answer of client.received) {
      expect(answer).toMatchObject({ type: 'connack', sessionPresent: false })
      expect([0x81, 0x82, reasonCode]).toContain(answer.reasonCode)
    }
    expect(client.received.length).toBeLessThanOrEqual(1)
  })

  test('an unknown authentication method is refused with 0x8C (section 4.12)', async ({ broker }) => {
    const client = await broker.open(5)
    client.sendConnect({ clientId: 'client', properties: { authenticationMethod: 'NOBODY-KNOWS-1' } })
    await client.expect('connack', { reasonCode: 0x8c })
    await client.expectClosed()
  })

  test('a password without a user is allowed (section 3.1.2.9)', async ({ broker }) => {
    const client = await broker.connect({ version: 5, clientId: 'client', password: 'token' })
    await client.expectNothing()
  })

  test('all that CONNECT can have are accepted', async ({ broker }) => {
    const client = await broker.open(5)
    client.send(
      connectPacket({
        version: 5,
        clientId: 'client',
        username: 'user',
        password: 'password',
        properties: {
          sessionExpiryInterval: 10,
          receiveMaximum: 10,
          maximumPacketSize: 1000,
          topicAliasMaximum: 10,
          requestResponseInformation: 1,
          requestProblemInformation: 1,
          userProperties: [
            ['a', '1'],
            ['a', '2'],
          ],
        },
        will: {
          topic: 'w',
          payload: 'x',
          properties: {
            payloadFormatIndicator: 1,
            messageExpiryInterval: 10,
            contentType: 'text/plain',
            responseTopic: 'r',
            correlationData: Buffer.from('c'),
            willDelayInterval: 10,
            userProperties: [['b', '3']],
          },
        },
      }),
    )
    await client.expect('connack', { reasonCode: 0 })
    await client.expectNothing()
  })
})
