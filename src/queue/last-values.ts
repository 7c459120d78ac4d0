import type { Message } from '../message/message.ts'
import type { FifoEntry } from '../store/fifo-entry.ts'
import type { Store } from '../store/store.ts'
import type { Backlog } from './backlog.ts'
import { headerOf } from './message-headers.ts'
import { storedEntries } from './stored-entries.ts'

interface Latest {
  readonly seq: number
  /** Undefined: it has been on disk only, and its object is not known. */
  entry: FifoEntry | undefined
}

/** Which message of a last-value queue is the newest of its key: all older ones are superseded. */
export class LastValues {
  private readonly header: string
  private readonly latest = new Map<string, Latest>()

  /** `header`: the name of a header, or `topic`. */
  constructor(header: string) {
    this.header = header
  }

  async recover(store: Store, backlog: Backlog): Promise<void> {
    for (const { fifoId } of backlog.fifos) {
      for await (const { seq, message } of storedEntries(store, fifoId)) {
        const name = this.keyOf(message)
        if (name !== undefined) this.latest.set(name, { seq, entry: undefined })
      }
    }
  }

  /** The message is the newest of its key now. Answers the one that it takes the place of, where that is in memory. */
  arrived(entry: FifoEntry): FifoEntry | undefined {
    const name = this.keyOf(entry.message)
    if (name === undefined) return undefined
    const before = this.latest.get(name)
    this.latest.set(name, { seq: entry.seq, entry })
    return before?.entry
  }

  /** The message is handed out: what comes after it has to find it. */
  handedOut(entry: FifoEntry): void {
    const latest = this.latestOf(entry.message)
    if (latest?.seq === entry.seq) latest.entry = entry
  }

  /** A message of the same key is in the queue. */
  has(message: Message): boolean {
    return this.latestOf(message) !== undefined
  }

  isSuperseded(entry: Pick<FifoEntry, 'seq' | 'message'>): boolean {
    return (this.latestOf(entry.message)?.seq ?? entry.seq) > entry.seq
  }

  /** The message is done with. */
  forget(entry: FifoEntry): void {
    const name = this.keyOf(entry.message)
    if (name !== undefined && this.latest.get(name)?.seq === entry.seq) this.latest.delete(name)
  }

  private latestOf(message: Message): Latest | undefined {
    const name = this.keyOf(message)
    return name === undefined ? undefined : this.latest.get(name)
  }

  private keyOf(message: Message): string | undefined {
    if (this.header === 'topic') return message.topic
    const value = headerOf(message, this.header)
    return value === undefined || value === null || typeof value === 'object' ? undefined : String(value)
  }
}
