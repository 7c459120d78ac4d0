import type { AuthPacket, DisconnectPacket } from '../../../src/wire/mqtt/packet.ts'
import type { WireCase } from './wire-case.ts'

const method = '15 "m"'

/** PINGREQ, DISCONNECT, AUTH, and what no client may send. */
export const connectionCases: WireCase[] = [
  { name: 'PINGREQ', requirement: '3.12', version: 4, wire: 'c0 [ ]', packet: { type: 'pingreq' } },
  refuse(4, 'PINGREQ with a body', '3.12', 'c0 [ 00 ]', 0x81),
  refuse(4, 'PINGREQ with flags', 'MQTT-2.1.3-1', 'c1 [ ]', 0x81),
  {
    name: 'PINGREQ with flags in 3.1, which does not use them',
    requirement: '3.12 (3.1)',
    version: 3,
    wire: 'c8 [ ]',
    packet: { type: 'pingreq' },
    otherForm: true,
  },

  { name: 'DISCONNECT of 3.1.1', requirement: '3.14', version: 4, wire: 'e0 [ ]', packet: disconnect(0) },
  { name: 'DISCONNECT, short', requirement: '3.14.2.1', version: 5, wire: 'e0 [ ]', packet: disconnect(0) },
  {
    name: 'DISCONNECT with a reason code alone',
    requirement: '3.14.2.1',
    version: 5,
    wire: 'e0 [ 04 ]',
    packet: disconnect(4),
  },
  {
    name: 'DISCONNECT with 0 in words',
    requirement: '3.14.2.1',
    version: 5,
    wire: 'e0 [ 00 [ ] ]',
    packet: disconnect(0),
    otherForm: true,
  },
  {
    name: 'DISCONNECT with all properties of a client',
    requirement: '3.14.2.2',
    version: 5,
    wire: 'e0 [ 00 [ 11 00 00 00 05 1f "bye" 26 "k" "v" ] ]',
    packet: {
      ...disconnect(0),
      properties: { sessionExpiryInterval: 5, reasonString: 'bye', userProperties: [['k', 'v']] },
    },
  },
  refuse(4, 'DISCONNECT of 3.1.1 with a body', '3.14', 'e0 [ 00 ]', 0x81),
  refuse(4, 'DISCONNECT with flags', 'MQTT-3.14.1-1', 'e1 [ ]', 0x81),
  refuse(5, 'DISCONNECT with flags', 'MQTT-3.14.1-1', 'e2 [ 00 ]', 0x81),
  refuse(5, 'DISCONNECT with a reason code that only a broker gives', 'MQTT-3.14.2-1', 'e0 [ 8e ]', 0x82),
  refuse(5, 'DISCONNECT with a reason code that does not exist', 'MQTT-3.14.2-1', 'e0 [ 7f ]', 0x82),
  refuse(5, 'DISCONNECT with a server reference from a client', '3.14.2.2.5', 'e0 [ 00 [ 1c "x" ] ]', 0x81),
  refuse(5, 'DISCONNECT with session expiry twice', '3.14.2.2.2', 'e0 [ 00 [ 11 00*4 11 00*4 ] ]', 0x82),
  refuse(5, 'DISCONNECT with bytes after its properties', '2.2.2.1', 'e0 [ 00 [ ] 00 ]', 0x81),
  refuse(5, 'DISCONNECT with properties past its end', '2.2.2.1', 'e0 [ 00 09 ]', 0x81),

  {
    name: 'AUTH that goes on',
    requirement: '3.15',
    version: 5,
    wire: 'f0 [ 18 [ 15 "m" 16 "d" 1f "why" 26 "k" "v" ] ]',
    packet: {
      ...auth(0x18),
      properties: {
        authenticationMethod: 'm',
        authenticationData: Buffer.from('d'),
        reasonString: 'why',
        userProperties: [['k', 'v']],
      },
    },
  },
  {
    name: 'AUTH that begins again',
    requirement: '3.15',
    version: 5,
    wire: `f0 [ 19 [ ${method} ] ]`,
    packet: auth(0x19),
  },
  refuse(5, 'AUTH that says success, from a client', 'MQTT-3.15.2-1', `f0 [ 00 [ ${method} ] ]`, 0x82),
  refuse(5, 'AUTH in its short form, from a client', 'MQTT-3.15.2-1', 'f0 [ ]', 0x82),
  refuse(5, 'AUTH with a reason code of other packets', 'MQTT-3.15.2-1', `f0 [ 80 [ ${method} ] ]`, 0x82),
  refuse(5, 'AUTH without a method', '3.15.2.2.2', 'f0 [ 18 [ 16 "d" ] ]', 0x82),
  refuse(5, 'AUTH without properties', '3.15.2.2.2', 'f0 [ 18 ]', 0x82),
  refuse(5, 'AUTH with the method twice', '3.15.2.2.2', `f0 [ 18 [ ${method} ${method} ] ]`, 0x82),
  refuse(5, 'AUTH with flags', 'MQTT-3.15.1-1', `f1 [ 18 [ ${method} ] ]`, 0x81),
  refuse(5, 'AUTH with bytes after its properties', '2.2.2.1', `f0 [ 18 [ ${method} ] 00 ]`, 0x81),
  refuse(4, 'type 15 in 3.1.1', '2.2.1 (3.1.1)', 'f0 [ ]', 0x81),
  refuse(3, 'type 15 in 3.1', '2.1 (3.1)', 'f0 [ ]', 0x81),

  refuse(4, 'type 0', '2.1.2', '00 [ ]', 0x81),
  refuse(5, 'type 0', '2.1.2', '0f [ 61*9 ]', 0x81),
  refuse(4, 'CONNACK from a client', '2.1.2', '20 [ 00 00 ]', 0x82),
  refuse(4, 'SUBACK from a client', '2.1.2', '90 [ 00 01 00 ]', 0x82),
  refuse(4, 'UNSUBACK from a client', '2.1.2', 'b0 [ 00 01 ]', 0x82),
  refuse(4, 'PINGRESP from a client', '2.1.2', 'd0 [ ]', 0x82),

  refuse(4, 'a remaining length of five bytes', '1.5.5', '30 80 80 80 80 01', 0x81),
  refuse(4, 'a remaining length with more bytes than it needs', 'MQTT-1.5.5-1', 'c0 80 00', 0x81),
  refuse(5, 'a remaining length of four bytes that needs three', 'MQTT-1.5.5-1', '30 ff ff ff 00', 0x81),
]

function disconnect(reasonCode: number): DisconnectPacket {
  return { type: 'disconnect', reasonCode, properties: {} }
}

function auth(reasonCode: number): AuthPacket {
  return { type: 'auth', reasonCode, properties: { authenticationMethod: 'm' } }
}

function refuse(version: 3 | 4 | 5, name: string, requirement: string, wire: string, code: number): WireCase {
  return { name, requirement, version, wire, code }
}
