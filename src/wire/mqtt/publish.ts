import { EMPTY } from '../../message/message.ts'
import type { QoS } from '../../message/qos.ts'
import { packedLength, packedWidth, readRemainingLength } from './frame.ts'
import { noIdentifiers, scanMessageProperties, scanned } from './message-properties.ts'
import type { ProtocolVersion, PublishPacket } from './packet.ts'
import { badString, truncated } from './packet-reader.ts'
import type { Sender } from './packet-type.ts'
import type { DecodeLimits } from './properties.ts'
import { malformed, ProtocolError, violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'
import { asciiText, isValidUtf8, utf8Text } from './utf8.ts'

/** The DUP flag in the first byte. */
export const DUP = 0x08
const RETAIN = 0x01

/**
 * Reads the PUBLISH whose fixed header begins at `start`, body at `bodyStart` (MQTT 5 and 3.1.1, section 3.3).
 * Hot: no object besides the packet and its payload view, unless there are properties.
 */
export function decodePublish(
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
  from: Sender,
  limits: DecodeLimits,
): PublishPacket {
  const flags = buffer[start]!
  const qos = (flags >> 1) & 3
  const dup = (flags & DUP) !== 0
  if (qos === 3) throw malformed('PUBLISH with QoS 3') // MQTT-3.3.1-4
  if (dup && qos === 0 && version !== 3) throw malformed('DUP at QoS 0') // MQTT-3.3.1-2
  const topicStart = bodyStart + 2
  if (topicStart > end) throw truncated()
  const topicEnd = topicStart + ((buffer[bodyStart]! << 8) | buffer[bodyStart + 1]!)
  if (topicEnd > end) throw truncated()
  const topic = readTopic(buffer, topicStart, topicEnd)
  let offset = topicEnd
  let packetId = 0
  if (qos !== 0) {
    offset += 2
    if (offset > end) throw truncated()
    packetId = (buffer[topicEnd]! << 8) | buffer[topicEnd + 1]!
    if (packetId === 0) throw violation('the packet identifier is 0') // MQTT-2.2.1-3
  }
  if (version === 5) return decodeWithProperties(buffer, offset, end, flags, topic, packetId, from, limits)
  if (topic.length === 0) throw emptyTopic()
  return {
    type: 'publish',
    dup,
    qos: qos as QoS,
    retain: (flags & RETAIN) !== 0,
    topic,
    packetId,
    payload: offset === end ? EMPTY : buffer.subarray(offset, end),
    forwardProperties: EMPTY,
    topicAlias: 0,
    messageExpiryIntervalSeconds: undefined,
    subscriptionIdentifiers: noIdentifiers,
  }
}

function decodeWithProperties(
  buffer: Buffer,
  at: number,
  end: number,
  flags: number,
  topic: string,
  packetId: number,
  from: Sender,
  limits: DecodeLimits,
): PublishPacket {
  const packed = readRemainingLength(buffer, at, end)
  if (packed < 0) throw malformed('the length of the properties is malformed')
  const start = at + packedWidth(packed)
  const payloadStart = start + packedLength(packed)
  if (payloadStart > end) throw truncated()
  const bare = start === payloadStart
  if (!bare) scanMessageProperties(buffer, start, payloadStart, 'publish', limits)
  const identifiers = bare ? noIdentifiers : scanned.subscriptionIdentifiers
  if (from === 'client' && identifiers.length > 0) {
    throw violation('a client sent a subscription identifier') // MQTT-3.3.4-6
  }
  if (topic.length === 0 && (bare || scanned.topicAlias === 0)) throw emptyTopic()
  return {
    type: 'publish',
    dup: (flags & DUP) !== 0,
    qos: ((flags >> 1) & 3) as QoS,
    retain: (flags & RETAIN) !== 0,
    topic,
    packetId,
    payload: payloadStart === end ? EMPTY : buffer.subarray(payloadStart, end),
    forwardProperties: bare ? EMPTY : scanned.forward,
    topicAlias: bare ? 0 : scanned.topicAlias,
    messageExpiryIntervalSeconds: bare ? undefined : scanned.messageExpiryInterval,
    subscriptionIdentifiers: identifiers,
  }
}

/**
 * The topic name in the bytes from `start` to `end`, which may be none: UTF-8 without U+0000 and wildcards.
 * Throws ProtocolError 0x81 or 0x90.
 */
export function readTopic(buffer: Buffer, start: number, end: number): string {
  let ascii = true
  for (let index = start; index < end; index++) {
    const byte = buffer[index]!
    if (byte >= 0x80) ascii = false
    else if (byte === 0x23 || byte === 0x2b)
      throw invalidTopic(`${byte === 0x23 ? '#' : '+'} is not allowed in PUBLISH`) // MQTT-3.3.2-2
    else if (byte === 0) throw badString() // MQTT-1.5.4-2
  }
  if (ascii) return asciiText(buffer, start, end)
  if (!isValidUtf8(buffer, start, end)) throw badString() // MQTT-1.5.4-1
  return utf8Text(buffer, start, end)
}

function emptyTopic(): ProtocolError {
  return violation('PUBLISH without topic name and alias') // MQTT-4.7.3-1, section 3.3.2.1
}

function invalidTopic(problem: string): ProtocolError {
  return new ProtocolError(ReasonCode.TopicNameInvalid, problem)
}
