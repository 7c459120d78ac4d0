import type { AckPacket, ProtocolVersion } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, readProperties, writeProperties } from './properties.ts'
import { violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'

/** First bytes of the four acknowledgements of a PUBLISH; PUBREL has a fixed flag (MQTT-3.6.1-1). */
export const AckByte = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const

const typesOf = {
  puback: PacketType.Puback,
  pubrec: PacketType.Pubrec,
  pubrel: PacketType.Pubrel,
  pubcomp: PacketType.Pubcomp,
} as const

// MQTT 5, tables 3-4 and 3-5 (PUBACK, PUBREC), 3-6 and 3-7 (PUBREL, PUBCOMP).
const receivedCodes = new Set<number>([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])
const releasedCodes = new Set<number>([0x00, 0x92])

/** Reads PUBACK, PUBREC, PUBREL or PUBCOMP (MQTT 5, sections 3.4 to 3.7). */
export function decodeAck(
  reader: PacketReader,
  type: AckPacket['type'],
  version: ProtocolVersion,
  limits: DecodeLimits,
): AckPacket {
  const packetId = reader.packetId()
  if (version !== 5 || reader.remaining === 0) {
    reader.finish()
    return { type, packetId, reasonCode: ReasonCode.Success, properties: {} }
  }
  const reasonCode = reader.byte()
  const codes = type === 'puback' || type === 'pubrec' ? receivedCodes : releasedCodes
  if (!codes.has(reasonCode)) throw violation(`${type} with reason code ${reasonCode}`) // MQTT-3.4.2-1 and its like
  // Without a byte for their length there are none (section 3.4.2.2.1).
  const properties = reader.remaining === 0 ? {} : readProperties(reader, typesOf[type], limits)
  reader.finish()
  return { type, packetId, reasonCode, properties }
}

/** Below version 5 only the packet identifier goes out; in version 5 success without properties takes the same form. */
export function encodeAck(packet: AckPacket, version: ProtocolVersion): Buffer {
  const { type, packetId, reasonCode, properties } = packet
  if (packetId < 1 || packetId > 0xffff) throw new RangeError(`packet identifier ${packetId}`)
  const bare = Object.keys(properties).length === 0
  if (version !== 5 || (bare && reasonCode === ReasonCode.Success)) {
    const frame = Buffer.allocUnsafe(4)
    writeAck(frame, 0, AckByte[type], packetId)
    return frame
  }
  const writer = new PacketWriter()
  writer.packetId(packetId)
  writer.byte(reasonCode)
  if (!bare) writeProperties(writer, properties, typesOf[type])
  return writer.frame(AckByte[type])
}

/**
 * Writes an acknowledgement with reason code 0 at `offset`, in the four bytes it takes in each version, and returns the
 * offset after it. `firstByte` is one of `AckByte`.
 */
export function writeAck(target: Buffer, offset: number, firstByte: number, packetId: number): number {
  target[offset] = firstByte
  target[offset + 1] = 2
  target[offset + 2] = packetId >> 8
  target[offset + 3] = packetId & 0xff
  return offset + 4
}
