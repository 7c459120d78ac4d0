import { SluiceError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import { DELAYED_KEY_BYTES, delayedKey, KIND_DELAYED, keyAfter, ownedPrefix, prefixEnd } from '../store/keys.ts'
import { readU48, writeU48 } from '../store/keys.ts'
import { decodeMessage, messageRecordBytes, writeMessage } from '../store/message-record.ts'
import type { Store } from '../store/store.ts'
import type { Redelivery } from './redeliveries.ts'

/** What a delayed message brings back with it. */
export interface Delayed extends Redelivery {
  readonly message: Message
  /** When it came to the queue first. */
  readonly enqueuedMs: number
}

const VERSION = 1
const HEAD_BYTES = 13
const PAGE = 500
const RETRY_MS = 1_000

/**
 * Messages that enter their queue later. They wait in the store in the order of their time, so that a million of them
 * cost no memory; whoever comes of age moves to the queue in one commit. `release` answers false where there is no room:
 * it is asked again a second later.
 */
export class DelayLine {
  count = 0
  /** Of those that came since the start; what was there before is not read for it. */
  bytes = 0
  private readonly store: Store
  private readonly queueNumber: number
  private readonly release: (delayed: Delayed) => boolean
  private timer: unknown
  private dueMs = Number.POSITIVE_INFINITY
  private releasing = false
  private closed = false

  constructor(store: Store, queueNumber: number, release: (delayed: Delayed) => boolean) {
    this.store = store
    this.queueNumber = queueNumber
    this.release = release
  }

  async recover(): Promise<void> {
    const prefix = ownedPrefix(KIND_DELAYED, this.queueNumber)
    for (let from = prefix; ; ) {
      const keys = await this.store.scanKeys(from, prefixEnd(prefix), 10_000)
      const last = keys.at(-1)
      if (last === undefined) break
      // One that is cut off would end each round, and hold up all that come after it.
      const dueMs = keys.map(dueMsOf)
      if (this.count === 0) this.arm(dueMs[0] as number)
      this.count += keys.length
      from = keyAfter(last)
    }
  }

  add(delayed: Delayed, dueMs: number): void {
    const { commit, numbers } = this.store
    const { message } = delayed
    const value = Buffer.allocUnsafe(HEAD_BYTES + messageRecordBytes(message))
    value[0] = VERSION
    value.writeUInt32BE(delayed.count, 1)
    value.writeUInt16BE(delayed.retries, 5)
    writeU48(value, delayed.enqueuedMs, 7)
    writeMessage(message, value, HEAD_BYTES)
    commit.put(delayedKey(this.queueNumber, dueMs, numbers.next(commit)), value)
    message.commitEpoch = commit.formingEpoch
    this.count++
    this.bytes += value.length
    this.arm(dueMs)
  }

  close(): void {
    this.closed = true
    this.store.clock.clear(this.timer)
  }

  /** Deletes what waits, in pages over many turns. */
  async destroy(): Promise<void> {
    this.close()
    const prefix = ownedPrefix(KIND_DELAYED, this.queueNumber)
    if (this.count === 0) return
    this.count = 0
    this.bytes = 0
    try {
      for (let from = prefix; ; ) {
        await this.store.commit.flush()
        const keys = await this.store.scanKeys(from, prefixEnd(prefix), PAGE)
        const last = keys.at(-1)
        if (last === undefined) return
        for (const key of keys) this.store.commit.del(key)
        from = keyAfter(last)
      }
    } catch (error) {
      this.store.log.error({ err: error }, 'the delayed messages of a deleted queue could not all be deleted')
    }
  }

  private arm(dueMs: number): void {
    if (dueMs >= this.dueMs || this.closed) return
    const { clock } = this.store
    clock.clear(this.timer)
    this.dueMs = dueMs
    this.timer = clock.after(Math.max(0, dueMs - clock.now()), () => {
      this.dueMs = Number.POSITIVE_INFINITY
      void this.due()
    })
  }

  private async due(): Promise<void> {
    if (this.releasing || this.closed) return
    this.releasing = true
    try {
      // What was added in this very millisecond is to be found too.
      await this.store.commit.flush()
      await this.releaseDue()
    } catch (error) {
      this.store.log.error({ err: error }, 'delayed messages cannot be read: trying again')
      this.arm(this.store.clock.now() + RETRY_MS)
    } finally {
      this.releasing = false
    }
  }

  private async releaseDue(): Promise<void> {
    const { store, queueNumber } = this
    const from = ownedPrefix(KIND_DELAYED, queueNumber)
    for (;;) {
      const rows = await store.scan(from, prefixEnd(from), PAGE)
      const nowMs = store.clock.now()
      for (const [key, value] of rows) {
        if (this.closed) return
        const dueMs = dueMsOf(key)
        if (dueMs > nowMs) return this.arm(dueMs)
        const delayed = this.read(value)
        if (delayed !== undefined && !this.release(delayed)) return this.arm(nowMs + RETRY_MS)
        store.commit.del(key)
        this.count--
        this.bytes = this.count === 0 ? 0 : Math.max(0, this.bytes - value.length)
      }
      if (rows.length === 0) return
      await store.commit.flush()
    }
  }

  private read(value: Buffer): Delayed | undefined {
    try {
      if (value[0] !== VERSION) throw new Error(`version ${value[0]}`)
      const message = decodeMessage(value, HEAD_BYTES)
      const enqueuedMs = readU48(value, 7)
      return { message, enqueuedMs, count: value.readUInt32BE(1), retries: value.readUInt16BE(5) }
    } catch (error) {
      this.store.log.error({ err: error }, 'a delayed message cannot be read: left out')
      return undefined
    }
  }
}

function dueMsOf(key: Buffer): number {
  if (key.length === DELAYED_KEY_BYTES) return readU48(key, 7)
  const what = `the key ${key.toString('hex')} of a delayed message has the wrong length`
  throw new SluiceError('STORE_RECORD_DAMAGED', what)
}
