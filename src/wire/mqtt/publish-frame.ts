import type { Message } from '../../message/message.ts'
import type { QoS } from '../../message/qos.ts'
import { TOPIC_BYTES_MAX } from '../../message/topic.ts'
import { frameBytes, lengthWidth, writeLength } from './frame.ts'
import type { PublishPacket } from './packet.ts'
import { PacketType } from './packet-type.ts'
import { DUP } from './publish.ts'

/** How a message goes to one receiver, in what cannot be shared among receivers. */
export interface PublishLayout {
  version5: boolean
  qos: QoS
  retain: boolean
  dup: boolean
  /** Not read at QoS 0. */
  packetId: number
  /** 0: none. This and what follows is for version 5 only, and not read below it. */
  topicAlias: number
  /** The alias stands for the topic, which is not sent. */
  omitTopic: boolean
  identifiers: readonly number[]
  /** undefined: the message does not expire. */
  messageExpiryIntervalSeconds: number | undefined
}

/** The frame of one message in one layout. It is shared: copy the bytes, then patch packet identifier and DUP. */
export class PublishFrame {
  readonly bytes: Buffer
  /** Where the packet identifier (0 so far) stands in `bytes`; 0 at QoS 0. */
  readonly packetIdOffset: number
  /** Version, QoS and retain in one number. */
  readonly layout: number

  constructor(bytes: Buffer, packetIdOffset: number, layout: number) {
    this.bytes = bytes
    this.packetIdOffset = packetIdOffset
    this.layout = layout
  }
}

type Content = Pick<Message, 'topic' | 'payload' | 'properties'>

const none: readonly number[] = []
const plain: PublishLayout = {
  version5: false,
  qos: 0,
  retain: false,
  dup: false,
  packetId: 0,
  topicAlias: 0,
  omitTopic: false,
  identifiers: none,
  messageExpiryIntervalSeconds: undefined,
}
// Up to here a loop costs less than the call into the runtime.
const SHORT_TOPIC_BYTES = 64

/**
 * A layout with nothing of version 5 in it, for the caller to add to. It is one object, laid out anew by each call: to be
 * read before the next, and never kept.
 */
export function plainLayout(
  version5: boolean,
  qos: QoS,
  retain: boolean,
  dup: boolean,
  packetId: number,
): PublishLayout {
  plain.version5 = version5
  plain.qos = qos
  plain.retain = retain
  plain.dup = dup
  plain.packetId = packetId
  plain.topicAlias = 0
  plain.omitTopic = false
  plain.identifiers = none
  plain.messageExpiryIntervalSeconds = undefined
  return plain
}

/**
 * The frame of a message for all receivers that have nothing of their own in it, encoded once for each layout.
 * Message expiry, subscription identifiers and topic aliases are not in it: with one of those call `encodePublish`.
 */
export function publishFrame(message: Message, version5: boolean, qos: QoS, retain: boolean): PublishFrame {
  const layout = layoutOf(version5, qos, retain)
  const frames = message.frames as PublishFrame[] | undefined
  if (frames !== undefined) {
    for (let index = 0; index < frames.length; index++) {
      if (frames[index]!.layout === layout) return frames[index]!
    }
  }
  const shared = plainLayout(version5, qos, retain, false, 0)
  const bytes = Buffer.allocUnsafe(publishFrameBytes(message, shared))
  const packetIdOffset = writePublishFrame(message, shared, bytes, 0)
  return keep(message, new PublishFrame(bytes, qos === 0 ? 0 : packetIdOffset, layout))
}

/**
 * Hands in bytes that already are the frame of this layout: those that came from the publisher. `packetIdOffset` is 0
 * at QoS 0. The bytes have to stay as they are while the message is on its way; DUP must not be set in them.
 */
export function seedFrame(
  message: Message,
  version5: boolean,
  qos: QoS,
  retain: boolean,
  bytes: Buffer,
  packetIdOffset: number,
): PublishFrame {
  return keep(message, new PublishFrame(bytes, packetIdOffset, layoutOf(version5, qos, retain)))
}

/** A frame for one receiver. Throws RangeError when topic or frame are longer than the format holds. */
export function encodePublish(content: Content, layout: PublishLayout): Buffer {
  const bytes = Buffer.allocUnsafe(publishFrameBytes(content, layout))
  writePublishFrame(content, layout, bytes, 0)
  return bytes
}

/** Length of such a frame, for the receiver's Maximum Packet Size too (MQTT-3.1.2-24). Throws as `encodePublish`. */
export function publishFrameBytes({ topic, payload, properties }: Content, layout: PublishLayout): number {
  const topicBytes = topicBytesOf(topic, layout)
  if (topicBytes > TOPIC_BYTES_MAX) throw new RangeError('a topic longer than 65535 bytes')
  return frameBytes(bodyBytes(topicBytes, payload.length, propertyBytes(properties, layout), layout.qos))
}

/**
 * Writes such a frame into `bytes` from `at` on, where `publishFrameBytes` many have room. Answers where the packet
 * identifier stands; at QoS 0 that means nothing.
 */
export function writePublishFrame(content: Content, layout: PublishLayout, bytes: Buffer, at: number): number {
  const { topic, payload, properties } = content
  const { version5, qos } = layout
  const topicBytes = topicBytesOf(topic, layout)
  const propertyLength = propertyBytes(properties, layout)
  bytes[at] = (PacketType.Publish << 4) | (layout.dup ? DUP : 0) | (qos << 1) | (layout.retain ? 1 : 0)
  let offset = writeLength(bytes, at + 1, bodyBytes(topicBytes, payload.length, propertyLength, qos))
  bytes[offset++] = topicBytes >> 8
  bytes[offset++] = topicBytes & 0xff
  if (topicBytes > 0) offset = writeTopic(bytes, offset, topic, topicBytes)
  const packetIdOffset = offset
  if (qos !== 0) {
    bytes[offset++] = layout.packetId >> 8
    bytes[offset++] = layout.packetId & 0xff
  }
  if (version5) offset = writeProperties(bytes, offset, propertyLength, properties, layout)
  bytes.set(payload, offset)
  return packetIdOffset
}

/** A PUBLISH given as a packet, as `decode` returns it. */
export function encodePublishPacket(packet: PublishPacket, version5: boolean): Buffer {
  const { topic, payload, qos, retain, dup, packetId, topicAlias, messageExpiryIntervalSeconds } = packet
  const identifiers = packet.subscriptionIdentifiers
  const layout = {
    version5,
    qos,
    retain,
    dup,
    packetId,
    topicAlias,
    omitTopic: false,
    identifiers,
    messageExpiryIntervalSeconds,
  }
  return encodePublish({ topic, payload, properties: packet.forwardProperties }, layout)
}

function layoutOf(version5: boolean, qos: QoS, retain: boolean): number {
  return (version5 ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
}

function keep(message: Message, frame: PublishFrame): PublishFrame {
  if (message.frames === undefined) message.frames = [frame]
  else message.frames.push(frame)
  return frame
}

// `properties` is the length of the property list, -1 below version 5, where not even a length goes out.
function bodyBytes(topicBytes: number, payloadBytes: number, properties: number, qos: QoS): number {
  const propertyPart = properties < 0 ? 0 : lengthWidth(properties) + properties
  return 2 + topicBytes + (qos === 0 ? 0 : 2) + propertyPart + payloadBytes
}

function propertyBytes(forward: Buffer, layout: PublishLayout): number {
  if (!layout.version5) return -1
  let bytes = forward.length
  if (layout.messageExpiryIntervalSeconds !== undefined) bytes += 5
  if (layout.topicAlias !== 0) bytes += 3
  for (const identifier of layout.identifiers) bytes += 1 + lengthWidth(identifier)
  return bytes
}

function topicBytesOf(topic: string, layout: PublishLayout): number {
  return layout.version5 && layout.omitTopic ? 0 : Buffer.byteLength(topic)
}

function writeTopic(bytes: Buffer, offset: number, topic: string, topicBytes: number): number {
  if (topicBytes !== topic.length || topicBytes > SHORT_TOPIC_BYTES) return offset + bytes.write(topic, offset)
  // As many bytes as characters: all of it is ASCII.
  for (let index = 0; index < topicBytes; index++) bytes[offset + index] = topic.charCodeAt(index)
  return offset + topicBytes
}

function writeProperties(bytes: Buffer, start: number, length: number, forward: Buffer, layout: PublishLayout): number {
  let offset = writeLength(bytes, start, length)
  if (layout.messageExpiryIntervalSeconds !== undefined) {
    bytes[offset++] = 0x02
    offset = bytes.writeUInt32BE(layout.messageExpiryIntervalSeconds, offset)
  }
  if (layout.topicAlias !== 0) {
    bytes[offset++] = 0x23
    offset = bytes.writeUInt16BE(layout.topicAlias, offset)
  }
  for (const identifier of layout.identifiers) {
    bytes[offset++] = 0x0b
    offset = writeLength(bytes, offset, identifier)
  }
  if (forward.length === 0) return offset
  bytes.set(forward, offset)
  return offset + forward.length
}
