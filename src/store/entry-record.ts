import { SluiceError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import { decodeMessage, messageRecordBytes, writeMessage } from './message-record.ts'

/**
 * The value of a FIFO entry: version, flags, mark u32, subscription identifiers if any (count u8, u32 each), then the
 * message's record, unless the body is stored apart or the entry is settled.
 */
const VERSION = 1
const REFERENCE = 0x01
const SETTLED = 0x02
const IDENTIFIERS = 0x04
const FIXED_BYTES = 6

/** Beyond this many, the rest is not stored: the count has one byte. */
export const IDENTIFIERS_MAX = 255

export interface EntryRecord {
  readonly mark: number
  readonly identifiers: readonly number[]
  /** The owner has replaced the message by the mark. */
  readonly settled: boolean
  /** Undefined: settled, or stored apart under the body number of the key. */
  readonly message: Message | undefined
}

const NONE: readonly number[] = []

export function encodeEntry(
  message: Message,
  mark: number,
  identifiers: readonly number[],
  settled: boolean,
  reference: boolean,
): Buffer {
  const count = Math.min(identifiers.length, IDENTIFIERS_MAX)
  const inline = !settled && !reference
  const head = FIXED_BYTES + (count === 0 ? 0 : 1 + 4 * count)
  const record = Buffer.allocUnsafe(inline ? head + messageRecordBytes(message) : head)
  record[0] = VERSION
  record[1] = (reference ? REFERENCE : 0) | (settled ? SETTLED : 0) | (count > 0 ? IDENTIFIERS : 0)
  record[2] = mark >>> 24
  record[3] = mark >>> 16
  record[4] = mark >>> 8
  record[5] = mark
  if (count > 0) {
    record[FIXED_BYTES] = count
    for (let i = 0; i < count; i++) record.writeUInt32BE(identifiers[i] ?? 0, FIXED_BYTES + 1 + 4 * i)
  }
  if (inline) writeMessage(message, record, head)
  return record
}

export function decodeEntry(record: Buffer): EntryRecord {
  if (record.length < FIXED_BYTES || record[0] !== VERSION) {
    throw new SluiceError('STORE_RECORD_DAMAGED', `a queue entry cannot be read (version ${record[0]})`)
  }
  const flags = record[1] ?? 0
  const mark = record.readUInt32BE(2)
  let at = FIXED_BYTES
  let identifiers = NONE
  if ((flags & IDENTIFIERS) !== 0) {
    const count = record[at] ?? 0
    at += 1 + 4 * count
    if (at > record.length) throw new SluiceError('STORE_RECORD_DAMAGED', 'a queue entry cannot be read (cut off)')
    const read: number[] = []
    for (let i = 0; i < count; i++) read.push(record.readUInt32BE(FIXED_BYTES + 1 + 4 * i))
    identifiers = read
  }
  const settled = (flags & SETTLED) !== 0
  const message = settled || (flags & REFERENCE) !== 0 ? undefined : decodeMessage(record, at)
  return { mark, identifiers, settled, message }
}
