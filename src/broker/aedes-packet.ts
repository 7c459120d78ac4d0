import type { AedesPublishPacket } from 'aedes'
import { EMPTY, Message } from '../message/message.ts'
import type { QoS } from '../message/qos.ts'
import { decodeForwardProperties, encodeForwardProperties } from '../wire/mqtt/forward-properties.ts'
import type { Properties } from '../wire/mqtt/packet.ts'

/** What a packet needs to become a message: the shape that `broker.publish` takes from users. */
export interface LoosePacket {
  topic: string
  payload?: string | Buffer | Uint8Array | undefined
  qos?: number | undefined
  retain?: boolean | undefined
  properties?: object | undefined
  clientId?: string | undefined
}

/** aedes numbers what it publishes, and each retained message it delivers. */
export interface Numbering {
  readonly id: string
  counter: number
}

/**
 * The packet that listeners in the process and `authorizeForward` see, with the number of the publish that is being
 * dispatched; a plain object, made only where somebody looks.
 */
export function toAedesPacket(message: Message, numbering: Numbering, now = 0): AedesPublishPacket {
  const { topic, payload, qos, retain, publisher } = message
  const { id, counter } = numbering
  const packet: Record<string, unknown> = {
    cmd: 'publish',
    brokerId: id,
    brokerCounter: counter,
    topic,
    payload,
    qos,
    retain,
    dup: false,
  }
  if (publisher !== '') packet['clientId'] = publisher
  if (qos > 0) packet['messageId'] = undefined
  addProperties(packet, message, now)
  return packet as unknown as AedesPublishPacket
}

/** The packet as its client sent it: what `authorizePublish`, `published` and the `publish` event see. */
export function toClientPacket(message: Message, packetId: number, now: number): AedesPublishPacket {
  const { topic, payload, qos, retain } = message
  const packet: Record<string, unknown> = { cmd: 'publish', topic, payload, qos, retain, dup: false }
  if (qos > 0) packet['messageId'] = packetId
  packet['length'] = 2 + Buffer.byteLength(topic) + (qos > 0 ? 2 : 0) + payload.length
  addProperties(packet, message, now)
  return packet as unknown as AedesPublishPacket
}

function addProperties(packet: Record<string, unknown>, message: Message, now: number): void {
  if (message.properties.length > 0 || message.expiresAtMs > 0) {
    const properties = toAedesProperties(decodeForwardProperties(message.properties))
    if (message.expiresAtMs > 0) {
      properties['messageExpiryInterval'] = secondsLeft(message, now)
    }
    packet['properties'] = properties
  }
}

// At least 1: a hook that sees 0 would take it for "does not expire".
function secondsLeft(message: Message, now: number): number {
  return Math.max(1, Math.ceil((message.expiresAtMs - now) / 1000))
}

/**
 * The message in a packet that a user or a hook handed in; its expiry counts from `now` (milliseconds since 1970).
 * `original` is what the packet was made from: properties that nobody changed stay as they were, in their order, which
 * aedes' shape cannot hold.
 */
export function fromAedesPacket(packet: LoosePacket, publisher: string, now: number, original?: Message): Message {
  const properties = packet.properties as (Properties & Record<string, unknown>) | undefined
  const expirySeconds = properties?.messageExpiryInterval
  let encoded = properties === undefined ? EMPTY : encodeForwardProperties(fromAedesProperties(properties))
  if (original !== undefined && encoded.equals(afterAedes(original.properties))) encoded = original.properties
  let expiresAtMs = typeof expirySeconds === 'number' ? now + expirySeconds * 1000 : 0
  // Whole seconds counted from now would give a message that nobody changed a longer life, and an expired one a new one.
  if (original !== undefined && original.expiresAtMs > 0 && expirySeconds === secondsLeft(original, now)) {
    expiresAtMs = original.expiresAtMs
  }
  return new Message(
    packet.topic,
    payloadBytes(packet.payload),
    qosOf(packet.qos),
    packet.retain === true,
    encoded,
    expiresAtMs,
    publisher,
  )
}

/** Encoded properties as they come back from a hook that changes nothing. */
function afterAedes(properties: Buffer): Buffer {
  if (properties.length === 0) return EMPTY
  return encodeForwardProperties(fromAedesProperties(toAedesProperties(decodeForwardProperties(properties))))
}

function payloadBytes(payload: LoosePacket['payload']): Buffer {
  if (payload === undefined || payload === null) return EMPTY
  if (typeof payload === 'string') return Buffer.from(payload)
  if (Buffer.isBuffer(payload)) return payload
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}

function qosOf(qos: number | undefined): QoS {
  return qos === 1 || qos === 2 ? qos : 0
}

// mqtt-packet's shape, which aedes documents: user properties as an object, the format indicator as a boolean.
function toAedesProperties(properties: Properties): Record<string, unknown> {
  const { userProperties, payloadFormatIndicator, ...rest } = properties
  const shaped: Record<string, unknown> = { ...rest }
  if (payloadFormatIndicator !== undefined) shaped['payloadFormatIndicator'] = payloadFormatIndicator === 1
  if (userProperties !== undefined) {
    const byName: Record<string, string | string[]> = Object.create(null)
    for (const [name, value] of userProperties) {
      const present = byName[name]
      if (present === undefined) byName[name] = value
      else byName[name] = Array.isArray(present) ? [...present, value] : [present, value]
    }
    shaped['userProperties'] = byName
  }
  return shaped
}

function fromAedesProperties(shaped: Record<string, unknown>): Properties {
  const properties: Properties = {}
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = shaped
  if (payloadFormatIndicator !== undefined) properties.payloadFormatIndicator = payloadFormatIndicator ? 1 : 0
  if (typeof contentType === 'string') properties.contentType = contentType
  if (typeof responseTopic === 'string') properties.responseTopic = responseTopic
  if (Buffer.isBuffer(correlationData)) properties.correlationData = correlationData
  if (Array.isArray(userProperties)) properties.userProperties = userProperties as [string, string][]
  else if (typeof userProperties === 'object' && userProperties !== null) {
    properties.userProperties = []
    for (const [name, value] of Object.entries(userProperties)) {
      for (const each of Array.isArray(value) ? value : [value]) properties.userProperties.push([name, String(each)])
    }
  }
  return properties
}
