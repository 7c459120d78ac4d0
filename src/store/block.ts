import { SluiceError } from '../base/errors.ts'
import { SETTLED_BYTES } from './fifo-entry.ts'
import { readU48, writeU48 } from './keys.ts'

/**
 * What is known of a block without its entries: version, flags, span u16, live count u16, live bytes u48, bytes of its
 * data u32, settled count u16; then for each settled entry offset u16 and mark u32; then a bit for each number of the
 * span, set where its entry is live; then the data of a lone small entry.
 */
const VERSION = 1
const REFERENCES = 0x01
const INSIDE = 0x02
const FIXED_BYTES = 18
const SETTLED_RECORD_BYTES = 6

/** Numbers of entries that one block covers at most. */
export const BLOCK_SPAN_MAX = 256

/**
 * Entries of one FIFO that were written together, with numbers in a row. Their data is one record that never changes;
 * what becomes of them is kept here, and stored as a small record of its own with the next commit.
 */
export class Block {
  readonly firstSeq: number
  /** Numbers from the first entry to the last. */
  readonly span: number
  /** A bit for each number of the span: neither acknowledged nor dropped. */
  readonly live: Uint8Array
  liveCount = 0
  /** What the live entries count against the limits. */
  liveBytes = 0
  /** By offset from `firstSeq` the mark of what was settled, which is all that is left of it. */
  settled: Map<number, number> | undefined
  /** Size of the data; 0: there is none, because everything live is settled. */
  dataBytes = 0
  hasReferences = false
  /** Data that stands in the same record. */
  inside: Buffer | undefined

  /** Below: not stored. Entries of this block that are in memory. */
  residents = 0
  /** Commit that makes the last change durable. */
  epoch = 0
  /** Is to be written when that commit is formed. */
  touched = false
  /** Without an entry in memory, until its last change is durable. */
  isIdle = false
  /** Size of the data as it was read or written, while entries in memory are views into it. */
  viewBytes = 0

  constructor(firstSeq: number, span: number, live = new Uint8Array((span + 7) >>> 3)) {
    this.firstSeq = firstSeq
    this.span = span
    this.live = live
  }

  get lastSeq(): number {
    return this.firstSeq + this.span - 1
  }

  isLive(seq: number): boolean {
    const offset = seq - this.firstSeq
    return ((this.live[offset >>> 3] ?? 0) & (1 << (offset & 7))) !== 0
  }

  add(seq: number, bytes: number): void {
    const offset = seq - this.firstSeq
    this.live[offset >>> 3] = (this.live[offset >>> 3] ?? 0) | (1 << (offset & 7))
    this.liveCount++
    this.liveBytes += bytes
  }

  /** The entry is gone. */
  kill(seq: number, bytes: number): void {
    const offset = seq - this.firstSeq
    this.live[offset >>> 3] = (this.live[offset >>> 3] ?? 0) & ~(1 << (offset & 7))
    this.liveCount--
    this.liveBytes -= bytes
    this.settled?.delete(offset)
  }

  /** Only the mark of the entry, which has counted `bytes` so far, is needed from now on. */
  settle(seq: number, mark: number, bytes: number): void {
    this.settled ??= new Map()
    this.settled.set(seq - this.firstSeq, mark)
    this.liveBytes += SETTLED_BYTES - bytes
  }

  /** No live entry has any data. */
  get isBare(): boolean {
    return this.settled !== undefined && this.settled.size === this.liveCount
  }

  encode(): Buffer {
    const { live, settled, inside } = this
    const settledCount = settled?.size ?? 0
    const liveAt = FIXED_BYTES + SETTLED_RECORD_BYTES * settledCount
    const record = Buffer.allocUnsafe(liveAt + live.length + (inside?.length ?? 0))
    record[0] = VERSION
    record[1] = (this.hasReferences ? REFERENCES : 0) | (inside === undefined ? 0 : INSIDE)
    record.writeUInt16BE(this.span, 2)
    record.writeUInt16BE(this.liveCount, 4)
    writeU48(record, this.liveBytes, 6)
    record.writeUInt32BE(this.dataBytes, 12)
    record.writeUInt16BE(settledCount, 16)
    let at = FIXED_BYTES
    for (const [offset, mark] of settled ?? []) {
      record.writeUInt16BE(offset, at)
      record.writeUInt32BE(mark, at + 2)
      at += SETTLED_RECORD_BYTES
    }
    record.set(live, liveAt)
    if (inside !== undefined) record.set(inside, liveAt + live.length)
    return record
  }

  /** Throws a SluiceError for what is none. */
  static decode(firstSeq: number, record: Buffer): Block {
    if (record.length < FIXED_BYTES || record[0] !== VERSION) throw damaged(`version ${record[0]}`)
    const flags = record[1] ?? 0
    const span = record.readUInt16BE(2)
    if (span === 0 || span > BLOCK_SPAN_MAX) throw damaged(`${span} numbers`)
    const settledCount = record.readUInt16BE(16)
    const liveAt = FIXED_BYTES + SETTLED_RECORD_BYTES * settledCount
    const end = liveAt + ((span + 7) >>> 3)
    if (end > record.length) throw damaged('cut off')
    // A copy, because the record is a view, and this one changes.
    const block = new Block(firstSeq, span, new Uint8Array(record.subarray(liveAt, end)))
    block.liveCount = record.readUInt16BE(4)
    block.liveBytes = readU48(record, 6)
    block.dataBytes = record.readUInt32BE(12)
    block.hasReferences = (flags & REFERENCES) !== 0
    if ((flags & INSIDE) !== 0) block.inside = record.subarray(end)
    for (let i = 0; i < settledCount; i++) {
      const at = FIXED_BYTES + SETTLED_RECORD_BYTES * i
      block.settled ??= new Map()
      block.settled.set(record.readUInt16BE(at), record.readUInt32BE(at + 2))
    }
    block.ensureCounts()
    return block
  }

  /** Numbers of the live entries, ascending. */
  liveSeqs(): number[] {
    const seqs: number[] = []
    for (let seq = this.firstSeq; seq <= this.lastSeq; seq++) if (this.isLive(seq)) seqs.push(seq)
    return seqs
  }

  private ensureCounts(): void {
    let count = 0
    for (const bits of this.live) for (let rest = bits; rest !== 0; rest &= rest - 1) count++
    if (count !== this.liveCount || count === 0) throw damaged('its counts differ')
    const bitsInLast = this.span & 7
    const last = this.live.at(-1) ?? 0
    if (bitsInLast !== 0 && last >>> bitsInLast !== 0) throw damaged('it holds more than it spans')
    for (const offset of this.settled?.keys() ?? []) {
      if (offset >= this.span || !this.isLive(this.firstSeq + offset)) throw damaged('it settles what it does not hold')
    }
  }
}

function damaged(what: string): SluiceError {
  return new SluiceError('STORE_RECORD_DAMAGED', `a block of queue entries cannot be read (${what})`)
}
