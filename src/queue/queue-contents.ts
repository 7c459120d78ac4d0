import type { DeathReason } from '../message/amqp-part.ts'
import type { Message } from '../message/message.ts'
import type { FifoEntry } from '../store/fifo-entry.ts'
import type { Store } from '../store/store.ts'
import { Backlog, enqueuedMs } from './backlog.ts'
import type { Belongings } from './definition-store.ts'
import type { DelayLine } from './delay-line.ts'
import { LastValues } from './last-values.ts'
import { priorityOf } from './message-headers.ts'
import type { QueueSettings } from './queue-settings.ts'
import type { Meter } from './queue-stats.ts'
import { Redeliveries, type Redelivery } from './redeliveries.ts'

export interface ContentsOptions {
  readonly store: Store
  readonly durable: boolean
  readonly settings: QueueSettings
  readonly meter: Meter
  readonly messagesMax: number
  readonly bytesMax: number
  readonly onReady: () => void
  /** The first message with a time to live of its own has come. */
  readonly onExpiring: () => void
  /** A message leaves without having been acknowledged. */
  readonly onDeath: (message: Message, reason: DeathReason) => void
}

type Kept = Pick<FifoEntry, 'seq' | 'message' | 'mark' | 'identifiers'>

/** The messages of a queue and what decides that one of them goes: its time, the limits, a newer value of its key. */
export class QueueContents {
  backlog: Backlog
  /** False while no message of the queue has ever had a time to live: then nobody looks for one. */
  mayExpire: boolean
  private readonly options: ContentsOptions
  private readonly delays: Pick<DelayLine, 'count' | 'bytes'>
  private readonly redeliveries: Redeliveries
  private readonly lastValues: LastValues | undefined

  constructor(
    options: ContentsOptions,
    firstFifoId: number,
    mayExpire: boolean,
    delays: Pick<DelayLine, 'count' | 'bytes'>,
  ) {
    this.delays = delays
    const { store, durable, settings } = options
    this.options = options
    this.backlog = this.open(firstFifoId)
    this.mayExpire = mayExpire || settings.messageTtlMs !== undefined
    this.redeliveries = new Redeliveries(store, durable)
    this.lastValues = settings.lastValueKey === undefined ? undefined : new LastValues(settings.lastValueKey)
  }

  async recover(belongings: Belongings): Promise<void> {
    await this.redeliveries.recover(this.backlog, belongings.redelivered)
    if (this.options.settings.maxLengthBytes !== undefined) await this.backlog.countBodies(this.options.store)
    await this.lastValues?.recover(this.options.store, this.backlog)
  }

  /** The queue holds as much as any queue may hold, what is delayed included. */
  get isAtLimit(): boolean {
    const { messagesMax, bytesMax } = this.options
    const { count, bytes } = this.delays
    return this.backlog.count + count >= messagesMax || this.backlog.bytes + bytes >= bytesMax
  }

  /** True while one more message would be too many. */
  get isFull(): boolean {
    const { maxLength, maxLengthBytes } = this.options.settings
    if (this.isAtLimit) return true
    if (maxLength !== undefined && this.backlog.readyCount >= maxLength) return true
    return maxLengthBytes !== undefined && this.backlog.readyBodyBytes >= maxLengthBytes
  }

  /** Undefined: the queue holds as much as any queue may hold. */
  push(message: Message, atMs: number, redelivery?: Redelivery): FifoEntry | undefined {
    const { settings } = this.options
    const priority = settings.maxPriority === 0 ? 0 : priorityOf(message)
    const entry = this.backlog.push(message, priority, atMs)
    if (entry === undefined) return undefined
    if (message.expiresAtMs !== 0 && !this.mayExpire) {
      this.mayExpire = true
      this.options.onExpiring()
    }
    if (redelivery !== undefined && redelivery.count > 0) {
      entry.redelivered = true
      this.redeliveries.set(this.backlog, entry, redelivery)
    }
    const before = this.lastValues?.arrived(entry)
    if (before !== undefined && !before.gone) {
      // Also while it is handed out: once the newer one is done with, nothing would tell that it is the older.
      this.options.meter.counters.superseded++
      this.redeliveries.forget(this.backlog, before)
      this.backlog.discard(before)
    }
    return entry
  }

  /**
   * The message that is next, after dropping those that nobody is to get any more. `atOnce`: somebody takes it now,
   * so that a time to live of 0 still lets it through.
   */
  next(atOnce: boolean): FifoEntry | undefined {
    const { meter, onDeath, store } = this.options
    for (let entry = this.backlog.peek(); entry !== undefined; entry = this.backlog.peek()) {
      if (this.lastValues?.isSuperseded(entry)) {
        meter.counters.superseded++
        this.drop(entry)
        continue
      }
      if (!this.mayExpire) return entry
      const leftMs = this.expiryOf(entry) - store.clock.now()
      if (leftMs > 0 || (leftMs === 0 && atOnce)) return entry
      meter.counters.expired++
      // First gone, then dead-lettered: it may come back to this very queue.
      this.drop(entry)
      onDeath(entry.message, 'expired')
    }
    return undefined
  }

  /** Somebody gets the message that `next` answered. */
  take(entry: FifoEntry): void {
    this.lastValues?.handedOut(entry)
    this.backlog.take(entry)
  }

  /** What comes back late is not wanted any more: the queue has a newer message of its key. */
  isReplaced(message: Message): boolean {
    if (this.lastValues?.has(message) !== true) return false
    this.options.meter.counters.superseded++
    return true
  }

  redeliveryOf(entry: FifoEntry): Redelivery {
    return this.redeliveries.of(this.backlog, entry)
  }

  /** How often the message with this number in the FIFO of this level has come back. */
  deliveryCountOf(seq: number, level: number): number {
    return this.redeliveries.known(seq, level).count
  }

  /** True: nobody gets the message any more, although it still stands in the queue. */
  isOver(entry: Kept, nowMs: number): boolean {
    return this.expiryOf(entry) <= nowMs || this.lastValues?.isSuperseded(entry) === true
  }

  /** A message that was handed out is ready again; `redelivery`: what is to be remembered of it. */
  release(entry: FifoEntry, redelivered: boolean, redelivery?: Redelivery): void {
    if (entry.gone) return
    if (redelivery !== undefined) this.redeliveries.set(this.backlog, entry, redelivery)
    this.backlog.release(entry, redelivered)
  }

  /** A message that was handed out goes for good. */
  leave(entry: FifoEntry): void {
    this.options.meter.rateOut.add(this.options.store.clock.now())
    if (entry.gone) return
    this.redeliveries.forget(this.backlog, entry)
    this.lastValues?.forget(entry)
    this.backlog.ack(entry)
  }

  dropSurplus(): void {
    const { settings, meter, onDeath } = this.options
    if (settings.overflow !== 'drop-head') return
    const { maxLength = Number.POSITIVE_INFINITY, maxLengthBytes = Number.POSITIVE_INFINITY } = settings
    while (this.backlog.readyCount > maxLength || this.backlog.readyBodyBytes > maxLengthBytes) {
      const entry = this.backlog.peekLowest()
      if (entry === undefined) return
      meter.counters.overflowed++
      this.drop(entry)
      onDeath(entry.message, 'maxlen')
    }
  }

  /** When the message expires, in milliseconds since 1970. */
  expiryOf(entry: Kept | undefined): number {
    if (entry === undefined) return Number.POSITIVE_INFINITY
    const { messageTtlMs } = this.options.settings
    const own = entry.message.expiresAtMs === 0 ? Number.POSITIVE_INFINITY : entry.message.expiresAtMs
    return messageTtlMs === undefined ? own : Math.min(own, enqueuedMs(entry) + messageTtlMs)
  }

  /**
   * Everything that is ready goes at once, by leaving the FIFOs for new ones; what is handed out moves along. Answers
   * the new entries of those, in the order given, which has to be that of their numbers.
   */
  purge(handedOut: readonly FifoEntry[], active: boolean): FifoEntry[] {
    const { store } = this.options
    const before = this.backlog
    const firstFifoId = store.numbers.next(store.commit)
    for (let level = 1; level < before.fifos.length; level++) store.numbers.next(store.commit)
    this.backlog = this.open(firstFifoId)
    this.backlog.active = active
    const redeliveries = handedOut.map((entry) => this.redeliveries.of(before, entry))
    this.redeliveries.clear(before)
    const moved = handedOut.map((entry, place) => {
      if (entry.gone) return entry
      const redelivery = redeliveries[place] as Redelivery
      const there = this.backlog.pushTaken(entry.message, before.levelOf(entry), enqueuedMs(entry))
      there.redelivered = entry.redelivered
      if (redelivery.count > 0) this.redeliveries.set(this.backlog, there, redelivery)
      this.lastValues?.arrived(there)
      return there
    })
    before.destroy()
    return moved
  }

  destroy(): void {
    this.redeliveries.clear(this.backlog)
    this.backlog.destroy()
  }

  private open(firstFifoId: number): Backlog {
    const { store, durable, settings, messagesMax, bytesMax, onReady } = this.options
    const { maxPriority } = settings
    return new Backlog(store, firstFifoId, { durable, maxPriority, messagesMax, bytesMax, onReady })
  }

  private drop(entry: FifoEntry): void {
    this.backlog.take(entry)
    this.leave(entry)
  }
}
