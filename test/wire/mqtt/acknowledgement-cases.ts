import type { AckPacket } from '../../../src/wire/mqtt/packet.ts'
import type { WireCase } from './wire-case.ts'

const acks = [
  { type: 'puback', first: '40', section: '3.4', reserved: '42', refused: 0x97 },
  { type: 'pubrec', first: '50', section: '3.5', reserved: '58', refused: 0x97 },
  { type: 'pubrel', first: '62', section: '3.6', reserved: '60', refused: 0x92 },
  { type: 'pubcomp', first: '70', section: '3.7', reserved: '71', refused: 0x92 },
] as const

export const acknowledgementCases: WireCase[] = acks.flatMap(({ type, first, section, reserved, refused }) => {
  const ack = (reasonCode = 0, properties: AckPacket['properties'] = {}): AckPacket => {
    return { type, packetId: 258, reasonCode, properties }
  }
  const name = type.toUpperCase()
  const reason = refused.toString(16)
  const accepted = (text: string, version: 3 | 4 | 5, wire: string, packet: AckPacket, otherForm?: true): WireCase => {
    return { name: `${name}: ${text}`, requirement: section, version, wire, packet, ...(otherForm && { otherForm }) }
  }
  const refusal = (text: string, requirement: string, version: 3 | 4 | 5, wire: string, code: number): WireCase => {
    return { name: `${name}: ${text}`, requirement, version, wire, code }
  }
  return [
    accepted('in 3.1', 3, `${first} [ 01 02 ]`, ack()),
    accepted('in 3.1.1', 4, `${first} [ 01 02 ]`, ack()),
    accepted('short success', 5, `${first} [ 01 02 ]`, ack()),
    accepted('success in words', 5, `${first} [ 01 02 00 ]`, ack(), true),
    accepted('success with an empty property list', 5, `${first} [ 01 02 00 [ ] ]`, ack(), true),
    accepted('a reason code alone', 5, `${first} [ 01 02 ${reason} ]`, ack(refused)),
    accepted(
      'a reason code with properties',
      5,
      `${first} [ 01 02 ${reason} [ 1f "why" 26 "k" "v" ] ]`,
      ack(refused, { reasonString: 'why', userProperties: [['k', 'v']] }),
    ),
    refusal('packet identifier 0', 'MQTT-2.2.1-3', 4, `${first} [ 00 00 ]`, 0x82),
    refusal('half a packet identifier', section, 4, `${first} [ 01 ]`, 0x81),
    refusal('an empty body', section, 5, `${first} [ ]`, 0x81),
    refusal('bytes after the identifier in 3.1.1', section, 4, `${first} [ 01 02 00 ]`, 0x81),
    refusal('bytes after the properties', '2.2.2.1', 5, `${first} [ 01 02 ${reason} [ ] 00 ]`, 0x81),
    refusal('fixed header flags', 'MQTT-2.1.3-1', 4, `${reserved} [ 01 02 ]`, 0x81),
    refusal('fixed header flags in 5.0', 'MQTT-2.1.3-1', 5, `${reserved} [ 01 02 ]`, 0x81),
    refusal('a reason code of other packets', `MQTT-${section}.2-1`, 5, `${first} [ 01 02 8e ]`, 0x82),
    refusal('a property of other packets', '2.2.2.2', 5, `${first} [ 01 02 ${reason} [ 23 00 01 ] ]`, 0x81),
    refusal('a reason string twice', section, 5, `${first} [ 01 02 ${reason} [ 1f "a" 1f "b" ] ]`, 0x82),
    refusal('properties past the end', '2.2.2.1', 5, `${first} [ 01 02 ${reason} 05 1f ]`, 0x81),
  ]
})

acknowledgementCases.push({
  name: 'PUBREL: DUP in 3.1, which sets it when it is sent again',
  requirement: '3.6 (3.1)',
  version: 3,
  wire: '6a [ 01 02 ]',
  packet: { type: 'pubrel', packetId: 258, reasonCode: 0, properties: {} },
  otherForm: true,
})
