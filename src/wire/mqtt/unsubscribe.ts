import type { ProtocolVersion, UnsubscribePacket } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, readProperties, writeProperties } from './properties.ts'
import { violation } from './protocol-error.ts'
import { readFilter, tooManyFilters } from './subscribe.ts'

/** Reads UNSUBSCRIBE (MQTT 5 and 3.1.1, section 3.10). An ill-formed filter is 0x8f, of the whole packet. */
export function decodeUnsubscribe(
  reader: PacketReader,
  version: ProtocolVersion,
  limits: DecodeLimits,
): UnsubscribePacket {
  const packetId = reader.packetId()
  const properties = version === 5 ? readProperties(reader, PacketType.Unsubscribe, limits) : {}
  const filters: string[] = []
  while (reader.remaining > 0) {
    if (filters.length >= limits.filtersPerPacketMax) throw tooManyFilters(limits)
    filters.push(readFilter(reader))
  }
  if (filters.length === 0) throw violation('UNSUBSCRIBE without a topic filter') // MQTT-3.10.3-2
  return { type: 'unsubscribe', packetId, filters, properties }
}

export function encodeUnsubscribe(packet: UnsubscribePacket, version: ProtocolVersion): Buffer {
  const writer = new PacketWriter()
  writer.packetId(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties, PacketType.Unsubscribe)
  for (const filter of packet.filters) writer.string(filter)
  return writer.frame((PacketType.Unsubscribe << 4) | 2)
}
