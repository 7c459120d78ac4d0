import { SluiceError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import { Block, BLOCK_SPAN_MAX } from './block.ts'
import { decodeEntry, type EntryRecord, entryRecordBytes, writeEntry } from './entry-record.ts'
import { type FifoEntry, SETTLED_BYTES } from './fifo-entry.ts'
import { readU48, writeU48 } from './keys.ts'
import { RecentText } from './message-record.ts'

/**
 * The entries of a block: version u8, then for each entry offset u16 from the block's first number, length u32 of its
 * record, size u32 (what it counts against the limits), body u48 (0: the message is in the record), record.
 */
const VERSION = 1
/** In front of the first entry. */
export const DATA_HEADER_BYTES = 1
const ENTRY_HEADER_BYTES = 16

/** A live entry as it was read. */
export interface StoredEntry {
  readonly seq: number
  /** What it counts against the limits; 0: not known, because it cannot be read. */
  readonly bytes: number
  readonly bodyId: number
  readonly block: Block
  /** Undefined: it cannot be read. */
  record: EntryRecord | undefined
  /** Undefined: it cannot be read, or is settled, or its body has not been looked for yet. */
  message: Message | undefined
}

const NONE: readonly number[] = []

/** Told of what cannot be read; the rest is read all the same. */
export type Failed = (error: unknown) => void

/** Bytes that `encodeData` needs for the entry. */
export function entryDataBytes(entry: FifoEntry): number {
  return ENTRY_HEADER_BYTES + entryRecordBytes(entry.message, entry.identifiers, entry.bodyId !== 0)
}

/**
 * The entries from `from` to `to` that have something to store; `bytes` in all. `block`: whose entries they are, told
 * when messages in memory are views into the data from now on.
 */
export function encodeData(
  entries: readonly FifoEntry[],
  from: number,
  to: number,
  bytes: number,
  block?: Block,
): Buffer {
  const data = Buffer.allocUnsafeSlow(bytes)
  data[0] = VERSION
  let at = DATA_HEADER_BYTES
  let firstSeq = 0
  for (let i = from; i < to; i++) {
    const entry = entries[i] as FifoEntry
    if (entry.gone) continue
    if (firstSeq === 0) firstSeq = entry.seq
    if (entry.settled) continue
    const end = writeEntry(
      entry.message,
      entry.mark,
      entry.identifiers,
      entry.bodyId !== 0,
      data,
      at + ENTRY_HEADER_BYTES,
    )
    data.writeUInt16BE(entry.seq - firstSeq, at)
    data.writeUInt32BE(end - at - ENTRY_HEADER_BYTES, at + 2)
    data.writeUInt32BE(entry.bytes, at + 6)
    writeU48(data, entry.bodyId, at + 10)
    if (entry.bodyId === 0 && entry.message.keepIn(data, end) && block !== undefined) block.viewBytes = bytes
    at = end
  }
  return data
}

/** The bodies to which live entries refer. Throws a SluiceError when one of these entries cannot be found. */
export function referencesOf(block: Block, data: Buffer): number[] {
  const bodyIds: number[] = []
  let left = block.liveCount - (block.settled?.size ?? 0)
  try {
    walk(data, (offset, at) => {
      if (offset >= block.span || !block.isLive(block.firstSeq + offset) || block.settled?.has(offset)) return
      left--
      const bodyId = readU48(data, at - 6)
      if (bodyId !== 0) bodyIds.push(bodyId)
    })
  } catch (error) {
    // What is damaged behind them is of no concern.
    if (left > 0) throw error
  }
  return bodyIds
}

/** The live entries of a block from `fromSeq` on, in their order; `data` undefined: it is missing. */
export function decodeData(block: Block, data: Buffer | undefined, fromSeq: number, failed: Failed): StoredEntry[] {
  const { firstSeq, span, settled } = block
  const starts = new Uint32Array(span)
  const ends = new Uint32Array(span)
  let cause: unknown
  try {
    if (data !== undefined)
      walk(data, (offset, at, end) => {
        if (offset >= span) return
        starts[offset] = at
        ends[offset] = end
      })
  } catch (error) {
    cause = error
  }
  const texts: [RecentText, RecentText] = [new RecentText(), new RecentText()]
  const entries: StoredEntry[] = []
  for (let offset = Math.max(fromSeq - firstSeq, 0); offset < span; offset++) {
    const seq = firstSeq + offset
    if (!block.isLive(seq)) continue
    const mark = settled?.get(offset)
    const at = starts[offset] as number
    if (mark !== undefined) {
      const record = { mark, identifiers: NONE, settled: true, message: undefined }
      entries.push({ seq, bytes: SETTLED_BYTES, bodyId: 0, block, record, message: undefined })
    } else if (data === undefined || at === 0) {
      failed(cause ?? damaged(`entry ${seq} is missing`))
      entries.push({ seq, bytes: 0, bodyId: 0, block, record: undefined, message: undefined })
    } else {
      const bodyId = readU48(data, at - 6)
      const bytes = data.readUInt32BE(at - 10)
      const record = readEntry(data, at, ends[offset] as number, texts, failed)
      entries.push({ seq, bytes, bodyId, block, record, message: record?.message })
    }
  }
  return entries
}

function readEntry(
  data: Buffer,
  at: number,
  end: number,
  [topics, publishers]: [RecentText, RecentText],
  failed: Failed,
): EntryRecord | undefined {
  try {
    return decodeEntry(data, at, end, topics, publishers)
  } catch (error) {
    failed(error)
    return undefined
  }
}

/** Finds the record of each entry, in the order of their numbers. */
function walk(data: Buffer, found: (offset: number, at: number, end: number) => void): void {
  if (data[0] !== VERSION) throw damaged(`version ${data[0]}`)
  let before = -1
  for (let next = DATA_HEADER_BYTES; next < data.length; ) {
    const at = next + ENTRY_HEADER_BYTES
    if (at > data.length) throw damaged('cut off')
    const end = at + data.readUInt32BE(next + 2)
    if (end > data.length) throw damaged('cut off')
    const offset = data.readUInt16BE(next)
    // One that comes twice would be counted twice.
    if (offset <= before) throw damaged('out of order')
    found(offset, at, end)
    before = offset
    next = end
  }
}

function damaged(what: string): SluiceError {
  return new SluiceError('STORE_RECORD_DAMAGED', `queue entries cannot be read (${what})`)
}

/**
 * The block that such data was written with, as if nothing of it from `fromSeq` on were acknowledged, but without the
 * entries whose body is not there; undefined: it cannot be read, or nothing is left.
 */
export function blockOfData(
  firstSeq: number,
  data: Buffer,
  bodies: ReadonlySet<number>,
  fromSeq = 0,
): Block | undefined {
  const found: [seq: number, bytes: number, bodyId: number][] = []
  try {
    walk(data, (offset, at) => found.push([firstSeq + offset, data.readUInt32BE(at - 10), readU48(data, at - 6)]))
  } catch {
    return undefined
  }
  const lastSeq = found.at(-1)?.[0]
  if (lastSeq === undefined || lastSeq - firstSeq >= BLOCK_SPAN_MAX) return undefined
  const block = new Block(firstSeq, lastSeq - firstSeq + 1)
  for (const [seq, bytes, bodyId] of found) {
    if (seq >= fromSeq && (bodyId === 0 || bodies.has(bodyId))) block.add(seq, bytes)
  }
  if (block.liveCount === 0) return undefined
  block.dataBytes = data.length
  block.hasReferences = found.some(([, , bodyId]) => bodyId !== 0)
  return block
}
