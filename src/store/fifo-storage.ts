import { EMPTY, Message } from '../message/message.ts'
import type { Batch } from './batch.ts'
import { encodeEntry } from './entry-record.ts'
import { type EntryOwner, FifoEntry } from './fifo-entry.ts'
import { FifoHead, type LowestSeq } from './fifo-head.ts'
import type { LoadedEntry } from './fifo-load.ts'
import type { RecoveredFifo } from './fifo-recovery.ts'
import { entryBodyId, entryBytes, entryKey, entrySeq } from './keys.ts'
import type { Store } from './store.ts'

/** What a settled entry has for a message. */
export const SETTLED_MESSAGE = new Message('', EMPTY, 0, false)

/** The way of one FIFO's entries to the disk and back: key, record, shared body, head. */
export class FifoStorage {
  readonly head: FifoHead
  /** Entries with a lower number may have been handed out before the start. */
  readonly sentBelow: number
  private readonly store: Store
  private readonly fifoId: number
  private readonly queue: EntryOwner & LowestSeq

  constructor(
    store: Store,
    fifoId: number,
    queue: EntryOwner & LowestSeq,
    recovered: RecoveredFifo | undefined,
    nextSeq: number,
  ) {
    this.store = store
    this.fifoId = fifoId
    this.queue = queue
    this.head = new FifoHead(fifoId, recovered?.head)
    this.sentBelow = recovered === undefined ? 0 : Math.min(recovered.head.sentBelow, nextSeq)
  }

  /** The entry's epoch is being formed. */
  write(entry: FifoEntry, batch: Batch): void {
    entry.written = true
    const { message, settled } = entry
    this.head.reserve(entry.seq, this.queue, batch)
    if (!settled && (message.references > 1 || message.bodyId !== 0)) {
      entry.bodyId = this.store.bodies.retain(message, batch)
    }
    batch.put(this.keyOf(entry), encodeEntry(message, entry.mark, entry.identifiers, settled, entry.bodyId !== 0))
  }

  /** A written entry was settled: under a new key, because the old one tells of body and size. */
  rewrite(entry: FifoEntry): void {
    const { commit } = this.store
    entry.epoch = commit.formingEpoch
    commit.put(this.keyOf(entry), encodeEntry(entry.message, entry.mark, entry.identifiers, true, false))
  }

  /** Deletes a written entry, and the body with its last reference. */
  erase(entry: FifoEntry): void {
    const { commit, bodies } = this.store
    commit.del(this.keyOf(entry))
    if (entry.bodyId !== 0) bodies.release(entry.bodyId, commit)
    this.head.deleted(this.queue, commit)
  }

  /** An entry was read from disk; undefined: it cannot be used. */
  admit(loaded: LoadedEntry): FifoEntry | undefined {
    const { key, record } = loaded
    if (record === undefined) return undefined
    const bodyId = entryBodyId(key)
    const found = loaded.message ?? SETTLED_MESSAGE
    const message = bodyId === 0 ? found : this.store.bodies.admit(bodyId, found)
    const entry = new FifoEntry(this.queue, entrySeq(key), message, record.mark, record.identifiers, entryBytes(key))
    entry.settled = record.settled
    entry.redelivered = entry.seq < this.sentBelow
    entry.bodyId = bodyId
    entry.written = true
    if (!record.settled) message.references++
    return entry
  }

  /** The entry's message leaves memory. */
  forget(entry: FifoEntry): void {
    if (entry.settled) return
    const { message } = entry
    if (--message.references === 0 && message.bodyId !== 0) this.store.bodies.evict(message)
  }

  private keyOf(entry: FifoEntry): Buffer {
    return entryKey(this.fifoId, entry.seq, entry.bodyId, entry.bytes)
  }
}
