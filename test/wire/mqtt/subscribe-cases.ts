import type { SubscribePacket, UnsubscribePacket } from '../../../src/wire/mqtt/packet.ts'
import { request, type WireCase } from './wire-case.ts'

export const subscribeCases: WireCase[] = [
  accept(3, 'one filter', '3.8.3', '82 [ 00 0a "a/b" 01 ]', subscribe({ subscriptions: [request({ qos: 1 })] })),
  accept(
    4,
    'several filters',
    '3.8.3',
    '82 [ 00 0a "#" 00 "+/b/#" 01 "/" 02 "a" 02 "a" 00 ]',
    subscribe({
      subscriptions: [
        request({ filter: '#' }),
        request({ filter: '+/b/#', qos: 1 }),
        request({ filter: '/', qos: 2 }),
        request({ filter: 'a', qos: 2 }),
        request({ filter: 'a' }),
      ],
    }),
  ),
  accept(
    4,
    'a shared filter below 5.0',
    '4.8.2',
    '82 [ 00 0a "$share/g/a" 01 ]',
    subscribe({ subscriptions: [request({ filter: '$share/g/a', qos: 1 })] }),
  ),
  accept(
    4,
    '$share without a slash, which is a topic like others',
    'MQTT-4.8.2-1',
    '82 [ 00 0a "$share" 00 ]',
    subscribe({ subscriptions: [request({ filter: '$share' })] }),
  ),
  accept(
    5,
    'all options',
    '3.8.3.1',
    '82 [ 00 0a [ ] "a/b" 2e "c" 10 ]',
    subscribe({
      subscriptions: [
        request({ qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 }),
        request({ filter: 'c', retainHandling: 1 }),
      ],
    }),
  ),
  accept(
    5,
    'a subscription identifier and user properties',
    '3.8.2.1',
    '82 [ 00 0a [ 0b ff ff ff 7f 26 "k" "v" ] "a/b" 00 ]',
    subscribe({ subscriptionIdentifier: 268435455, properties: { userProperties: [['k', 'v']] } }),
  ),
  accept(
    5,
    'retain as published on a shared filter',
    '3.8.3.1',
    '82 [ 00 0a [ ] "$share/g/#" 09 ]',
    subscribe({ subscriptions: [request({ filter: '$share/g/#', qos: 1, retainAsPublished: true })] }),
  ),
  {
    ...accept(
      3,
      'bits that 3.1 does not use',
      '3.8 (3.1)',
      '8a [ 00 0a "a/b" f9 ]',
      subscribe({ subscriptions: [request({ qos: 1 })] }),
    ),
    otherForm: true,
  },
  refuse(4, 'packet identifier 0', 'MQTT-2.2.1-3', '82 [ 00 00 "a" 00 ]', 0x82),
  refuse(4, 'flags 0000', 'MQTT-3.8.1-1', '80 [ 00 01 "a" 00 ]', 0x81),
  refuse(5, 'flags 1010', 'MQTT-3.8.1-1', '8a [ 00 01 [ ] "a" 00 ]', 0x81),
  refuse(4, 'no filter', 'MQTT-3.8.3-2', '82 [ 00 01 ]', 0x82),
  refuse(5, 'no filter in 5.0', 'MQTT-3.8.3-2', '82 [ 00 01 [ ] ]', 0x82),
  refuse(4, 'a filter without options', '3.8.3', '82 [ 00 01 "a" ]', 0x81),
  refuse(4, 'a filter past the end', '1.5.4', '82 [ 00 01 00 09 61 00 ]', 0x81),
  refuse(4, 'QoS 3', '3.8.3.1', '82 [ 00 01 "a" 03 ]', 0x82),
  refuse(5, 'QoS 3', '3.8.3.1', '82 [ 00 01 [ ] "a" 03 ]', 0x82),
  refuse(4, 'reserved bits', 'MQTT-3-8.3-4 (3.1.1)', '82 [ 00 01 "a" 04 ]', 0x81),
  refuse(5, 'reserved bit 6', 'MQTT-3.8.3-5', '82 [ 00 01 [ ] "a" 40 ]', 0x81),
  refuse(5, 'reserved bit 7', 'MQTT-3.8.3-5', '82 [ 00 01 [ ] "a" 80 ]', 0x81),
  refuse(5, 'retain handling 3', '3.8.3.1', '82 [ 00 01 [ ] "a" 30 ]', 0x82),
  refuse(5, 'no-local on a shared filter', 'MQTT-3.8.3-4', '82 [ 00 01 [ ] "$share/g/a" 04 ]', 0x82),
  refuse(5, 'subscription identifier 0', '3.8.2.1.2', '82 [ 00 01 [ 0b 00 ] "a" 00 ]', 0x82),
  refuse(5, 'subscription identifier twice', '3.8.2.1.2', '82 [ 00 01 [ 0b 01 0b 02 ] "a" 00 ]', 0x82),
  refuse(5, 'a property of PUBLISH', '2.2.2.2', '82 [ 00 01 [ 23 00 01 ] "a" 00 ]', 0x81),
  refuse(5, 'a reason string', '2.2.2.2', '82 [ 00 01 [ 1f "a" ] "a" 00 ]', 0x81),
  refuse(5, 'a length of properties cut by the end', '1.5.5', '82 [ 00 01 80 ]', 0x81),
  refuse(5, 'no length of properties', 'MQTT-2.2.2-1', '82 [ 00 01 ]', 0x81),
  ...[
    '',
    'a#',
    'b+',
    '+b',
    '#/a',
    'a/#/b',
    'x/+y',
    '++',
    '$share//x',
    '$share/a',
    '$share/a/',
    '$share/a+/x',
    '$share/#/x',
    '$share/',
    '$share/g/a#',
  ].map((filter) =>
    refuse(
      4,
      `the filter "${filter}"`,
      filter.startsWith('$') ? '4.8.2' : '4.7.1',
      `82 [ 00 01 "${filter}" 00 ]`,
      0x8f,
    ),
  ),
  refuse(4, 'U+0000 in a filter', 'MQTT-4.7.3-2', '82 [ 00 01 00 01 00 00 ]', 0x81),
  refuse(4, 'a filter that is not UTF-8', 'MQTT-3.8.3-1', '82 [ 00 01 00 01 ff 00 ]', 0x81),

  acceptLeaving(4, 'one filter', 'a2 [ 00 0a "a/b" ]', unsubscribe(['a/b'])),
  acceptLeaving(5, 'several filters', 'a2 [ 00 0a [ 26 "k" "v" ] "a" "$share/g/b" "a" ]', {
    ...unsubscribe(['a', '$share/g/b', 'a']),
    properties: { userProperties: [['k', 'v']] },
  }),
  { ...acceptLeaving(3, 'DUP in 3.1', 'aa [ 00 0a "a/b" ]', unsubscribe(['a/b'])), otherForm: true },
  refuseLeaving(4, 'packet identifier 0', 'MQTT-2.2.1-3', 'a2 [ 00 00 "a" ]', 0x82),
  refuseLeaving(4, 'flags 0000', 'MQTT-3.10.1-1', 'a0 [ 00 01 "a" ]', 0x81),
  refuseLeaving(4, 'no filter', 'MQTT-3.10.3-2', 'a2 [ 00 01 ]', 0x82),
  refuseLeaving(5, 'no filter in 5.0', 'MQTT-3.10.3-2', 'a2 [ 00 01 [ ] ]', 0x82),
  refuseLeaving(4, 'an ill-formed filter', '4.7.1', 'a2 [ 00 01 "a#" ]', 0x8f),
  refuseLeaving(4, 'a filter past the end', '1.5.4', 'a2 [ 00 01 00 02 61 ]', 0x81),
  refuseLeaving(4, 'a filter that is not UTF-8', 'MQTT-3.10.3-1', 'a2 [ 00 01 00 01 ff ]', 0x81),
  refuseLeaving(5, 'a subscription identifier', '2.2.2.2', 'a2 [ 00 01 [ 0b 01 ] "a" ]', 0x81),
]

function subscribe(fields: Partial<SubscribePacket>): SubscribePacket {
  return {
    type: 'subscribe',
    packetId: 10,
    subscriptionIdentifier: 0,
    subscriptions: [request({})],
    properties: {},
    ...fields,
  }
}

function unsubscribe(filters: string[]): UnsubscribePacket {
  return { type: 'unsubscribe', packetId: 10, filters, properties: {} }
}

function accept(
  version: 3 | 4 | 5,
  name: string,
  requirement: string,
  wire: string,
  packet: SubscribePacket,
): WireCase {
  return { name: `SUBSCRIBE: ${name}`, requirement, version, wire, packet }
}

function refuse(version: 3 | 4 | 5, name: string, requirement: string, wire: string, code: number): WireCase {
  return { name: `SUBSCRIBE: ${name}`, requirement, version, wire, code }
}

function acceptLeaving(version: 3 | 4 | 5, name: string, wire: string, packet: UnsubscribePacket): WireCase {
  return { name: `UNSUBSCRIBE: ${name}`, requirement: '3.10', version, wire, packet }
}

function refuseLeaving(version: 3 | 4 | 5, name: string, requirement: string, wire: string, code: number): WireCase {
  return { name: `UNSUBSCRIBE: ${name}`, requirement, version, wire, code }
}
