import type { Packet } from '../../../src/wire/mqtt/packet.ts'
import { connack, type WireCase } from './wire-case.ts'

/** What a broker sends and a client reads. */
export const brokerCases: WireCase[] = [
  accept(3, 'CONNACK of 3.1', '3.2', '20 [ 00 00 ]', connack({})),
  accept(4, 'CONNACK with a session', 'MQTT-3.2.2-2', '20 [ 01 00 ]', connack({ sessionPresent: true })),
  ...[0x84, 0x85, 0x88, 0x86, 0x87].map((reasonCode, index) =>
    accept(
      4,
      `CONNACK with return code ${index + 1}`,
      '3.2.2.3 (3.1.1)',
      `20 [ 00 0${index + 1} ]`,
      connack({ reasonCode }),
    ),
  ),
  accept(5, 'CONNACK of 5.0', '3.2', '20 [ 01 00 [ ] ]', connack({ sessionPresent: true })),
  accept(
    5,
    'CONNACK that refuses',
    '3.2.2.2',
    '20 [ 00 9f [ 1f "why" ] ]',
    connack({ reasonCode: 0x9f, properties: { reasonString: 'why' } }),
  ),
  accept(
    5,
    'CONNACK with all properties',
    '3.2.2.3',
    '20 [ 00 00 [ 11 00 00 00 05 12 "id" 13 00 1e 15 "m" 16 "d" 1a "i" 1c "s" 1f "r" 21 00 0a 22 00 07 24 01 25 00 26 "k" "v" 27 00 00 04 00 28 01 29 01 2a 00 ] ]',
    connack({
      properties: {
        sessionExpiryInterval: 5,
        assignedClientIdentifier: 'id',
        serverKeepAlive: 30,
        authenticationMethod: 'm',
        authenticationData: Buffer.from('d'),
        responseInformation: 'i',
        serverReference: 's',
        reasonString: 'r',
        receiveMaximum: 10,
        topicAliasMaximum: 7,
        maximumQoS: 1,
        retainAvailable: 0,
        userProperties: [['k', 'v']],
        maximumPacketSize: 1024,
        wildcardSubscriptionAvailable: 1,
        subscriptionIdentifiersAvailable: 1,
        sharedSubscriptionAvailable: 0,
      },
    }),
  ),
  refuse(4, 'CONNACK with reserved flags', 'MQTT-3.2.2-1', '20 [ 02 00 ]', 0x81),
  refuse(4, 'CONNACK with return code 6', '3.2.2.3 (3.1.1)', '20 [ 00 06 ]', 0x82),
  refuse(4, 'CONNACK with a session and a refusal', 'MQTT-3.2.2-6', '20 [ 01 05 ]', 0x82),
  refuse(5, 'CONNACK with a reason code of other packets', 'MQTT-3.2.2-8', '20 [ 00 8e [ ] ]', 0x82),
  refuse(5, 'CONNACK with maximum QoS 2', '3.2.2.3.4', '20 [ 00 00 [ 24 02 ] ]', 0x82),
  refuse(5, 'CONNACK without a length of properties', 'MQTT-2.2.2-1', '20 [ 00 00 ]', 0x81),
  refuse(4, 'CONNACK with bytes after its code', '3.2', '20 [ 00 00 00 ]', 0x81),

  accept(4, 'SUBACK of 3.1.1', '3.9.3', '90 [ 00 0a 00 01 02 80 ]', suback([0, 1, 2, 0x80])),
  accept(5, 'SUBACK of 5.0', '3.9.3', '90 [ 00 0a [ 1f "r" ] 00 8f 9e ]', {
    ...suback([0, 0x8f, 0x9e]),
    properties: { reasonString: 'r' },
  }),
  refuse(4, 'SUBACK with code 0x87 in 3.1.1', 'MQTT-3.9.3-2', '90 [ 00 0a 87 ]', 0x82),
  refuse(5, 'SUBACK with code 3', 'MQTT-3.9.3-2', '90 [ 00 0a [ ] 03 ]', 0x82),
  refuse(4, 'SUBACK without a code', 'MQTT-3.9.3-1', '90 [ 00 0a ]', 0x82),
  refuse(4, 'SUBACK with packet identifier 0', 'MQTT-2.2.1-3', '90 [ 00 00 00 ]', 0x82),

  accept(3, 'UNSUBACK of 3.1', '3.11', 'b0 [ 00 0a ]', unsuback([])),
  accept(4, 'UNSUBACK of 3.1.1', '3.11', 'b0 [ 00 0a ]', unsuback([])),
  accept(5, 'UNSUBACK of 5.0', '3.11.3', 'b0 [ 00 0a [ 26 "k" "v" ] 00 11 87 ]', {
    ...unsuback([0, 0x11, 0x87]),
    properties: { userProperties: [['k', 'v']] },
  }),
  refuse(4, 'UNSUBACK of 3.1.1 with codes', '3.11 (3.1.1)', 'b0 [ 00 0a 00 ]', 0x81),
  refuse(5, 'UNSUBACK without a code', 'MQTT-3.11.3-1', 'b0 [ 00 0a [ ] ]', 0x82),
  refuse(5, 'UNSUBACK with code 1', 'MQTT-3.11.3-2', 'b0 [ 00 0a [ ] 01 ]', 0x82),

  accept(4, 'PINGRESP', '3.13', 'd0 [ ]', { type: 'pingresp' }),
  refuse(4, 'PINGRESP with a body', '3.13', 'd0 [ 00 ]', 0x81),

  accept(5, 'DISCONNECT from a broker', '3.14.2.1', 'e0 [ 8e ]', {
    type: 'disconnect',
    reasonCode: 0x8e,
    properties: {},
  }),
  accept(5, 'DISCONNECT that names another server', '3.14.2.2.5', 'e0 [ 9d [ 1c "x" ] ]', {
    type: 'disconnect',
    reasonCode: 0x9d,
    properties: { serverReference: 'x' },
  }),
  refuse(5, 'DISCONNECT with will, from a broker', 'MQTT-3.14.2-1', 'e0 [ 04 ]', 0x82),
  refuse(5, 'DISCONNECT with session expiry, from a broker', 'MQTT-3.14.2-2', 'e0 [ 00 [ 11 00*4 ] ]', 0x81),
  refuse(4, 'DISCONNECT of 3.1.1 from a broker', '3.14 (3.1.1)', 'e0 [ ]', 0x82),

  accept(5, 'AUTH that says success', '3.15', 'f0 [ 00 [ 15 "m" ] ]', {
    type: 'auth',
    reasonCode: 0,
    properties: { authenticationMethod: 'm' },
  }),
  accept(5, 'AUTH in its short form', '3.15.2.1', 'f0 [ ]', { type: 'auth', reasonCode: 0, properties: {} }),
  refuse(5, 'AUTH that begins again, from a broker', 'MQTT-3.15.2-1', 'f0 [ 19 [ 15 "m" ] ]', 0x82),

  refuse(4, 'CONNECT from a broker', '2.1.2', '10 [ "MQTT" 04 02 00 3c "c" ]', 0x82),
  refuse(4, 'SUBSCRIBE from a broker', '2.1.2', '82 [ 00 01 "a" 00 ]', 0x82),
  refuse(4, 'UNSUBSCRIBE from a broker', '2.1.2', 'a2 [ 00 01 "a" ]', 0x82),
  refuse(4, 'PINGREQ from a broker', '2.1.2', 'c0 [ ]', 0x82),
]

function suback(reasonCodes: number[]): Packet & { type: 'suback' } {
  return { type: 'suback', packetId: 10, reasonCodes, properties: {} }
}

function unsuback(reasonCodes: number[]): Packet & { type: 'unsuback' } {
  return { type: 'unsuback', packetId: 10, reasonCodes, properties: {} }
}

function accept(version: 3 | 4 | 5, name: string, requirement: string, wire: string, packet: Packet): WireCase {
  return { name, requirement, version, from: 'broker', wire, packet }
}

function refuse(version: 3 | 4 | 5, name: string, requirement: string, wire: string, code: number): WireCase {
  return { name, requirement, version, from: 'broker', wire, code }
}
