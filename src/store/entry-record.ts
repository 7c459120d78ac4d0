import { SluiceError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import { decodeMessage, messageRecordBytes, type RecentText, writeMessage } from './message-record.ts'

/**
 * What is stored of one entry: version, flags, mark u32, subscription identifiers if any (count u8, u32 each), then the
 * message's record, unless the body is stored apart.
 */
const VERSION = 1
const REFERENCE = 0x01
// Written by format 1 only: now the block says it.
const SETTLED = 0x02
const IDENTIFIERS = 0x04
const FIXED_BYTES = 6

/** Beyond this many, the rest is not stored: the count has one byte. */
const IDENTIFIERS_MAX = 255
// Of one identifier (MQTT 5, section 3.8.2.1.2): a larger one could not be sent. A named queue keeps the upper part of a time
// here, which is 0 on a board whose clock is not set.
const IDENTIFIER_MAX = 268_435_455

export interface EntryRecord {
  readonly mark: number
  readonly identifiers: readonly number[]
  /** The owner has replaced the message by the mark. */
  readonly settled: boolean
  /** Undefined: settled, or stored apart as a body. */
  readonly message: Message | undefined
}

const NONE: readonly number[] = []

/** Bytes that `writeEntry` needs. */
export function entryRecordBytes(message: Message, identifiers: readonly number[], reference: boolean): number {
  const count = Math.min(identifiers.length, IDENTIFIERS_MAX)
  return FIXED_BYTES + (count === 0 ? 0 : 1 + 4 * count) + (reference ? 0 : messageRecordBytes(message))
}

/** Writes the record at `offset`; answers where it ends. */
export function writeEntry(
  message: Message,
  mark: number,
  identifiers: readonly number[],
  reference: boolean,
  into: Buffer,
  offset: number,
): number {
  const count = Math.min(identifiers.length, IDENTIFIERS_MAX)
  into[offset] = VERSION
  into[offset + 1] = (reference ? REFERENCE : 0) | (count > 0 ? IDENTIFIERS : 0)
  into[offset + 2] = mark >>> 24
  into[offset + 3] = mark >>> 16
  into[offset + 4] = mark >>> 8
  into[offset + 5] = mark
  let at = offset + FIXED_BYTES
  if (count > 0) {
    into[at] = count
    for (let i = 0; i < count; i++) into.writeUInt32BE(identifiers[i] ?? 0, at + 1 + 4 * i)
    at += 1 + 4 * count
  }
  return reference ? at : writeMessage(message, into, at)
}

/** The record between `offset` and `limit`. Payload and properties are views into it. */
export function decodeEntry(
  record: Buffer,
  offset = 0,
  limit = record.length,
  topics?: RecentText,
  publishers?: RecentText,
): EntryRecord {
  if (limit < offset + FIXED_BYTES || record[offset] !== VERSION) throw damaged(`version ${record[offset]}`)
  const flags = record[offset + 1] ?? 0
  const mark = record.readUInt32BE(offset + 2)
  let at = offset + FIXED_BYTES
  let identifiers = NONE
  if ((flags & IDENTIFIERS) !== 0) {
    const first = at + 1
    const count = record[at] ?? 0
    at = first + 4 * count
    if (at > limit) throw damaged('cut off')
    const read: number[] = []
    for (let i = 0; i < count; i++) {
      const identifier = record.readUInt32BE(first + 4 * i)
      if (identifier > IDENTIFIER_MAX) throw damaged(`subscription identifier ${identifier}`)
      read.push(identifier)
    }
    identifiers = read
  }
  const settled = (flags & SETTLED) !== 0
  const apart = settled || (flags & REFERENCE) !== 0
  return {
    mark,
    identifiers,
    settled,
    message: apart ? undefined : decodeMessage(record, at, limit, topics, publishers),
  }
}

function damaged(what: string): SluiceError {
  return new SluiceError('STORE_RECORD_DAMAGED', `a queue entry cannot be read (${what})`)
}
