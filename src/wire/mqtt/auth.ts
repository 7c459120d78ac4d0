import type { AuthPacket } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType, type Sender } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, readProperties, writeProperties } from './properties.ts'
import { violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'

const { Success, ContinueAuthentication, ReAuthenticate } = ReasonCode

/**
 * Reads AUTH (MQTT 5, section 3.15). Only the short form of success goes without an authentication method, and only a
 * broker says success.
 */
export function decodeAuth(reader: PacketReader, from: Sender, limits: DecodeLimits): AuthPacket {
  const short = reader.remaining === 0
  const reasonCode = short ? Success : reader.byte()
  const own = from === 'client' ? ReAuthenticate : Success
  if (reasonCode !== ContinueAuthentication && reasonCode !== own) {
    throw violation(`AUTH with reason code ${reasonCode}`) // MQTT-3.15.2-1
  }
  const properties = reader.remaining === 0 ? {} : readProperties(reader, PacketType.Auth, limits)
  reader.finish()
  if (!short && properties.authenticationMethod === undefined) {
    throw violation('AUTH without an authentication method') // section 3.15.2.2.2
  }
  return { type: 'auth', reasonCode, properties }
}

export function encodeAuth(packet: AuthPacket): Buffer {
  const writer = new PacketWriter()
  if (packet.reasonCode !== Success || Object.keys(packet.properties).length > 0) {
    writer.byte(packet.reasonCode)
    writeProperties(writer, packet.properties, PacketType.Auth)
  }
  return writer.frame(PacketType.Auth << 4)
}
