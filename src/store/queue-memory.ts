import type { Message } from '../message/message.ts'
import { ENTRY_BYTES, entrySize } from './fifo-entry.ts'

/** A queue of which a part can wait on disk alone. */
export interface PagedQueue {
  /** Somebody takes its messages at present. */
  readonly attended: boolean
  /** Got a message, or handed one out, since it was last looked at. */
  used: boolean
  /** Sends what is on disk and waits in memory beyond `keepBytes` away from memory. False: nothing is left in memory. */
  pageOut(keepBytes: number): boolean
}

/** What a queue that somebody takes from may keep while memory is short, unless there are very many of them. */
const SHORT_WINDOW_BYTES = 64 * 1024
const SHORT_WINDOW_BYTES_MIN = 1024
// Bounds the work of one turn of the event loop.
const QUEUES_PER_TURN = 1000

/**
 * The memory that the messages of all queues take, each message counted once however many queues hold it. It is
 * reclaimed in this order:
 *
 * 1. From three quarters of the limit on, queues that nobody takes from leave memory, the longest unused first: what
 *    they hold is on disk and is read again when somebody comes.
 * 2. From seven eighths on, all other queues keep 64 KiB, the longest unused first, and who has as much unacknowledged
 *    gets nothing more: what is in flight cannot be reclaimed.
 * 3. At the limit a new message that is not stored is refused, and the overflow policy of its queue decides. So is one
 *    that is stored, while the disk fails or is far behind.
 *
 * Of more queues than fit into a quarter of the last eighth each keeps its share of that.
 */
export class QueueMemory {
  bytes = 0
  /** The second step is on: no queue fills a window larger than `shortWindowBytes`. */
  short = false
  shortWindowBytes = SHORT_WINDOW_BYTES
  private max = Number.POSITIVE_INFINITY
  // The longest unused first, as far as the last look at each can tell.
  private readonly queues = new Set<PagedQueue>()
  private scheduled = false

  get bytesMax(): number {
    return this.max
  }

  set bytesMax(bytes: number) {
    this.max = bytes
  }

  hasRoomFor(message: Message, size: number): boolean {
    return this.bytes + (message.holders === 0 ? size : ENTRY_BYTES) <= this.max
  }

  /** Whether somebody who has so much unacknowledged has to acknowledge before getting more. */
  holdsBack(unacknowledgedBytes: number): boolean {
    if (unacknowledgedBytes === 0 || this.bytes <= this.max * 0.875) return false
    return unacknowledgedBytes >= this.shortWindowBytes || this.bytes >= this.max
  }

  /** One more entry holds the message. */
  take(message: Message): void {
    if (message.holders++ === 0) {
      message.heldBytes = entrySize(message)
      this.bytes += message.heldBytes
    } else this.bytes += ENTRY_BYTES
    if (!this.scheduled && this.bytes > this.max * 0.75) {
      this.scheduled = true
      setImmediate(this.reclaim)
    }
  }

  /** One entry less holds the message. */
  give(message: Message): void {
    this.bytes -= --message.holders === 0 ? message.heldBytes : ENTRY_BYTES
    if (this.short && this.bytes < this.max * 0.75) this.short = false
  }

  /** The queue has something in memory that could leave it. */
  enlist(queue: PagedQueue): void {
    this.queues.add(queue)
  }

  dismiss(queue: PagedQueue): void {
    this.queues.delete(queue)
  }

  private readonly reclaim = (): void => {
    this.scheduled = false
    this.pageOut(this.max * 0.75, 0, false)
    if (this.bytes <= this.max * 0.875) return
    this.short = true
    const share = this.max / 32 / this.queues.size
    this.shortWindowBytes = Math.max(SHORT_WINDOW_BYTES_MIN, Math.min(share, SHORT_WINDOW_BYTES))
    this.pageOut(this.max * 0.875, this.shortWindowBytes, true)
  }

  private pageOut(untilBytes: number, keepBytes: number, attended: boolean): void {
    this.sweep(untilBytes, keepBytes, attended, true)
    // All of them in use all the time: then the next in turn.
    this.sweep(untilBytes, keepBytes, attended, false)
  }

  private sweep(untilBytes: number, keepBytes: number, attended: boolean, sparesUsed: boolean): void {
    let left = Math.min(this.queues.size, QUEUES_PER_TURN)
    for (const queue of this.queues) {
      if (left-- === 0 || this.bytes <= untilBytes) return
      this.queues.delete(queue)
      const isSpared = queue.attended !== attended || (sparesUsed && queue.used)
      if (queue.attended === attended) queue.used = false
      if (isSpared || queue.pageOut(keepBytes)) this.queues.add(queue)
    }
  }
}
