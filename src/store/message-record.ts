import { SluiceError } from '../base/errors.ts'
import { type AmqpPart, decodeAmqpPart } from '../message/amqp-part.ts'
import { EMPTY, Message } from '../message/message.ts'
import type { QoS } from '../message/qos.ts'
import { readU48, writeU48 } from './keys.ts'

/**
 * A message as it is stored: version, flags, then what the flags announce, then the topic, then the payload to the
 * end. The session's own facts (packet identifier, delivered QoS) are not part of it.
 */
const VERSION = 1
/** With an AMQP part. Others are still written as version 1, byte for byte as before. */
const VERSION_AMQP = 2
const QOS_MASK = 0x03
const RETAIN = 0x04
const EXPIRES = 0x08
const PROPERTIES = 0x10
const PUBLISHER = 0x20
const AMQP = 0x40

/** Bytes that `writeMessage` needs. */
export function messageRecordBytes(message: Message): number {
  let bytes = 4 + Buffer.byteLength(message.topic) + message.payload.length
  if (message.expiresAtMs !== 0) bytes += 6
  if (message.properties.length > 0) bytes += 4 + message.properties.length
  if (message.publisher !== '') bytes += 2 + Buffer.byteLength(message.publisher)
  if (message.amqp !== undefined) bytes += 4 + message.amqp.recordBytes
  return bytes
}

/** Writes the record at `offset`; answers where it ends. */
export function writeMessage(message: Message, into: Buffer, offset: number): number {
  let flags: number = message.qos
  let at = offset + 2
  into[offset] = message.amqp === undefined ? VERSION : VERSION_AMQP
  if (message.retain) flags |= RETAIN
  if (message.expiresAtMs !== 0) {
    flags |= EXPIRES
    writeU48(into, message.expiresAtMs, at)
    at += 6
  }
  if (message.properties.length > 0) {
    flags |= PROPERTIES
    into.writeUInt32BE(message.properties.length, at)
    into.set(message.properties, at + 4)
    at += 4 + message.properties.length
  }
  if (message.publisher !== '') {
    flags |= PUBLISHER
    at = writeString(into, message.publisher, at)
  }
  if (message.amqp !== undefined) {
    const { record } = message.amqp
    flags |= AMQP
    into.writeUInt32BE(record.length, at)
    into.set(record, at + 4)
    at += 4 + record.length
  }
  into[offset + 1] = flags
  at = writeString(into, message.topic, at)
  into.set(message.payload, at)
  return at + message.payload.length
}

export function encodeMessage(message: Message): Buffer {
  const record = Buffer.allocUnsafe(messageRecordBytes(message))
  writeMessage(message, record, 0)
  return record
}

/** Texts that are mostly the same from one record to the next: as long as they are, one string serves all. */
export class RecentText {
  private text = ''
  private bytes: Buffer = EMPTY

  read(record: Buffer, start: number, end: number): string {
    if (!this.isSame(record, start, end)) {
      this.text = record.toString('utf8', start, end)
      this.bytes = record.subarray(start, end)
    }
    return this.text
  }

  private isSame(record: Buffer, start: number, end: number): boolean {
    const { bytes } = this
    if (bytes.length !== end - start) return false
    // From the end, where topics differ.
    for (let i = bytes.length - 1; i >= 0; i--) if (bytes[i] !== record[start + i]) return false
    return true
  }
}

/** The message whose record begins at `offset`. Payload and properties are views into `record`. */
export function decodeMessage(
  record: Buffer,
  offset = 0,
  limit = record.length,
  topics = new RecentText(),
  publishers = new RecentText(),
): Message {
  if (limit < offset + 4) throw damaged('too short')
  if (record[offset] !== VERSION && record[offset] !== VERSION_AMQP) throw damaged(`version ${record[offset]}`)
  const flags = record[offset + 1] ?? 0
  let at = offset + 2
  let expiresAtMs = 0
  let properties: Buffer = EMPTY
  let publisher = ''
  let amqp: AmqpPart | undefined
  if ((flags & EXPIRES) !== 0) {
    need(limit, at + 6)
    expiresAtMs = readU48(record, at)
    at += 6
  }
  if ((flags & PROPERTIES) !== 0) {
    need(limit, at + 4)
    const end = at + 4 + record.readUInt32BE(at)
    need(limit, end)
    properties = record.subarray(at + 4, end)
    at = end
  }
  if ((flags & PUBLISHER) !== 0) {
    const end = stringEnd(record, at, limit)
    publisher = publishers.read(record, at + 2, end)
    at = end
  }
  if ((flags & AMQP) !== 0) {
    need(limit, at + 4)
    const end = at + 4 + record.readUInt32BE(at)
    need(limit, end)
    amqp = readAmqpPart(record.subarray(at + 4, end))
    at = end
  }
  const end = stringEnd(record, at, limit)
  const topic = topics.read(record, at + 2, end)
  const payload = end === limit ? EMPTY : record.subarray(end, limit)
  const retain = (flags & RETAIN) !== 0
  const message = new Message(topic, payload, qosOf(flags), retain, properties, expiresAtMs, publisher)
  message.amqp = amqp
  return message
}

function readAmqpPart(record: Buffer): AmqpPart {
  try {
    return decodeAmqpPart(record)
  } catch {
    throw damaged('AMQP part')
  }
}

function qosOf(flags: number): QoS {
  const qos = flags & QOS_MASK
  if (qos === 3) throw damaged('QoS 3')
  return qos as QoS
}

function writeString(into: Buffer, text: string, at: number): number {
  const end = at + 2 + into.write(text, at + 2)
  const bytes = end - at - 2
  into[at] = bytes >>> 8
  into[at + 1] = bytes
  return end
}

function stringEnd(record: Buffer, at: number, limit: number): number {
  need(limit, at + 2)
  const end = at + 2 + record.readUInt16BE(at)
  need(limit, end)
  return end
}

function need(limit: number, end: number): void {
  if (end > limit) throw damaged('cut off')
}

function damaged(what: string): SluiceError {
  return new SluiceError('STORE_RECORD_DAMAGED', `a stored message cannot be read (${what})`)
}
