import { EntryList } from './entry-list.ts'
import type { FifoEntry } from './fifo-entry.ts'
import type { StoredEntry } from './block-data.ts'
import { loadEntries } from './fifo-load.ts'
import type { RecoveredFifo } from './fifo-recovery.ts'
import type { FifoStorage, PinHost } from './fifo-storage.ts'
import type { Waiter } from './group-commit.ts'
import type { Store } from './store.ts'

/** What the pages need of their FIFO. */
export interface PageHost extends PinHost {
  readonly fifoId: number
  readonly ready: EntryList
  /** So many entries were expected on disk but could not be used. */
  missed(count: number, bytes: number): void
  loaded(): void
}

// Less is read too often, more lives long enough to be expensive garbage.
const LOAD_ENTRIES = 1024
const LOAD_BYTES_MIN = 64 * 1024
// A millisecond of reading, at any rate at which messages leave.
const LOW_WATER_BYTES_MAX = 96 * 1024
const LOW_WATER_ENTRIES = 192
const LOAD_RETRY_MS = 1_000

/**
 * What a FIFO does not keep in its window of ready entries. In the order of numbers: the window, then the gap (on disk
 * only), then the tail (in memory until its commit has returned, then part of the gap).
 */
export class FifoPages implements Waiter {
  gapCount = 0
  gapBytes = 0
  gapFrom = 0
  gapTo = 0
  readonly tail = new EntryList()
  loading = false
  private readonly store: Store
  private readonly host: PageHost
  private readonly storage: FifoStorage
  private waiting = false
  private closed = false

  constructor(store: Store, host: PageHost, storage: FifoStorage, recovered: RecoveredFifo | undefined) {
    this.store = store
    this.host = host
    this.storage = storage
    if (recovered === undefined || recovered.count === 0) return
    this.gapCount = recovered.count
    this.gapBytes = recovered.bytes
    this.gapFrom = recovered.firstSeq
    this.gapTo = recovered.lastSeq
  }

  /** True while new entries belong behind what is not in the window. */
  get active(): boolean {
    return this.gapCount > 0 || this.tail.length > 0
  }

  hold(entry: FifoEntry): void {
    this.tail.append(entry)
    this.wait()
  }

  /** Refills the window before it is empty, not long before: what waits there long becomes expensive garbage. */
  lookAhead(): void {
    if (!this.active) return
    const { ready, windowBytes } = this.host
    if (ready.length < LOW_WATER_ENTRIES && ready.bytes < Math.min(windowBytes >>> 1, LOW_WATER_BYTES_MAX))
      this.refill()
  }

  /** Continues the window from memory at once, or from disk soon. */
  refill(): void {
    if (this.loading || this.closed) return
    if (this.gapCount > 0) void this.load()
    else this.host.ready.takeAll(this.tail)
  }

  /** Sends entries at the end of the window back to disk until it fits its budget. */
  trim(): void {
    this.cut(this.host.windowBytes, false)
  }

  /** The same with another budget, now: entries that are not on disk yet stand back for those in front of them. */
  pageOut(keepBytes: number): void {
    this.cut(keepBytes, true)
  }

  committed(epoch: number): void {
    this.waiting = false
    if (this.closed) return
    const { ready, windowBytes } = this.host
    if (this.gapCount === 0 && ready.bytes + this.tail.bytes <= windowBytes) ready.takeAll(this.tail)
    for (let entry = this.tail.first; entry !== undefined && entry.epoch <= epoch; entry = this.tail.first) {
      this.tail.remove(entry)
      if (this.gapCount === 0) this.gapFrom = entry.seq
      this.gapTo = entry.seq
      this.count(entry)
    }
    this.trim()
    if (this.tail.length > 0) this.wait()
  }

  /** From now on nothing is loaded, and what is under way is thrown away. */
  close(): void {
    this.closed = true
  }

  private cut(keepBytes: number, urgent: boolean): void {
    if (this.loading || this.closed) return
    const { ready } = this.host
    // A message larger than the window stays when it is next, or it would come and go for ever.
    const keep = keepBytes > 0 ? 1 : 0
    while (ready.bytes > keepBytes && ready.length > keep && ready.last?.redelivered === false) {
      const entry = ready.last
      const isOnDisk = entry.epoch <= this.store.commit.committedEpoch
      if (!isOnDisk && !urgent) return this.wait()
      ready.remove(entry)
      if (isOnDisk) {
        this.gapFrom = entry.seq
        this.count(entry)
      } else {
        // The gap is empty: what is in front of it is older than what is in it, and on disk.
        this.tail.insertAfter(entry, undefined)
        this.wait()
      }
    }
  }

  private wait(): void {
    if (this.waiting) return
    this.waiting = true
    this.store.commit.wait(this)
  }

  private count(entry: FifoEntry): void {
    if (this.gapCount === 0) this.gapTo = entry.seq
    this.gapCount++
    this.gapBytes += entry.bytes
    // When it is loaded again, that is another object.
    entry.gone = true
    this.store.queueMemory.give(entry.message)
    this.storage.forget(entry)
  }

  private async load(): Promise<void> {
    this.loading = true
    const { gapFrom, gapTo } = this
    const bytesMax = Math.max(this.host.windowBytes >>> 1, this.store.queueMemory.short ? 1 : LOAD_BYTES_MIN)
    let rows: StoredEntry[]
    this.storage.blocks.freeze()
    try {
      rows = await loadEntries(this.store, this.host.fifoId, gapFrom, gapTo, LOAD_ENTRIES, bytesMax)
    } catch (error) {
      this.store.log.error({ fifoId: this.host.fifoId, err: error }, 'queued messages cannot be read: trying again')
      this.store.clock.after(LOAD_RETRY_MS, () => {
        this.loading = false
        this.refill()
      })
      return
    }
    this.loading = false
    if (this.closed) return
    this.take(rows, gapTo)
    this.storage.blocks.thaw()
    this.storage.unpin(this.host)
    if (this.host.ready.first === undefined && this.gapCount > 0) void this.load()
    else this.host.loaded()
  }

  private take(rows: readonly StoredEntry[], askedTo: number): void {
    const { ready } = this.host
    const { queueMemory } = this.store
    for (const row of rows) {
      this.gapFrom = row.seq + 1
      const block = this.storage.blocks.adopt(row.block)
      // Acknowledged, which the disk did not know yet.
      if (!block.isLive(row.seq)) continue
      const entry = this.storage.admit(row, block)
      const bytes = entry?.bytes ?? row.bytes
      this.gapCount--
      this.gapBytes -= bytes
      if (entry === undefined) this.host.missed(1, bytes)
      else {
        ready.append(entry)
        queueMemory.take(entry.message)
      }
    }
    if (rows.length === 0) this.gapFrom = askedTo + 1
    if (rows.length === 0 && this.gapTo === askedTo && this.gapCount > 0) {
      this.store.log.error(
        { fifoId: this.host.fifoId, missing: this.gapCount },
        'queued messages are missing from the store',
      )
      this.host.missed(this.gapCount, 0)
      this.gapCount = 0
    }
    if (this.gapCount > 0) return
    // What could not be read had a size that nobody knows.
    this.host.missed(0, this.gapBytes)
    this.gapBytes = 0
    this.host.ready.takeAll(this.tail)
  }
}
