import type { ProtocolVersion, UnsubackPacket } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, readProperties, writeProperties } from './properties.ts'
import { violation } from './protocol-error.ts'

// MQTT 5, table 3-9.
const reasonCodes = new Set<number>([0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91])

/** Reads UNSUBACK (MQTT 5 and 3.1.1, section 3.11). */
export function decodeUnsuback(reader: PacketReader, version: ProtocolVersion, limits: DecodeLimits): UnsubackPacket {
  const packetId = reader.packetId()
  const codes: number[] = []
  if (version !== 5) {
    reader.finish()
    return { type: 'unsuback', packetId, reasonCodes: codes, properties: {} }
  }
  const properties = readProperties(reader, PacketType.Unsuback, limits)
  while (reader.remaining > 0) {
    const code = reader.byte()
    if (!reasonCodes.has(code)) throw violation(`UNSUBACK with code ${code}`) // MQTT-3.11.3-2
    codes.push(code)
  }
  if (codes.length === 0) throw violation('UNSUBACK without a code')
  return { type: 'unsuback', packetId, reasonCodes: codes, properties }
}

export function encodeUnsuback(packet: UnsubackPacket, version: ProtocolVersion): Buffer {
  const writer = new PacketWriter()
  writer.packetId(packet.packetId)
  if (version === 5) {
    writeProperties(writer, packet.properties, PacketType.Unsuback)
    for (const code of packet.reasonCodes) writer.byte(code)
  }
  return writer.frame(PacketType.Unsuback << 4)
}
