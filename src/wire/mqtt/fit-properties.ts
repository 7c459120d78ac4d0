import { encode } from './encode.ts'
import type { Packet, ProtocolVersion } from './packet.ts'

/**
 * A packet without the user properties, and if need be without the reason string too, that would make it longer than
 * the receiver's Maximum Packet Size (MQTT-3.2.2-19, MQTT-3.2.2-20, MQTT-3.4.2-2, MQTT-3.4.2-3 and their like).
 * The packet handed in is not changed. For packets whose user properties are the broker's own.
 */
export function fitProperties<P extends Packet>(packet: P, version: ProtocolVersion, maximumPacketSize: number): P {
  if (version !== 5 || !('properties' in packet)) return packet
  if (encode(packet, version).length <= maximumPacketSize) return packet
  const { userProperties: _users, ...withoutUsers } = packet.properties
  const shorter = { ...packet, properties: withoutUsers }
  if (encode(shorter, version).length <= maximumPacketSize) return shorter
  const { reasonString: _reason, ...withoutReason } = withoutUsers
  return { ...packet, properties: withoutReason }
}

/** The frame of `fitProperties`; undefined when even that is longer than the receiver takes (MQTT-3.1.2-24). */
export function encodeWithin(packet: Packet, version: ProtocolVersion, maximumPacketSize: number): Buffer | undefined {
  const frame = encode(packet, version)
  if (frame.length <= maximumPacketSize) return frame
  const shorter = encode(fitProperties(packet, version, maximumPacketSize), version)
  return shorter.length <= maximumPacketSize ? shorter : undefined
}
