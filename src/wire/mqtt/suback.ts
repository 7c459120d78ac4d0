import type { ProtocolVersion, SubackPacket } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, readProperties, writeProperties } from './properties.ts'
import { violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'

// MQTT 5, table 3-8; MQTT 3.1.1, section 3.9.3.
const reasonCodes = new Set<number>([0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2])
const returnCodes = new Set<number>([0x00, 0x01, 0x02, 0x80])

/** Reads SUBACK (MQTT 5 and 3.1.1, section 3.9). */
export function decodeSuback(reader: PacketReader, version: ProtocolVersion, limits: DecodeLimits): SubackPacket {
  const packetId = reader.packetId()
  const properties = version === 5 ? readProperties(reader, PacketType.Suback, limits) : {}
  const known = version === 5 ? reasonCodes : returnCodes
  const codes: number[] = []
  while (reader.remaining > 0) {
    const code = reader.byte()
    if (!known.has(code)) throw violation(`SUBACK with code ${code}`) // MQTT-3.9.3-2
    codes.push(code)
  }
  if (codes.length === 0) throw violation('SUBACK without a code')
  return { type: 'suback', packetId, reasonCodes: codes, properties }
}

/** Below version 5 each refusal goes out as 0x80, the only one there is. */
export function encodeSuback(packet: SubackPacket, version: ProtocolVersion): Buffer {
  const writer = new PacketWriter()
  writer.packetId(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties, PacketType.Suback)
  for (const code of packet.reasonCodes) {
    writer.byte(version !== 5 && code >= ReasonCode.UnspecifiedError ? ReasonCode.UnspecifiedError : code)
  }
  return writer.frame(PacketType.Suback << 4)
}
