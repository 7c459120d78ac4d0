import { BLOCK_BYTES, FIRST, FULL, HEADER_BYTES, headerAt, isSoundTo, LAST } from './log-record.ts'
import type { Change } from './salvage-table.ts'
import { Varints } from './varints.ts'

export interface LostChange extends Change {
  /** Whether an older change to the same key counts now; undefined: not looked for. */
  readonly hasOlder?: boolean
}

/** What could not be read of a log. */
export interface LogLoss {
  readonly offset: number
  readonly why: string
  /** Changes that are lost; undefined: not known. */
  readonly count: number | undefined
  /** What they seem to have been: as far as the bytes with the wrong checksum can be believed. */
  readonly changes: readonly LostChange[]
}

// In front of a batch: the number of its first change u64, how many they are u32.
const BATCH_HEADER_BYTES = 12
const DELETION = 0
const PUT = 1

/** A physical record: a batch is one, or several in a row. `type` 0: what stands there cannot be told. */
interface Piece {
  readonly type: number
  readonly start: number
  readonly end: number
  readonly isSound: boolean
}

/**
 * Hands out the changes of a LevelDB log (leveldb, doc/log_format.md) that stand in records with a right checksum, those
 * behind damaged ones too, and answers what is lost. A record that the end of the file cuts off is no loss: the process
 * ended while it was written, and nothing of it was acknowledged.
 */
export function salvageLog(bytes: Buffer, each: (change: Change) => void): LogLoss[] {
  const reader = new LogReader(bytes, each)
  for (const piece of pieces(bytes)) reader.take(piece)
  return reader.end()
}

function* pieces(bytes: Buffer): Generator<Piece> {
  // Space that a file system gave, and nobody wrote to.
  let written = bytes.length
  while (written > 0 && bytes[written - 1] === 0) written--
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
    const blockEnd = Math.min(block + BLOCK_BYTES, bytes.length)
    for (let at = block; at + HEADER_BYTES <= blockEnd && at < written; ) {
      const { type, end } = headerAt(bytes, at)
      const isPlausible = type >= FULL && type <= LAST && end <= blockEnd
      if (isPlausible && isSoundTo(bytes, at, end)) {
        yield { type, start: at, end, isSound: true }
        at = end
      } else if (isPlausible && leadsOn(bytes, end, blockEnd)) {
        yield { type, start: at, end, isSound: false }
        at = end
      } else {
        const next = nextSound(bytes, at + 1, blockEnd)
        if (next === undefined && blockEnd === bytes.length && end > blockEnd) return
        yield { type: 0, start: at, end: next ?? blockEnd, isSound: false }
        at = next ?? blockEnd
      }
    }
  }
}

/** Whether the length of the record in front can be believed, because headers follow up to a sound one or the end. */
function leadsOn(bytes: Buffer, start: number, blockEnd: number): boolean {
  let at = start
  while (at + HEADER_BYTES <= blockEnd) {
    const { type, end } = headerAt(bytes, at)
    if (type < FULL || type > LAST || end > blockEnd) return false
    if (isSoundTo(bytes, at, end)) return true
    at = end
  }
  return true
}

function nextSound(bytes: Buffer, from: number, blockEnd: number): number | undefined {
  for (let at = from; at + HEADER_BYTES <= blockEnd; at++) {
    const { type, end } = headerAt(bytes, at)
    if (type >= FULL && type <= LAST && end <= blockEnd && isSoundTo(bytes, at, end)) return at
  }
  return undefined
}

/** Damage since the last batch that could be read. */
interface Pending {
  readonly offset: number
  readonly why: string
  readonly changes: Change[]
  /** Changes in it that were saved, and those that are known to be lost. */
  saved: number
  lost: number
  /** Whether there may be others. */
  isOpen: boolean
}

class LogReader {
  private readonly bytes: Buffer
  private readonly each: (change: Change) => void
  private readonly losses: LogLoss[] = []
  /** Of a batch whose last piece has not come. */
  private parts: Piece[] = []
  /** Number of the next change, as far as the last batch with a right checksum says; undefined: there was none. */
  private base: number | undefined
  /** The same with the damaged batches behind it; undefined: not known. */
  private next: number | undefined
  private pending: Pending | undefined
  /** A damaged batch of which only the next one can tell whether its numbers are right. */
  private unnumbered: { batch: ParsedBatch; damage: readonly Range[]; wasOpen: boolean } | undefined

  constructor(bytes: Buffer, each: (change: Change) => void) {
    this.bytes = bytes
    this.each = each
  }

  take(piece: Piece): void {
    const { type, start } = piece
    if (type === 0) {
      this.breakOff()
      this.lose(start, 'cannot be read').isOpen = true
      this.next = undefined
    } else if (type === FULL || type === FIRST) {
      this.breakOff()
      this.parts = [piece]
      if (type === FULL) this.read(true)
    } else if (this.parts.length > 0) {
      this.parts.push(piece)
      if (type === LAST) this.read(true)
    } else {
      this.lose(start, 'is a part of a batch whose first one is lost').isOpen = true
      this.next = undefined
    }
  }

  end(): LogLoss[] {
    if (this.parts.some(({ isSound }) => !isSound)) this.breakOff()
    this.settle(undefined)
    return this.losses
  }

  private breakOff(): void {
    const first = this.parts[0]
    if (first === undefined) return
    this.lose(first.start, 'has no end')
    this.read(false)
  }

  private lose(offset: number, why: string): Pending {
    this.pending ??= { offset, why, changes: [], saved: 0, lost: 0, isOpen: false }
    return this.pending
  }

  private read(isComplete: boolean): void {
    const { parts } = this
    this.parts = []
    const data = Buffer.concat(parts.map(({ start, end }) => this.bytes.subarray(start + HEADER_BYTES, end)))
    const damage = damagedRanges(parts)
    const batch = parseBatch(data)
    if (isComplete && damage.length === 0 && batch.isWhole) {
      this.saveUnnumbered(batch.sequence)
      this.settle(batch.sequence)
      for (const change of batch.changes) this.each(change)
      this.base = batch.sequence + batch.count
      this.next = this.base
      return
    }
    const offset = (parts.find(({ isSound }) => !isSound) ?? parts[0])?.start ?? 0
    const pending = this.lose(offset, damage.length > 0 ? 'has a wrong checksum' : 'is no batch of changes')
    // Batches are numbered on: what fits can be believed, whatever the checksum says.
    if (parts[0]?.isSound === true || batch.sequence === this.next) this.saveFrom(batch, damage, isComplete, pending)
    else {
      if (isComplete && batch.isWhole) this.unnumbered = { batch, damage, wasOpen: pending.isOpen }
      pending.lost += batch.changes.length
      pending.isOpen = true
      this.next = undefined
    }
  }

  /** A damaged batch whose numbers lead up to those of the next one. */
  private saveUnnumbered(next: number): void {
    const { pending, unnumbered } = this
    this.unnumbered = undefined
    if (pending === undefined || unnumbered === undefined) return
    const { batch, damage, wasOpen } = unnumbered
    if (batch.sequence + batch.count !== next) return
    pending.lost -= batch.count
    pending.isOpen = wasOpen
    this.saveFrom(batch, damage, true, pending)
  }

  /** What lies outside the damage is saved as far as it is clear where it begins. */
  private saveFrom(batch: ParsedBatch, damage: readonly Range[], isComplete: boolean, pending: Pending): void {
    const { sequence, count, changes, places } = batch
    const isFramed = isComplete && batch.isWhole
    const damageStart = damage[0]?.start ?? Number.POSITIVE_INFINITY
    for (const [i, change] of changes.entries()) {
      const { start, end } = places[i] as Range
      const isIntact = isFramed ? !damage.some((range) => range.start < end && range.end > start) : end <= damageStart
      if (isIntact) {
        this.each(change)
        pending.saved++
      } else {
        pending.lost++
        if (batch.isWhole) pending.changes.push(change)
      }
    }
    if (!isFramed) pending.isOpen = true
    this.next = isFramed ? sequence + count : undefined
  }

  /** A batch that can be read begins with the change `sequence`; undefined: none follows. */
  private settle(sequence: number | undefined): void {
    const { pending, base } = this
    if (pending === undefined) return
    this.pending = undefined
    const { offset, why, changes, saved, lost, isOpen } = pending
    const isCounted = sequence !== undefined && base !== undefined && sequence >= base + saved
    const count = isCounted ? sequence - base - saved : isOpen ? undefined : lost
    this.losses.push({ offset, why, count, changes })
  }
}

interface Range {
  readonly start: number
  readonly end: number
}

interface ParsedBatch {
  readonly sequence: number
  readonly count: number
  readonly changes: Change[]
  /** Of each change, in the data. */
  readonly places: Range[]
  /** Whether all could be read, and nothing is behind. */
  readonly isWhole: boolean
}

function parseBatch(data: Buffer): ParsedBatch {
  const changes: Change[] = []
  const places: Range[] = []
  if (data.length < BATCH_HEADER_BYTES) return { sequence: 0, count: 0, changes, places, isWhole: false }
  const sequence = data.readUIntLE(0, 6) + data.readUInt16LE(6) * 2 ** 48
  const count = data.readUInt32LE(8)
  const read = new Varints(data, BATCH_HEADER_BYTES)
  const bytes = (): Buffer => {
    const length = read.next()
    const start = read.at
    read.at += length
    if (read.at > data.length) throw new RangeError('a change is cut off')
    return data.subarray(start, read.at)
  }
  try {
    while (read.at < data.length && changes.length < count) {
      const start = read.at
      const kind = data[read.at++]
      if (kind !== DELETION && kind !== PUT) break
      const key = bytes()
      const value = kind === PUT ? bytes() : undefined
      changes.push({ key, value, sequence: sequence + changes.length })
      places.push({ start, end: read.at })
    }
  } catch {
    // Cut off, or a length is damaged.
  }
  const end = places.at(-1)?.end ?? BATCH_HEADER_BYTES
  return { sequence, count, changes, places, isWhole: changes.length === count && end === data.length }
}

/** In the data of a batch. */
function damagedRanges(parts: readonly Piece[]): Range[] {
  const found: Range[] = []
  let at = 0
  for (const { start, end, isSound } of parts) {
    const next = at + end - start - HEADER_BYTES
    if (!isSound) found.push({ start: at, end: next })
    at = next
  }
  return found
}
