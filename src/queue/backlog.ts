import type { Message } from '../message/message.ts'
import { Fifo } from '../store/fifo.ts'
import type { FifoEntry } from '../store/fifo-entry.ts'
import type { Store } from '../store/store.ts'
import { storedEntries } from './stored-entries.ts'

export interface BacklogOptions {
  readonly durable: boolean
  /** 0: one level. */
  readonly maxPriority: number
  readonly messagesMax: number
  readonly bytesMax: number
  readonly onReady: () => void
}

// Without a consumer nothing but the head is needed; ten thousand queues must not fill the memory.
const IDLE_WINDOW_BYTES = 16 * 1024
// With one, what its publishers have under way should not have to come back from disk.
const ACTIVE_WINDOW_BYTES = 4 * 1024 * 1024
const HIGH = 0x1_0000_0000

/** When the message came into the queue, in milliseconds since 1970. */
export function enqueuedMs(entry: Pick<FifoEntry, 'identifiers' | 'mark'>): number {
  return (entry.identifiers[0] ?? 0) * HIGH + (entry.mark >>> 0)
}

/** The messages of a queue: one FIFO for each priority, numbered one after the other from `firstFifoId`. */
export class Backlog {
  readonly fifos: readonly Fifo[]
  readonly firstFifoId: number
  /** Payloads of the ready messages. */
  readyBodyBytes = 0
  // The upper half of the time is the same for 49 days: one array serves all entries.
  private upper: readonly number[] = [0]

  constructor(store: Store, firstFifoId: number, options: BacklogOptions) {
    const { durable, messagesMax, bytesMax, maxPriority, onReady } = options
    this.firstFifoId = firstFifoId
    this.fifos = Array.from({ length: maxPriority + 1 }, (_, level) => {
      const limits = { durable, messagesMax, bytesMax, windowBytes: IDLE_WINDOW_BYTES }
      const fifo = new Fifo(store, firstFifoId + level, limits)
      fifo.onReady = onReady
      return fifo
    })
  }

  /** Counts the payloads that are on disk: all of them are read, so only a queue with a limit in bytes does it. */
  async countBodies(store: Store): Promise<void> {
    this.readyBodyBytes = 0
    for (const { fifoId } of this.fifos) {
      for await (const { message } of storedEntries(store, fifoId)) this.readyBodyBytes += message.payload.length
    }
  }

  get readyCount(): number {
    let count = 0
    for (const fifo of this.fifos) count += fifo.readyCount
    return count
  }

  get count(): number {
    let count = 0
    for (const fifo of this.fifos) count += fifo.count
    return count
  }

  get bytes(): number {
    let bytes = 0
    for (const fifo of this.fifos) bytes += fifo.bytes
    return bytes
  }

  get unacknowledgedBytes(): number {
    let bytes = 0
    for (const fifo of this.fifos) bytes += fifo.unacknowledgedBytes
    return bytes
  }

  get loading(): boolean {
    return this.fifos.some((fifo) => fifo.loading)
  }

  /** More of it stays in memory while there is somebody to take it. */
  set active(active: boolean) {
    for (const fifo of this.fifos) {
      fifo.windowBytes = active ? ACTIVE_WINDOW_BYTES : IDLE_WINDOW_BYTES
      fifo.attended = active
    }
  }

  /** Undefined: the queue holds as much as it may hold at all. */
  push(message: Message, priority: number, atMs: number): FifoEntry | undefined {
    const high = Math.floor(atMs / HIGH)
    if (this.upper[0] !== high) this.upper = [high]
    const fifo = this.fifos[Math.min(priority, this.fifos.length - 1)] as Fifo
    const entry = fifo.push(message, atMs | 0, this.upper)
    if (entry !== undefined) this.readyBodyBytes += message.payload.length
    return entry
  }

  /** The message that is next; undefined: there is none, or it is being read from disk. */
  peek(): FifoEntry | undefined {
    const { fifos } = this
    for (let level = fifos.length - 1; level >= 0; level--) {
      const fifo = fifos[level] as Fifo
      const entry = fifo.peek()
      if (entry !== undefined) return entry
      // What has a lower priority must not go first only because it is in memory already.
      if (fifo.readyCount > 0) return undefined
    }
    return undefined
  }

  /** The oldest ready message of the lowest priority. */
  peekLowest(): FifoEntry | undefined {
    for (const fifo of this.fifos) {
      if (fifo.readyCount > 0) return fifo.peek()
    }
    return undefined
  }

  /** Hands out an entry that a peek has just answered. */
  take(entry: FifoEntry): void {
    this.readyBodyBytes -= entry.message.payload.length
    fifoOf(entry).next()
  }

  /** A message that is handed out as soon as it is here: it comes from elsewhere, where it was handed out already. */
  pushTaken(message: Message, priority: number, atMs: number): FifoEntry {
    const fifo = this.fifos[priority] as Fifo
    const entry = this.push(message, priority, atMs)
    if (entry === undefined || fifo.peek() !== entry) throw new Error('a purged queue has no room for what it had')
    this.take(entry)
    return entry
  }

  ack(entry: FifoEntry): void {
    fifoOf(entry).ack(entry)
  }

  /** Removes an entry that is in memory, wherever it stands, handed out or not. */
  discard(entry: FifoEntry): void {
    const fifo = fifoOf(entry)
    if (entry.list === fifo.ready) this.readyBodyBytes -= entry.message.payload.length
    fifo.ack(entry)
  }

  release(entry: FifoEntry, redelivered: boolean): void {
    this.readyBodyBytes += entry.message.payload.length
    fifoOf(entry).release(entry, redelivered)
  }

  levelOf(entry: FifoEntry): number {
    return fifoOf(entry).fifoId - this.firstFifoId
  }

  close(): void {
    for (const fifo of this.fifos) fifo.close()
  }

  destroy(): void {
    for (const fifo of this.fifos) fifo.destroy()
  }
}

function fifoOf(entry: FifoEntry): Fifo {
  return entry.owner as Fifo
}
