import { SluiceError } from '../base/errors.ts'
import type { ChangeSink } from './batch.ts'
import { headKey, NUMBER_MAX, readU48, writeU48 } from './keys.ts'

/** The stored head of a FIFO. It exists from the first entry that is written until the last has been deleted. */
export interface HeadRecord {
  /** No live entry is below: a scan begins here and not in front of all that was deleted. */
  readonly headSeq: number
  /** Sequence numbers below may have been used. */
  readonly reservedSeq: number
  /** Entries below may have been handed out before. */
  readonly sentBelow: number
  /** The FIFO was destroyed, and its entries are being deleted. */
  readonly doomed: boolean
}

const VERSION = 1
const DOOMED = 0x01
const RECORD_BYTES = 20
// After a crash this many numbers at most are skipped.
const RESERVE = 1024
// And this many deleted keys are walked.
const HINT_AFTER_DELETES = 64
/** What may have been sent is only known after a clean close. */
export const SENT_UNKNOWN = NUMBER_MAX - 1

export function encodeHead(head: HeadRecord): Buffer {
  const record = Buffer.allocUnsafe(RECORD_BYTES)
  record[0] = VERSION
  record[1] = head.doomed ? DOOMED : 0
  writeU48(record, head.headSeq, 2)
  writeU48(record, head.reservedSeq, 8)
  writeU48(record, head.sentBelow, 14)
  return record
}

export function decodeHead(record: Buffer): HeadRecord {
  if (record.length !== RECORD_BYTES || record[0] !== VERSION) {
    throw new SluiceError('STORE_RECORD_DAMAGED', `the head of a queue cannot be read (version ${record[0]})`)
  }
  return {
    headSeq: readU48(record, 2),
    reservedSeq: readU48(record, 8),
    sentBelow: readU48(record, 14),
    doomed: ((record[1] ?? 0) & DOOMED) !== 0,
  }
}

/** The FIFO, asked only when the head is written. */
export interface LowestSeq {
  /** Number of the oldest entry, or of the next one to come. */
  lowestSeq(): number
}

/** Decides when the head is worth writing: with other changes, never for its own sake. */
export class FifoHead {
  /** Whether a head is on disk, or on its way there. */
  exists: boolean
  private readonly fifoId: number
  private reservedSeq: number
  private sentBelow: number
  private deletes = 0
  // Destroyed: what is said of it must not be overwritten.
  private ended = false

  constructor(fifoId: number, stored: HeadRecord | undefined) {
    this.fifoId = fifoId
    this.exists = stored !== undefined
    this.reservedSeq = stored?.reservedSeq ?? 0
    this.sentBelow = stored?.sentBelow ?? SENT_UNKNOWN
  }

  /** An entry is about to be written: its number must be covered first, so that it is never given again. */
  reserve(seq: number, queue: LowestSeq, batch: ChangeSink): void {
    if (seq < this.reservedSeq) return
    this.reservedSeq = seq + RESERVE
    this.put(queue.lowestSeq(), batch)
  }

  /** A block was deleted. */
  deleted(queue: LowestSeq, changes: ChangeSink): void {
    if (++this.deletes >= HINT_AFTER_DELETES && !this.ended) this.put(queue.lowestSeq(), changes)
  }

  /** An entry is handed out: what the last clean close has noted is no longer true. */
  handedOut(queue: LowestSeq, changes: ChangeSink): void {
    if (this.sentBelow === SENT_UNKNOWN) return
    this.sentBelow = SENT_UNKNOWN
    if (this.exists) this.put(queue.lowestSeq(), changes)
  }

  doom(lowestSeq: number, changes: ChangeSink): void {
    this.ended = true
    this.put(lowestSeq, changes, true)
  }

  /** A clean close: everything is known exactly. */
  settle(lowestSeq: number, nextSeq: number, sentBelow: number, changes: ChangeSink): void {
    this.reservedSeq = nextSeq
    this.sentBelow = sentBelow
    this.put(lowestSeq, changes)
  }

  remove(changes: ChangeSink): void {
    this.ended = true
    this.exists = false
    changes.del(headKey(this.fifoId))
  }

  private put(headSeq: number, changes: ChangeSink, doomed = false): void {
    this.exists = true
    this.deletes = 0
    const { reservedSeq, sentBelow } = this
    changes.put(headKey(this.fifoId), encodeHead({ headSeq, reservedSeq, sentBelow, doomed }))
  }
}
