import type { ProtocolVersion, Properties } from '../../src/wire/mqtt/packet.ts'
import { binary, frame, string, u8, u16 } from './wire-bytes.ts'
import { encodeProperties } from './wire-properties.ts'

const NONE = Buffer.alloc(0)

export interface WillOptions {
  topic: string
  payload?: string | Buffer
  qos?: number
  retain?: boolean
  properties?: Properties
}

export interface ConnectOptions {
  version?: ProtocolVersion
  clientId?: string | Buffer
  /** Clean Start of version 5, Clean Session below; true unless given. */
  clean?: boolean
  /** Seconds; 0 (none) unless given. */
  keepAlive?: number
  username?: string | undefined
  password?: string | undefined
  will?: WillOptions | undefined
  properties?: Properties
}

export interface PublishOptions {
  topic?: string | Buffer
  payload?: string | Buffer
  qos?: number
  retain?: boolean
  dup?: boolean
  packetId?: number
  properties?: Properties
}

export interface FilterOptions {
  filter: string | Buffer
  qos?: number
  noLocal?: boolean
  retainAsPublished?: boolean
  retainHandling?: number
}

export function connectPacket(options: ConnectOptions): Buffer {
  const { version = 4, clientId = '', clean = true, keepAlive = 0, username, password, will } = options
  const five = version === 5
  const flags =
    (clean ? 0x02 : 0) |
    (will === undefined ? 0 : 0x04 | ((will.qos ?? 0) << 3) | (will.retain ? 0x20 : 0)) |
    (password === undefined ? 0 : 0x40) |
    (username === undefined ? 0 : 0x80)
  return frame(
    0x10,
    string(version === 3 ? 'MQIsdp' : 'MQTT'),
    u8(version),
    u8(flags),
    u16(keepAlive),
    five ? encodeProperties(options.properties ?? {}) : NONE,
    string(clientId),
    ...(will === undefined
      ? []
      : [
          five ? encodeProperties(will.properties ?? {}) : NONE,
          string(will.topic),
          binary(Buffer.from((will.payload ?? '') as string)),
        ]),
    username === undefined ? NONE : string(username),
    password === undefined ? NONE : string(password),
  )
}

export function publishPacket(version: ProtocolVersion, options: PublishOptions): Buffer {
  const { topic = '', payload = '', qos = 0, retain = false, dup = false, packetId = 1 } = options
  return frame(
    0x30 | (dup ? 0x08 : 0) | (qos << 1) | (retain ? 1 : 0),
    string(topic),
    qos > 0 ? u16(packetId) : NONE,
    version === 5 ? encodeProperties(options.properties ?? {}) : NONE,
    Buffer.from(payload as string),
  )
}

const ACK_HEADERS = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 }

export type AckType = keyof typeof ACK_HEADERS

/** The short form unless a reason code is given. */
export function ackPacket(type: AckType, packetId: number, reasonCode?: number, properties?: Properties): Buffer {
  return frame(
    ACK_HEADERS[type],
    u16(packetId),
    reasonCode === undefined ? NONE : u8(reasonCode),
    properties === undefined ? NONE : encodeProperties(properties),
  )
}

export function subscribePacket(
  version: ProtocolVersion,
  packetId: number,
  filters: FilterOptions[],
  properties: Properties = {},
): Buffer {
  return frame(
    0x82,
    u16(packetId),
    version === 5 ? encodeProperties(properties) : NONE,
    ...filters.map(({ filter, qos = 0, noLocal, retainAsPublished, retainHandling = 0 }) =>
      Buffer.concat([
        string(filter),
        u8(qos | (noLocal ? 0x04 : 0) | (retainAsPublished ? 0x08 : 0) | (retainHandling << 4)),
      ]),
    ),
  )
}

export function unsubscribePacket(version: ProtocolVersion, packetId: number, filters: (string | Buffer)[]): Buffer {
  return frame(0xa2, u16(packetId), version === 5 ? encodeProperties({}) : NONE, ...filters.map(string))
}

export const PINGREQ = frame(0xc0)

/** The form without a reason code unless one is given. */
export function disconnectPacket(reasonCode?: number, properties?: Properties): Buffer {
  return frame(
    0xe0,
    reasonCode === undefined ? NONE : u8(reasonCode),
    properties === undefined ? NONE : encodeProperties(properties),
  )
}

export function authPacket(reasonCode: number, properties: Properties): Buffer {
  return frame(0xf0, u8(reasonCode), encodeProperties(properties))
}
