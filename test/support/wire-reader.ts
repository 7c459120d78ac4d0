import type { ProtocolVersion, Properties } from '../../src/wire/mqtt/packet.ts'
import { ByteReader } from './wire-bytes.ts'
import { decodeProperties } from './wire-properties.ts'

const TYPES = [
  'reserved',
  'connect',
  'connack',
  'publish',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'subscribe',
  'suback',
  'unsubscribe',
  'unsuback',
  'pingreq',
  'pingresp',
  'disconnect',
  'auth',
] as const

export type PacketType = (typeof TYPES)[number]

/** What the broker sent. Fields that a packet type does not have keep their neutral value. */
export interface ReceivedPacket {
  type: PacketType
  dup: boolean
  qos: number
  retain: boolean
  topic: string
  /** As text; the bytes are in `payloadBytes`. */
  payload: string
  payloadBytes: Buffer
  packetId: number
  sessionPresent: boolean
  /** Reason code, or the return code of a CONNACK below version 5. */
  reasonCode: number
  reasonCodes: number[]
  properties: Properties
  /** Length of the whole packet. */
  size: number
}

/** Length of the packet at `offset`, 0 while it is not all there. */
export function packetSize(bytes: Buffer, offset: number): number {
  let length = 0
  for (let index = 1, factor = 1; index <= 4; index++, factor *= 128) {
    const digit = bytes[offset + index]
    if (digit === undefined) return 0
    length += (digit & 0x7f) * factor
    if (digit < 0x80) return bytes.length - offset >= 1 + index + length ? 1 + index + length : 0
  }
  throw new Error('the broker sent a remaining length of more than four bytes')
}

export function readPacket(bytes: Buffer, version: ProtocolVersion): ReceivedPacket {
  const header = bytes.readUInt8()
  const reader = new ByteReader(bytes, 1)
  reader.variable()
  const packet: ReceivedPacket = {
    type: TYPES[header >> 4] ?? 'reserved',
    dup: false,
    qos: 0,
    retain: false,
    topic: '',
    payload: '',
    payloadBytes: Buffer.alloc(0),
    packetId: 0,
    sessionPresent: false,
    reasonCode: 0,
    reasonCodes: [],
    properties: {},
    size: bytes.length,
  }
  readBody(packet, reader, header, version === 5)
  if (reader.left > 0) throw new Error(`the broker sent ${reader.left} bytes too many in ${packet.type}`)
  return packet
}

function readBody(packet: ReceivedPacket, reader: ByteReader, header: number, five: boolean): void {
  const flags = header & 0x0f
  if (packet.type === 'publish') {
    readPublish(packet, reader, flags, five)
    return
  }
  if (flags !== (packet.type === 'pubrel' ? 2 : 0))
    throw new Error(`the broker sent the flags ${flags} in ${packet.type}`)
  switch (packet.type) {
    case 'connack': {
      const acknowledge = reader.u8()
      if (acknowledge > 1) throw new Error(`the broker sent the acknowledge flags ${acknowledge}`)
      packet.sessionPresent = acknowledge === 1
      packet.reasonCode = reader.u8()
      if (five) packet.properties = decodeProperties(reader)
      return
    }
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      packet.packetId = reader.u16()
      if (five) readReason(packet, reader)
      return
    case 'suback':
    case 'unsuback':
      packet.packetId = reader.u16()
      if (five) packet.properties = decodeProperties(reader)
      packet.reasonCodes = [...reader.take(reader.left)]
      return
    case 'disconnect':
    case 'auth':
      if (!five) throw new Error(`the broker sent ${packet.type} below version 5`)
      readReason(packet, reader)
      return
    case 'pingresp':
      return
    default:
      throw new Error(`the broker sent ${packet.type}, which only clients send`)
  }
}

function readReason(packet: ReceivedPacket, reader: ByteReader): void {
  if (reader.left > 0) packet.reasonCode = reader.u8()
  if (reader.left > 0) packet.properties = decodeProperties(reader)
}

function readPublish(packet: ReceivedPacket, reader: ByteReader, flags: number, five: boolean): void {
  packet.dup = (flags & 0x08) !== 0
  packet.qos = (flags >> 1) & 0x03
  packet.retain = (flags & 0x01) !== 0
  if (packet.qos === 3) throw new Error('the broker sent QoS 3')
  packet.topic = reader.string()
  if (packet.qos > 0) {
    packet.packetId = reader.u16()
    if (packet.packetId === 0) throw new Error('the broker sent packet identifier 0')
  }
  if (five) packet.properties = decodeProperties(reader)
  packet.payloadBytes = Buffer.from(reader.take(reader.left))
  packet.payload = packet.payloadBytes.toString()
}
