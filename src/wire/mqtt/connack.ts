import type { ConnackPacket, ProtocolVersion } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, readProperties, writeProperties } from './properties.ts'
import { malformed, violation } from './protocol-error.ts'
import { connackReturnCode, ReasonCode, reasonCodeOfReturnCode } from './reason-codes.ts'

// MQTT 5, table 3-1.
const reasonCodes = new Set<number>([
  0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
  0x9c, 0x9d, 0x9f,
])

/**
 * Reads CONNACK (MQTT 5 and 3.1.1, section 3.2). A return code of 3.x comes as the reason code that says the same.
 */
export function decodeConnack(reader: PacketReader, version: ProtocolVersion, limits: DecodeLimits): ConnackPacket {
  const flags = reader.byte()
  const code = reader.byte()
  if (version !== 3 && flags > 1) throw malformed('reserved CONNACK flags are set') // MQTT-3.2.2-1
  const properties = version === 5 ? readProperties(reader, PacketType.Connack, limits) : {}
  reader.finish()
  const reasonCode = version === 5 ? code : reasonCodeOfReturnCode(code)
  if (reasonCode === undefined || !reasonCodes.has(reasonCode)) throw violation(`CONNACK with code ${code}`)
  const sessionPresent = version !== 3 && flags === 1
  if (sessionPresent && reasonCode !== ReasonCode.Success) throw violation('a session with a refusal') // MQTT-3.2.2-6
  return { type: 'connack', sessionPresent, reasonCode, properties }
}

/** Throws RangeError for a reason code that `connackReturnCode` does not know in a version below 5. */
export function encodeConnack(packet: ConnackPacket, version: ProtocolVersion): Buffer {
  const code = connackReturnCode(packet.reasonCode, version)
  if (code === undefined) throw new RangeError(`no return code for reason code ${packet.reasonCode}`)
  const writer = new PacketWriter()
  // 3.1 has no session present flag: the byte is reserved there.
  writer.byte(packet.sessionPresent && version !== 3 && code === 0 ? 1 : 0)
  writer.byte(code)
  if (version === 5) writeProperties(writer, packet.properties, PacketType.Connack)
  return writer.frame(PacketType.Connack << 4)
}
