import type { FifoEntry } from './fifo-entry.ts'

/** A doubly linked list through the entries themselves; an entry is in at most one. */
export class EntryList {
  first: FifoEntry | undefined = undefined
  last: FifoEntry | undefined = undefined
  length = 0
  bytes = 0

  append(entry: FifoEntry): void {
    this.insertAfter(entry, this.last)
  }

  /** Behind `previous`; at the front when that is undefined. */
  insertAfter(entry: FifoEntry, previous: FifoEntry | undefined): void {
    const next = previous === undefined ? this.first : previous.next
    entry.list = this
    entry.previous = previous
    entry.next = next
    if (previous === undefined) this.first = entry
    else previous.next = entry
    if (next === undefined) this.last = entry
    else next.previous = entry
    this.length++
    this.bytes += entry.bytes
  }

  remove(entry: FifoEntry): void {
    const { previous, next } = entry
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
    entry.list = undefined
    entry.previous = undefined
    entry.next = undefined
    this.length--
    this.bytes -= entry.bytes
  }

  /** Takes over all entries of `other`, behind its own. */
  takeAll(other: EntryList): void {
    for (let entry = other.first; entry !== undefined; entry = entry.next) entry.list = this
    if (other.first === undefined) return
    if (this.last === undefined) this.first = other.first
    else {
      this.last.next = other.first
      other.first.previous = this.last
    }
    this.last = other.last
    this.length += other.length
    this.bytes += other.bytes
    other.first = undefined
    other.last = undefined
    other.length = 0
    other.bytes = 0
  }
}
