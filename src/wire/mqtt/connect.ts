import { EMPTY } from '../../message/message.ts'
import type { QoS } from '../../message/qos.ts'
import { scanMessageProperties, scanned } from './message-properties.ts'
import type { ConnectPacket, ProtocolVersion, Will } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, readProperties, writeProperties } from './properties.ts'
import { malformed, ProtocolError, violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'

const CLEAN_START = 0x02
const WILL = 0x04
const WILL_RETAIN = 0x20
const PASSWORD = 0x40
const USERNAME = 0x80
const BRIDGE = 0x80

/**
 * Reads CONNECT (MQTT 5 and 3.1.1, section 3.1). A ProtocolError carries the version where it is known, which decides
 * how CONNACK has to look. Whether an empty client identifier will do is for the session to decide.
 */
export function decodeConnect(reader: PacketReader, fixedFlags: number, limits: DecodeLimits): ConnectPacket {
  const name = reader.string()
  const level = reader.byte()
  const version = versionOf(name, level)
  try {
    // 3.1 knows no reserved flags in the first byte: it says that they are not used.
    if (fixedFlags !== 0 && version !== 3) throw malformed('the fixed header has flags that CONNECT cannot have')
    return decodeFields(reader, version, (level & BRIDGE) !== 0, limits)
  } catch (error) {
    if (error instanceof ProtocolError) error.version = version
    throw error
  }
}

function versionOf(name: string, level: number): ProtocolVersion {
  const plain = level & ~BRIDGE
  if (name === 'MQIsdp' && plain === 3) return 3
  if (name === 'MQTT' && plain === 4) return 4
  if (name === 'MQTT' && level === 5) return 5
  const { UnsupportedProtocolVersion } = ReasonCode
  // MQTT-3.1.2-1: whatever this is, it may not be MQTT at all.
  if (name !== 'MQTT' && name !== 'MQIsdp') throw new ProtocolError(UnsupportedProtocolVersion, 'Invalid protocolId')
  // MQTT-3.1.2-2 of 3.1.1: refused in a form that every version before 5 reads.
  throw Object.assign(new ProtocolError(UnsupportedProtocolVersion, 'unacceptable protocol version'), { version: 4 })
}

function decodeFields(
  reader: PacketReader,
  version: ProtocolVersion,
  bridge: boolean,
  limits: DecodeLimits,
): ConnectPacket {
  const flags = reader.byte()
  checkFlags(flags, version)
  const keepAliveSeconds = reader.uint16()
  const properties = version === 5 ? readProperties(reader, PacketType.Connect, limits) : {}
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw violation('authentication data without an authentication method') // section 3.1.2.11.10
  }
  const clientId = reader.string()
  const will = (flags & WILL) === 0 ? undefined : decodeWill(reader, flags, version, limits)
  // 3.1, section 3.1: the remaining length takes precedence over these two flags.
  const more = version !== 3 || reader.remaining > 0
  const username = (flags & USERNAME) !== 0 && more ? reader.string() : undefined
  const stillMore = version !== 3 || reader.remaining > 0
  const password = (flags & PASSWORD) !== 0 && stillMore ? reader.binary() : undefined
  reader.finish()
  const cleanStart = (flags & CLEAN_START) !== 0
  return {
    type: 'connect',
    version,
    bridge,
    clientId,
    cleanStart,
    keepAliveSeconds,
    username,
    password,
    will,
    properties,
  }
}

function checkFlags(flags: number, version: ProtocolVersion): void {
  const willQoS = (flags >> 3) & 3
  if (willQoS === 3) throw malformed('the QoS of the will is 3') // MQTT-3.1.2-12
  if (version !== 3) {
    if ((flags & 1) !== 0) throw malformed('the reserved connect flag is set') // MQTT-3.1.2-3
    if ((flags & WILL) === 0 && (willQoS !== 0 || (flags & WILL_RETAIN) !== 0)) {
      throw malformed('a QoS or retain flag for a will that is not there') // MQTT-3.1.2-11, MQTT-3.1.2-13
    }
  }
  if (version !== 5 && (flags & PASSWORD) !== 0 && (flags & USERNAME) === 0) {
    throw malformed('a password without a user name') // MQTT-3.1.2-22 of 3.1.1
  }
}

function decodeWill(reader: PacketReader, flags: number, version: ProtocolVersion, limits: DecodeLimits): Will {
  let forwardProperties: Buffer = EMPTY
  let willDelayIntervalSeconds = 0
  let messageExpiryIntervalSeconds: number | undefined
  if (version === 5) {
    const part = reader.part(reader.length())
    scanMessageProperties(part.buffer, part.offset, part.end, 'will', limits)
    forwardProperties = scanned.forward
    willDelayIntervalSeconds = scanned.willDelayInterval
    messageExpiryIntervalSeconds = scanned.messageExpiryInterval
  }
  const topic = reader.topicName()
  const payload = reader.binary()
  const qos = ((flags >> 3) & 3) as QoS
  const retain = (flags & WILL_RETAIN) !== 0
  return { topic, payload, qos, retain, forwardProperties, willDelayIntervalSeconds, messageExpiryIntervalSeconds }
}

export function encodeConnect(packet: ConnectPacket): Buffer {
  const { version, will, username, password } = packet
  if (version !== 5 && password !== undefined && username === undefined) {
    throw new RangeError('a password without a user name needs version 5')
  }
  const writer = new PacketWriter()
  writer.string(version === 3 ? 'MQIsdp' : 'MQTT')
  writer.byte(version | (packet.bridge && version !== 5 ? BRIDGE : 0))
  let flags = packet.cleanStart ? CLEAN_START : 0
  if (will !== undefined) flags |= WILL | (will.qos << 3) | (will.retain ? WILL_RETAIN : 0)
  if (username !== undefined) flags |= USERNAME
  if (password !== undefined) flags |= PASSWORD
  writer.byte(flags)
  writer.uint16(packet.keepAliveSeconds)
  if (version === 5) writeProperties(writer, packet.properties, PacketType.Connect)
  writer.string(packet.clientId)
  if (will !== undefined) writeWill(writer, will, version)
  if (username !== undefined) writer.string(username)
  if (password !== undefined) writer.binary(password)
  return writer.frame(PacketType.Connect << 4)
}

function writeWill(writer: PacketWriter, will: Will, version: ProtocolVersion): void {
  if (version === 5) {
    const mark = writer.position
    if (will.willDelayIntervalSeconds !== 0) {
      writer.byte(0x18)
      writer.uint32(will.willDelayIntervalSeconds)
    }
    if (will.messageExpiryIntervalSeconds !== undefined) {
      writer.byte(0x02)
      writer.uint32(will.messageExpiryIntervalSeconds)
    }
    writer.raw(will.forwardProperties)
    writer.prefixLength(mark)
  }
  writer.string(will.topic)
  writer.binary(will.payload)
}
