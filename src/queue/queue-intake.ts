import type { Message } from '../message/message.ts'
import type { Store } from '../store/store.ts'
import { Deduplication } from './deduplication.ts'
import type { DelayLine } from './delay-line.ts'
import { headerOf, messageIdOf } from './message-headers.ts'
import type { QueueContents } from './queue-contents.ts'
import type { QueueSettings } from './queue-settings.ts'
import type { Meter } from './queue-stats.ts'

/** MQTT's "Quota exceeded": what a publisher is told whose message a queue refuses. */
export const REFUSED = 0x97
const DELAY_MS_MAX = 0xffff_ffff

export interface IntakeOptions {
  readonly store: Store
  readonly durable: boolean
  readonly settings: QueueSettings
  readonly meter: Meter
}

/** What happens to a message on its way into a queue: refused, known already, put off, or taken. */
export class QueueIntake {
  private readonly store: Store
  private readonly stores: boolean
  private readonly rejects: boolean
  private readonly meter: Meter
  private readonly contents: QueueContents
  private readonly delays: DelayLine
  private readonly seen: Deduplication | undefined

  constructor(options: IntakeOptions, contents: QueueContents, delays: DelayLine, queueNumber: number) {
    const { store, durable, settings, meter } = options
    this.store = store
    this.stores = durable && store.durability !== 'memory'
    this.rejects = settings.overflow !== 'drop-head'
    this.meter = meter
    this.contents = contents
    this.delays = delays
    const windowMs = settings.deduplicationWindowMs
    this.seen = windowMs === undefined ? undefined : new Deduplication(store, queueNumber, durable, windowMs)
  }

  async recover(): Promise<void> {
    await this.seen?.recover()
  }

  clear(): void {
    void this.seen?.clear()
  }

  /** False: the message is refused, which its publisher is told by `message.refusal`. */
  accept(message: Message): boolean {
    const { commit, clock } = this.store
    const isFull = this.rejects ? this.contents.isFull : this.contents.isAtLimit
    if (isFull || (this.stores && commit.failure !== undefined)) return this.refuse(message)
    const nowMs = clock.now()
    const messageId = this.seen === undefined ? undefined : messageIdOf(message)
    if (messageId !== undefined && this.seen?.has(messageId, nowMs)) {
      this.meter.counters.duplicates++
      // Acknowledged, and not before the first one is.
      if (this.stores) message.commitEpoch = commit.formingEpoch
      return true
    }
    const delayMs = message.amqp === undefined && message.properties.length === 0 ? 0 : delayOf(message)
    if (delayMs > 0) this.delays.add({ message, enqueuedMs: nowMs, count: 0, retries: 0 }, nowMs + delayMs)
    else if (this.contents.push(message, nowMs) === undefined) return this.refuse(message)
    if (messageId !== undefined) this.seen?.add(messageId, nowMs)
    this.meter.counters.published++
    this.meter.rateIn.add(nowMs)
    return true
  }

  private refuse(message: Message): false {
    this.meter.counters.refused++
    message.refusal = REFUSED
    return false
  }
}

function delayOf(message: Message): number {
  const value = headerOf(message, 'x-delay')
  const delayMs = typeof value === 'string' || typeof value === 'number' ? Math.floor(Number(value)) : 0
  return delayMs > 0 && delayMs <= DELAY_MS_MAX ? delayMs : 0
}
