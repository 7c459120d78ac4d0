import type { Message } from '../message/message.ts'
import { EntryList } from './entry-list.ts'
import { type EntryOwner, entrySize, FifoEntry, SETTLED_BYTES } from './fifo-entry.ts'
import type { LowestSeq } from './fifo-head.ts'
import type { FifoOptions } from './fifo-options.ts'
import { FifoPages, type PageHost } from './fifo-pages.ts'
import { FifoStorage, SETTLED_MESSAGE } from './fifo-storage.ts'
import { sweepEntries } from './fifo-sweep.ts'
import type { PagedQueue, QueueMemory } from './queue-memory.ts'
import type { Store } from './store.ts'

// Each message that waits for its commit may keep the whole chunk that it was read in.
const CHUNKS_PENDING_BYTES_MAX = 256 * 1024

const nothing = (): void => {}
const NONE: readonly number[] = []

/**
 * One first-in first-out queue of messages with acknowledgement: the offline queue of a session, the backlog of a
 * shared subscription, a named queue. Every entry is ready, or handed out by `next` until it is acknowledged or
 * released. Order is that of the entries' numbers, always. All calls are synchronous; what they change is durable
 * with `entry.epoch`.
 *
 * What the start has found under `fifoId` is taken over: `count` is right at once, entries come after `onReady`.
 */
export class Fifo implements EntryOwner, PageHost, LowestSeq, PagedQueue {
  readonly fifoId: number
  /** Entries became available to `next` that were not in memory before. */
  onReady: () => void = nothing
  messagesMax: number
  bytesMax: number
  /** Somebody takes its messages at present: it stays in memory longer than others (`store/queue-memory`). */
  attended = false
  /** For `store/queue-memory` alone. */
  used = false
  /** Entries and their bytes, ready and handed out, in memory and on disk. */
  count = 0
  bytes = 0

  /** For `store/fifo` alone. */
  readonly ready = new EntryList()
  readonly inFlight = new EntryList()
  /** Last of the entries at the front of `ready` that were handed out before. */
  private returned: FifoEntry | undefined
  private readonly store: Store
  private readonly memory: QueueMemory
  private readonly durable: boolean
  private readonly storage: FifoStorage
  private readonly pages: FifoPages
  private window: number
  private nextSeq: number
  private handedOutSeq = 0
  private destroyed = false
  private isListed = false

  constructor(store: Store, fifoId: number, options: FifoOptions) {
    this.store = store
    this.memory = store.queueMemory
    this.fifoId = fifoId
    this.durable = options.durable && store.durability !== 'memory'
    this.messagesMax = options.messagesMax
    this.bytesMax = options.bytesMax
    this.window = options.windowBytes
    const recovered = this.durable ? store.takeRecovered(fifoId) : undefined
    this.count = recovered?.count ?? 0
    this.bytes = recovered?.bytes ?? 0
    this.nextSeq = Math.max(recovered?.head.reservedSeq ?? 1, (recovered?.lastSeq ?? 0) + 1)
    this.storage = new FifoStorage(store, fifoId, this, recovered, this.nextSeq)
    this.pages = new FifoPages(store, this, this.storage, recovered)
  }

  /** Entries that were handed out and neither acknowledged nor released. */
  get unacknowledgedCount(): number {
    return this.inFlight.length
  }

  /** Entries that wait to be handed out, in memory and on disk. */
  get readyCount(): number {
    return this.count - this.inFlight.length
  }

  /** True while `next` may answer undefined although entries are ready; `onReady` follows. */
  get loading(): boolean {
    return this.pages.loading
  }

  get windowBytes(): number {
    const { memory, window } = this
    return memory.short && window > memory.shortWindowBytes ? memory.shortWindowBytes : window
  }

  /** A smaller window while nobody is connected: what is committed leaves memory. */
  set windowBytes(bytes: number) {
    this.window = bytes
    if (this.durable) this.pages.trim()
  }

  /**
   * Puts a message at the end; undefined: the queue is full. Sets `message.commitEpoch` where the message has to be
   * on disk first. `mark` is free for the owner, 32 bits; up to 255 identifiers are stored.
   */
  push(message: Message, mark: number, identifiers: readonly number[] = NONE): FifoEntry | undefined {
    return this.hasRoomFor(message) ? this.pushPastLimits(message, mark, identifiers) : undefined
  }

  /** The same whatever the limits say, for a message that the broker holds already or makes room for afterwards. */
  pushPastLimits(message: Message, mark: number, identifiers: readonly number[] = NONE): FifoEntry | undefined {
    if (this.destroyed) return undefined
    const size = entrySize(message)
    this.memory.take(message)
    // What is written soon gets its bytes then, and what is acknowledged before needs none.
    if (!this.durable || this.store.commit.pendingBytes > CHUNKS_PENDING_BYTES_MAX) message.own()
    const entry = new FifoEntry(this, this.nextSeq++, message, mark, identifiers, size)
    this.count++
    this.bytes += size
    if (!this.durable) {
      this.ready.append(entry)
      return entry
    }
    this.storage.write(entry)
    this.storage.unpin(this)
    this.touch()
    if (this.pages.active || this.ready.bytes + size > this.windowBytes) this.pages.hold(entry)
    else this.ready.append(entry)
    return entry
  }

  /** The ready entry with the lowest number, without taking it; undefined: none, or `loading`. */
  peek(): FifoEntry | undefined {
    if (this.ready.first === undefined && this.pages.active) this.pages.refill()
    return this.ready.first
  }

  /** Whether its own limits let the message in: when `push` refuses it all the same, memory is short. */
  fits(message: Message): boolean {
    return this.count < this.messagesMax && this.bytes + entrySize(message) <= this.bytesMax
  }

  /** Whether `push` would take the message now. */
  hasRoomFor(message: Message): boolean {
    if (!this.fits(message)) return false
    // What goes to disk does not stay in memory, as long as the disk takes it.
    const { commit } = this.store
    if (this.durable && commit.failure === undefined && commit.pendingBytes < commit.pendingBytesMax) return true
    return this.memory.hasRoomFor(message, entrySize(message))
  }

  /** It holds more than its limits allow: `dropOldest` until it does not, as soon as the oldest is in memory. */
  get isOverfull(): boolean {
    return this.count > this.messagesMax || this.bytes > this.bytesMax
  }

  /** Bytes of the entries that are handed out. */
  get unacknowledgedBytes(): number {
    return this.inFlight.bytes
  }

  /** Hands out the ready entry with the lowest number; undefined: none, or `loading`. */
  next(): FifoEntry | undefined {
    const entry = this.peek()
    if (entry === undefined) return undefined
    this.removeReady(entry)
    this.inFlight.append(entry)
    if (entry.seq > this.handedOutSeq) this.handedOutSeq = entry.seq
    if (this.durable) this.storage.head.handedOut(this, this.store.commit)
    this.used = true
    this.pages.lookAhead()
    return entry
  }

  /** The entry is done with, handed out or still ready: gone for good. */
  ack(entry: FifoEntry): void {
    if (entry.gone) return
    if (entry.list === this.ready) this.removeReady(entry)
    else entry.list?.remove(entry)
    this.count--
    this.bytes -= entry.bytes
    entry.gone = true
    this.memory.give(entry.message)
    if (!this.durable) return
    this.storage.erase(entry)
    this.pages.lookAhead()
  }

  /** An entry that was handed out is ready again, at its old place, and marked as redelivered unless told otherwise. */
  release(entry: FifoEntry, redelivered = true): void {
    if (entry.list !== this.inFlight) return
    this.inFlight.remove(entry)
    if (redelivered) entry.redelivered = true
    let previous = this.returned
    while (previous !== undefined && previous.seq > entry.seq) previous = previous.previous
    this.ready.insertAfter(entry, previous)
    if (previous === this.returned) this.returned = entry
  }

  /**
   * Everything that was handed out is ready again, in order: the consumer is gone, or has come back. Whatever `next`
   * hands out once the current epoch is durable counts as redelivered after a crash.
   */
  rewind(): void {
    if (this.durable) this.storage.head.handedOut(this, this.store.commit)
    const entries: FifoEntry[] = []
    for (let entry = this.inFlight.first; entry !== undefined; entry = this.inFlight.first) {
      this.inFlight.remove(entry)
      entry.redelivered = true
      entries.push(entry)
    }
    while (this.returned !== undefined) {
      const entry = this.returned
      this.removeReady(entry)
      entries.push(entry)
    }
    entries.sort((a, b) => a.seq - b.seq)
    for (const entry of entries) {
      this.ready.insertAfter(entry, this.returned)
      this.returned = entry
    }
  }

  /**
   * Only `mark` is needed from now on, as for a QoS 2 message after PUBREC (MQTT 5, section 4.3.3): the message is
   * dropped from memory and disk, the entry keeps its number and its place.
   */
  settle(entry: FifoEntry, mark: number): void {
    if (entry.gone) return
    const { list } = entry
    if (list !== undefined) list.bytes += SETTLED_BYTES - entry.bytes
    this.bytes += SETTLED_BYTES - entry.bytes
    if (this.durable) this.storage.settle(entry, mark)
    entry.bytes = SETTLED_BYTES
    entry.mark = mark
    entry.settled = true
    this.memory.give(entry.message)
    entry.message = SETTLED_MESSAGE
    this.memory.take(SETTLED_MESSAGE)
  }

  /**
   * Removes the oldest entry that was never handed out, and answers it; undefined: there is none in memory. With
   * entries on disk only, `loading` begins, and `onReady` follows.
   */
  dropOldest(): FifoEntry | undefined {
    this.peek()
    const entry = this.returned === undefined ? this.ready.first : this.returned.next
    if (entry !== undefined) this.ack(entry)
    else if (this.pages.active) this.pages.refill()
    return entry
  }

  /** Up to `max` entries from the front, read from disk where need be; all of them stay ready, as they were. */
  async front(max: number): Promise<FifoEntry[]> {
    const { handedOutSeq } = this
    const entries: FifoEntry[] = []
    while (entries.length < max) {
      while (this.peek() === undefined && this.loading) await new Promise((resolve) => setImmediate(resolve))
      const entry = this.next()
      if (entry === undefined) break
      entries.push(entry)
    }
    for (const entry of entries) this.release(entry, entry.redelivered)
    this.handedOutSeq = handedOutSeq
    return entries
  }

  /** Entries in memory, oldest first: handed out or returned, then waiting. Not to be changed meanwhile. */
  entries(): FifoEntry[] {
    const entries: FifoEntry[] = []
    for (const list of [this.inFlight, this.ready]) {
      for (let entry = list.first; entry !== undefined; entry = entry.next) entries.push(entry)
    }
    return entries.sort((a, b) => a.seq - b.seq)
  }

  /** A clean end: notes exactly what was handed out, so that after the start nothing else counts as redelivered. */
  close(): void {
    this.pages.close()
    this.memory.dismiss(this)
    if (this.durable && !this.destroyed && this.count > 0) {
      const sentBelow = Math.max(this.handedOutSeq + 1, this.storage.sentBelow)
      this.storage.head.settle(this.lowestSeq(), this.nextSeq, sentBelow, this.store.commit)
    }
    this.destroyed = true
  }

  /** Deletes everything, from disk in pages over many turns. All calls after it change nothing. */
  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.pages.close()
    this.memory.dismiss(this)
    const lowest = this.lowestSeq()
    for (const list of [this.inFlight, this.ready, this.pages.tail]) {
      for (let entry = list.first; entry !== undefined; entry = list.first) this.ack(entry)
    }
    this.count = 0
    this.bytes = 0
    const { commit } = this.store
    if (this.pages.gapCount > 0) {
      this.storage.head.doom(lowest, commit)
      void sweepEntries(this.store, this.fifoId, lowest)
    } else if (this.storage.head.exists) this.storage.head.remove(commit)
  }

  /** For the pages. */
  missed(count: number, bytes: number): void {
    this.count -= count
    this.bytes -= bytes
  }

  /** For the pages. */
  loaded(): void {
    this.touch()
    if (this.ready.first !== undefined) this.onReady()
  }

  /** For the head. */
  lowestSeq(): number {
    const { pages } = this
    let lowest = this.ready.first?.seq ?? (pages.gapCount > 0 ? pages.gapFrom : (pages.tail.first?.seq ?? this.nextSeq))
    for (let entry = this.inFlight.first; entry !== undefined; entry = entry.next) {
      if (entry.seq < lowest) lowest = entry.seq
    }
    return lowest
  }

  /** For the queue memory. */
  pageOut(keepBytes: number): boolean {
    this.pages.pageOut(keepBytes)
    this.isListed = this.ready.length + this.inFlight.length + this.pages.tail.length > 0
    return this.isListed
  }

  private touch(): void {
    this.used = true
    if (this.isListed) return
    this.isListed = true
    this.memory.enlist(this)
  }

  private removeReady(entry: FifoEntry): void {
    if (entry === this.returned) this.returned = entry.previous
    this.ready.remove(entry)
  }
}
