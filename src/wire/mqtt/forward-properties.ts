import { EMPTY } from '../../message/message.ts'
import type { Properties } from './packet.ts'
import { PacketReader } from './packet-reader.ts'
import { PacketWriter } from './packet-writer.ts'
import { defaultDecodeLimits, readPropertyList, writePropertyList } from './properties.ts'
import { FORWARD } from './property-table.ts'

// These bytes were checked when they came in, with the limit that held then.
const noLimits = { ...defaultDecodeLimits, userPropertiesMax: Number.POSITIVE_INFINITY }

/** The properties in `Message.properties`; bytes values are views into it. Throws ProtocolError when it is not well-formed. */
export function decodeForwardProperties(bytes: Buffer): Properties {
  return bytes.length === 0 ? {} : readPropertyList(new PacketReader(bytes, 0, bytes.length), FORWARD, noLimits)
}

/**
 * The form of `Message.properties`: payload format, content type, response topic, correlation data and user
 * properties; other properties are left out. Throws RangeError for a value that the format cannot hold.
 */
export function encodeForwardProperties(properties: Properties): Buffer {
  const writer = new PacketWriter()
  writePropertyList(writer, properties, FORWARD, false)
  const bytes = writer.body()
  return bytes.length === 0 ? EMPTY : bytes
}
