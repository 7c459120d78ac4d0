import type { DisconnectPacket, ProtocolVersion } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType, type Sender } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, notAllowed, readProperties, writeProperties } from './properties.ts'
import { violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'

// MQTT 5, table 3-10: what both sides may say, and what only one may.
const bothCodes = [0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99] as const
const clientCodes = new Set<number>([...bothCodes, ReasonCode.DisconnectWithWillMessage])
const brokerCodes = new Set<number>([
  ...bothCodes,
  0x87,
  0x89,
  0x8b,
  0x8d,
  0x8e,
  0x8f,
  0x9a,
  0x9b,
  0x9c,
  0x9d,
  0x9e,
  0x9f,
  0xa0,
  0xa1,
  0xa2,
])

/** Reads DISCONNECT (MQTT 5, section 3.14). */
export function decodeDisconnect(
  reader: PacketReader,
  version: ProtocolVersion,
  from: Sender,
  limits: DecodeLimits,
): DisconnectPacket {
  if (version !== 5 || reader.remaining === 0) {
    reader.finish()
    return { type: 'disconnect', reasonCode: ReasonCode.NormalDisconnection, properties: {} }
  }
  const reasonCode = reader.byte()
  const known = from === 'client' ? clientCodes : brokerCodes
  if (!known.has(reasonCode)) throw violation(`DISCONNECT with reason code ${reasonCode}`) // MQTT-3.14.2-1
  // Without a byte for their length there are none (section 3.14.2.2.1).
  const properties = reader.remaining === 0 ? {} : readProperties(reader, PacketType.Disconnect, limits)
  reader.finish()
  if (from === 'client' && properties.serverReference !== undefined) throw notAllowed(0x1c)
  if (from === 'broker' && properties.sessionExpiryInterval !== undefined) throw notAllowed(0x11) // MQTT-3.14.2-2
  return { type: 'disconnect', reasonCode, properties }
}

/** Below version 5 there is nothing but the fixed header. */
export function encodeDisconnect(packet: DisconnectPacket, version: ProtocolVersion): Buffer {
  const writer = new PacketWriter()
  const bare = Object.keys(packet.properties).length === 0
  if (version === 5 && !(bare && packet.reasonCode === ReasonCode.NormalDisconnection)) {
    writer.byte(packet.reasonCode)
    if (!bare) writeProperties(writer, packet.properties, PacketType.Disconnect)
  }
  return writer.frame(PacketType.Disconnect << 4)
}
