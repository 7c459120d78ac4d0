import { EMPTY } from '../../message/message.ts'
import { packedLength, packedWidth, readRemainingLength } from './frame.ts'
import { badString, truncated } from './packet-reader.ts'
import type { DecodeLimits } from './properties.ts'
import { badFlag, isZero, notAllowed, repeated, tooManyUserProperties, wildcardInResponseTopic } from './properties.ts'
import { malformed, ProtocolError } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'
import { isValidUtf8 } from './utf8.ts'

/** Shared by all packets without identifiers, so that "none" costs nothing; frozen, so that nobody adds to it. */
export const noIdentifiers: number[] = Object.freeze([]) as unknown as number[]

/**
 * What the last `scanMessageProperties` found. One object for all, because a PUBLISH must not cost one: read it before
 * the next scan.
 */
export const scanned = {
  /** 0: none. */
  topicAlias: 0,
  /** In seconds; undefined: none. */
  messageExpiryInterval: undefined as number | undefined,
  /** In seconds. */
  willDelayInterval: 0,
  subscriptionIdentifiers: noIdentifiers,
  /** The properties that travel on, as they came: a view, or a copy where others stood between them. */
  forward: EMPTY as Buffer,
}

// Start and end of each property that does not travel on.
const gaps: number[] = []

// One bit per identifier up to 0x1f, for those that may come once; the topic alias has a field of its own.
let seen = 0
let userProperties = 0

/**
 * Checks the properties of a PUBLISH or of a will, from `start` to `end` (their length is in front of `start`), and
 * leaves the result in `scanned`. Nothing is decoded that the broker does not need itself.
 */
export function scanMessageProperties(
  buffer: Buffer,
  start: number,
  end: number,
  kind: 'publish' | 'will',
  limits: DecodeLimits,
): void {
  seen = 0
  userProperties = 0
  gaps.length = 0
  scanned.topicAlias = 0
  scanned.messageExpiryInterval = undefined
  scanned.willDelayInterval = 0
  scanned.subscriptionIdentifiers = noIdentifiers
  let offset = start
  while (offset < end) offset = scanProperty(buffer, offset, end, kind, limits)
  scanned.forward = withoutGaps(buffer, start, end)
}

function scanProperty(buffer: Buffer, at: number, end: number, kind: 'publish' | 'will', limits: DecodeLimits): number {
  const id = buffer[at]!
  const value = at + 1
  switch (id) {
    case 0x26:
      if (++userProperties > limits.userPropertiesMax) throw tooManyUserProperties(limits)
      return stringEnd(buffer, stringEnd(buffer, value, end), end)
    case 0x01:
      once(id)
      if (value >= end) throw truncated()
      if (buffer[value]! > 1) throw badFlag(id, buffer[value]!)
      return value + 1
    case 0x03:
      once(id)
      return stringEnd(buffer, value, end)
    case 0x08:
      once(id)
      return responseTopicEnd(buffer, value, end)
    case 0x09:
      once(id)
      return binaryEnd(buffer, value, end)
    case 0x02:
      once(id)
      scanned.messageExpiryInterval = uint32(buffer, value, end)
      gaps.push(at, value + 4)
      return value + 4
    default:
      return kind === 'will' ? scanWillDelay(buffer, at, end) : scanPublishOnly(buffer, at, end)
  }
}

function scanWillDelay(buffer: Buffer, at: number, end: number): number {
  if (buffer[at] !== 0x18) throw notAllowed(buffer[at]!)
  once(0x18)
  scanned.willDelayInterval = uint32(buffer, at + 1, end)
  gaps.push(at, at + 5)
  return at + 5
}

function scanPublishOnly(buffer: Buffer, at: number, end: number): number {
  const id = buffer[at]!
  if (id === 0x23) {
    if (scanned.topicAlias !== 0) throw repeated(id)
    if (at + 3 > end) throw truncated()
    scanned.topicAlias = (buffer[at + 1]! << 8) | buffer[at + 2]!
    if (scanned.topicAlias === 0) throw new ProtocolError(ReasonCode.TopicAliasInvalid, 'the topic alias is 0') // MQTT-3.3.2-8
    gaps.push(at, at + 3)
    return at + 3
  }
  if (id !== 0x0b) throw notAllowed(id)
  const packed = readRemainingLength(buffer, at + 1, end)
  if (packed < 0) throw malformed('a subscription identifier is malformed')
  const identifier = packedLength(packed)
  if (identifier === 0) throw isZero(id)
  if (scanned.subscriptionIdentifiers === noIdentifiers) scanned.subscriptionIdentifiers = []
  scanned.subscriptionIdentifiers.push(identifier)
  const after = at + 1 + packedWidth(packed)
  gaps.push(at, after)
  return after
}

function once(id: number): void {
  const bit = 1 << id
  if ((seen & bit) !== 0) throw repeated(id)
  seen |= bit
}

function uint32(buffer: Buffer, at: number, end: number): number {
  if (at + 4 > end) throw truncated()
  return buffer.readUInt32BE(at)
}

function binaryEnd(buffer: Buffer, at: number, end: number): number {
  const start = at + 2
  if (start > end) throw truncated()
  const after = start + ((buffer[at]! << 8) | buffer[at + 1]!)
  if (after > end) throw truncated()
  return after
}

function stringEnd(buffer: Buffer, at: number, end: number): number {
  const after = binaryEnd(buffer, at, end)
  if (!isValidUtf8(buffer, at + 2, after)) throw badString()
  return after
}

function responseTopicEnd(buffer: Buffer, at: number, end: number): number {
  const after = stringEnd(buffer, at, end)
  for (let index = at + 2; index < after; index++) {
    if (buffer[index] === 0x2b || buffer[index] === 0x23) throw wildcardInResponseTopic()
  }
  return after
}

function withoutGaps(buffer: Buffer, start: number, end: number): Buffer {
  if (start === end) return EMPTY
  if (gaps.length === 0) return buffer.subarray(start, end)
  let bytes = end - start
  for (let index = 0; index < gaps.length; index += 2) bytes -= gaps[index + 1]! - gaps[index]!
  if (bytes === 0) return EMPTY
  const copy = Buffer.allocUnsafe(bytes)
  let written = 0
  let from = start
  for (let index = 0; index < gaps.length; index += 2) {
    written += buffer.copy(copy, written, from, gaps[index])
    from = gaps[index + 1]!
  }
  buffer.copy(copy, written, from, end)
  return copy
}
