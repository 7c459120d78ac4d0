import { createHash } from 'node:crypto'
import { SluiceError } from '../base/errors.ts'
import { KIND_SEEN, messageIdOfKey, ownedPrefix, readU48, seenKey, writeU48 } from '../store/keys.ts'
import { scanPrefix } from '../store/scan-prefix.ts'
import type { Store } from '../store/store.ts'

// Beyond this many identifiers within the window, the oldest are forgotten.
const IDENTIFIERS_MAX = 100_000
const LENGTH_MAX = 64
const PAGE = 1_000
const RECORD_BYTES = 6

/** The message identifiers that a queue has seen within its window, oldest first; they outlive a restart. */
export class Deduplication {
  private readonly store: Store
  private readonly queueNumber: number
  private readonly durable: boolean
  private readonly windowMs: number
  private readonly seen = new Map<string, number>()

  constructor(store: Store, queueNumber: number, durable: boolean, windowMs: number) {
    this.store = store
    this.queueNumber = queueNumber
    this.durable = durable
    this.windowMs = windowMs
  }

  async recover(): Promise<void> {
    const found: [string, number][] = []
    for await (const [key, value] of scanPrefix(this.store, ownedPrefix(KIND_SEEN, this.queueNumber))) {
      const messageId = messageIdOfKey(key)
      if (value.length !== RECORD_BYTES) {
        const what = `the time at which a queue has seen the message '${messageId}' cannot be read`
        throw new SluiceError('STORE_RECORD_DAMAGED', what)
      }
      found.push([messageId, readU48(value, 0)])
    }
    for (const [messageId, seenMs] of found.sort((a, b) => a[1] - b[1])) this.seen.set(messageId, seenMs)
  }

  /** True: it was there within the window. The window of an identifier begins with its first message. */
  has(messageId: string, nowMs: number): boolean {
    this.forgetOld(nowMs)
    return this.seen.has(short(messageId))
  }

  add(identifier: string, nowMs: number): void {
    const messageId = short(identifier)
    this.seen.set(messageId, nowMs)
    if (this.durable) {
      const value = Buffer.alloc(RECORD_BYTES)
      writeU48(value, nowMs, 0)
      this.store.commit.put(seenKey(this.queueNumber, messageId), value)
    }
    this.forgetOld(nowMs)
  }

  /** Forgets all of them, in pages over many turns. */
  async clear(): Promise<void> {
    const messageIds = [...this.seen.keys()]
    this.seen.clear()
    if (!this.durable) return
    for (const [place, messageId] of messageIds.entries()) {
      this.store.commit.del(seenKey(this.queueNumber, messageId))
      if (place % PAGE === PAGE - 1) await this.store.commit.flush()
    }
  }

  private forgetOld(nowMs: number): void {
    for (const [messageId, seenMs] of this.seen) {
      if (seenMs + this.windowMs > nowMs && this.seen.size <= IDENTIFIERS_MAX) return
      this.forget(messageId)
    }
  }

  private forget(messageId: string): void {
    this.seen.delete(messageId)
    if (this.durable) this.store.commit.del(seenKey(this.queueNumber, messageId))
  }
}

/** A hash stands for a long identifier, so that neither memory nor keys grow with what clients send. */
function short(messageId: string): string {
  return messageId.length <= LENGTH_MAX ? messageId : createHash('sha256').update(messageId).digest('base64')
}
