import { describe, expect, it } from 'vitest'
import { EMPTY } from '../../../src/message/message.ts'
import { decode } from '../../../src/wire/mqtt/decode.ts'
import { encode } from '../../../src/wire/mqtt/encode.ts'
import { encodeWithin, fitProperties } from '../../../src/wire/mqtt/fit-properties.ts'
import { decodeForwardProperties, encodeForwardProperties } from '../../../src/wire/mqtt/forward-properties.ts'
import type {
  AckPacket,
  ConnackPacket,
  ConnectPacket,
  Packet,
  Properties,
  PublishPacket,
  SubscribePacket,
} from '../../../src/wire/mqtt/packet.ts'
import { ProtocolError } from '../../../src/wire/mqtt/protocol-error.ts'
import { bytes } from './notation.ts'

describe('user properties beyond the limit', () => {
  const limits = { userPropertiesMax: 2, filtersPerPacketMax: 10 }
  const frames = {
    CONNECT: (list: string) => `10 [ "MQTT" 05 02 00 3c [ ${list} ] "c" ]`,
    'a will': (list: string) => `10 [ "MQTT" 05 06 00 3c [ ] "c" [ ${list} ] "w" "" ]`,
    PUBLISH: (list: string) => `30 [ "a" [ ${list} ] ]`,
    SUBSCRIBE: (list: string) => `82 [ 00 01 [ ${list} ] "a" 00 ]`,
  }
  for (const [where, frame] of Object.entries(frames)) {
    it(`are refused in ${where} with 0x97, and not one earlier`, () => {
      const read = (count: number): Packet => {
        const wire = bytes(frame('26 "k" "v" '.repeat(count)))
        return decode(wire, 0, 2, wire.length, wire[0] === 0x10 ? 0 : 5, 'client', limits)
      }
      expect(() => read(2)).not.toThrow()
      expect(() => read(3)).toThrow(expect.objectContaining({ reasonCode: 0x97 }))
    })
  }

  it('are 1,000 by default', () => {
    const read = (count: number): Packet => {
      const wire = bytes(`30 [ "a" [ ${'26 "" "" '.repeat(count)} ] ]`)
      return decode(wire, 0, 3, wire.length, 5)
    }
    expect((read(1000) as PublishPacket).forwardProperties).toHaveLength(5000)
    expect(() => read(1001)).toThrow(expect.objectContaining({ reasonCode: 0x97 }))
  })
})

describe('properties that travel on', () => {
  const properties: Properties = {
    payloadFormatIndicator: 1,
    contentType: 'text/plain',
    responseTopic: 'answers/1',
    correlationData: Buffer.from([0, 255]),
    userProperties: [
      ['b', '1'],
      ['__proto__', ''],
      ['b', '2'],
    ],
  }

  it('come back as they were, user properties in their order', () => {
    expect(decodeForwardProperties(encodeForwardProperties(properties))).toEqual(properties)
  })

  it('are none where there are none', () => {
    expect(encodeForwardProperties({})).toBe(EMPTY)
    expect(decodeForwardProperties(EMPTY)).toEqual({})
  })

  it('leave out those that do not travel on', () => {
    const others: Properties = {
      topicAlias: 1,
      messageExpiryInterval: 2,
      subscriptionIdentifiers: [3],
      reasonString: 'x',
    }
    expect(encodeForwardProperties({ ...others, contentType: 'a' })).toEqual(bytes('03 "a"'))
  })

  const impossible: [what: string, properties: Properties][] = [
    ['a flag that is neither 0 nor 1', { payloadFormatIndicator: 2 as 1 }],
    ['a response topic with a wildcard', { responseTopic: 'a/#' }],
    ['a string of 65,536 bytes', { contentType: 'a'.repeat(65_536) }],
    ['U+0000', { userProperties: [['a\0', '']] }],
    ['correlation data of 65,536 bytes', { correlationData: Buffer.alloc(65_536) }],
  ]
  for (const [what, value] of impossible) {
    it(`cannot hold ${what}`, () => {
      expect(() => encodeForwardProperties(value)).toThrow(RangeError)
    })
  }

  it('are refused when bytes that were kept are none (as of a damaged store)', () => {
    const damaged = ['08 "a/#"', '01 02', '03 00 09', '23 00 01'].map(bytes)
    for (const list of damaged) expect(() => decodeForwardProperties(list)).toThrow(ProtocolError)
  })

  it('are a view of the frame where all of them travel on, and a copy elsewhere', () => {
    const read = (wire: Buffer): PublishPacket => decode(wire, 0, 2, wire.length, 5) as PublishPacket
    const all = bytes('30 [ "a" [ 03 "t" 26 "k" "v" ] ]')
    const some = bytes('30 [ "a" [ 03 "t" 23 00 01 26 "k" "v" ] ]')
    expect(read(all).forwardProperties.buffer).toBe(all.buffer)
    expect(read(some).forwardProperties).toEqual(bytes('03 "t" 26 "k" "v"'))
    some.fill(0)
    expect(read(all).forwardProperties).toEqual(bytes('03 "t" 26 "k" "v"'))
  })
})

describe('a packet for a receiver with a maximum packet size', () => {
  const packet: AckPacket = {
    type: 'puback',
    packetId: 1,
    reasonCode: 0x97,
    properties: { reasonString: 'why', userProperties: [['k', 'v']] },
  }
  const all = encode(packet, 5).length
  const withReason = encode({ ...packet, properties: { reasonString: 'why' } }, 5).length
  const bare = encode({ ...packet, properties: {} }, 5).length

  it('keeps its properties where they fit exactly', () => {
    expect(fitProperties(packet, 5, all)).toBe(packet)
  })

  it('loses its user properties first (MQTT-3.4.2-3)', () => {
    expect(fitProperties(packet, 5, all - 1).properties).toEqual({ reasonString: 'why' })
    expect(fitProperties(packet, 5, withReason).properties).toEqual({ reasonString: 'why' })
  })

  it('then loses its reason string (MQTT-3.4.2-2), and is itself not changed', () => {
    expect(fitProperties(packet, 5, withReason - 1).properties).toEqual({})
    expect(packet.properties).toEqual({ reasonString: 'why', userProperties: [['k', 'v']] })
  })

  it('keeps what else it says (MQTT-3.2.2-19, MQTT-3.2.2-20)', () => {
    const connack: ConnackPacket = {
      type: 'connack',
      sessionPresent: false,
      reasonCode: 0,
      properties: { receiveMaximum: 5, reasonString: 'x'.repeat(50) },
    }
    expect(fitProperties(connack, 5, 20).properties).toEqual({ receiveMaximum: 5 })
  })

  it('is not sent when it is too long without them (MQTT-3.1.2-24)', () => {
    expect(encodeWithin(packet, 5, bare)).toHaveLength(bare)
    expect(encodeWithin(packet, 5, bare - 1)).toBeUndefined()
    expect(encodeWithin({ type: 'pingresp' }, 4, 2)).toHaveLength(2)
  })
})

const connect: ConnectPacket = {
  type: 'connect',
  version: 5,
  bridge: false,
  clientId: 'c',
  cleanStart: true,
  keepAliveSeconds: 0,
  username: undefined,
  password: Buffer.from('p'),
  will: undefined,
  properties: {},
}
const subscribe: SubscribePacket = {
  type: 'subscribe',
  packetId: 1,
  subscriptionIdentifier: 0,
  subscriptions: [],
  properties: {},
}

describe('what no packet can hold is refused by the encoder:', () => {
  const impossible: [what: string, packet: Packet, version: 3 | 4 | 5][] = [
    ['packet identifier 0', { type: 'puback', packetId: 0, reasonCode: 0, properties: {} }, 4],
    ['packet identifier 0 in SUBACK', { type: 'suback', packetId: 0, reasonCodes: [0], properties: {} }, 4],
    ['packet identifier 65,536', { type: 'suback', packetId: 65_536, reasonCodes: [0], properties: {} }, 4],
    ['a property of another packet', { type: 'disconnect', reasonCode: 0, properties: { topicAlias: 1 } }, 5],
    [
      'receive maximum 0',
      { type: 'connack', sessionPresent: false, reasonCode: 0, properties: { receiveMaximum: 0 } },
      5,
    ],
    ['a negative subscription identifier', { ...subscribe, subscriptionIdentifier: -1 }, 5],
    ['a password alone below version 5', { ...connect, version: 4 }, 4],
    [
      'a reason code that has no return code',
      { type: 'connack', sessionPresent: false, reasonCode: 0x81, properties: {} },
      4,
    ],
  ]
  for (const [what, packet, version] of impossible) {
    it(what, () => {
      expect(() => encode(packet, version)).toThrow(RangeError)
    })
  }
})
