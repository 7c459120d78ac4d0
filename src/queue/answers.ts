import { NumberMap } from '../base/number-map.ts'
import type { DeathReason } from '../message/amqp-part.ts'
import type { Message } from '../message/message.ts'
import type { FifoEntry } from '../store/fifo-entry.ts'
import type { Store } from '../store/store.ts'
import { enqueuedMs } from './backlog.ts'
import type { Consumer } from './consumer.ts'
import type { DelayLine } from './delay-line.ts'
import type { QueueContents } from './queue-contents.ts'
import type { QueueDelivery } from './queue-delivery.ts'
import type { QueueSettings } from './queue-settings.ts'
import type { Meter } from './queue-stats.ts'

export interface AnswersOptions {
  readonly store: Store
  readonly settings: QueueSettings
  readonly meter: Meter
  /** A message leaves without having been acknowledged. */
  readonly onDeath: (message: Message, reason: DeathReason) => void
}

/** What was handed out, and what becomes of it: each delivery is answered once, further answers are false. */
export class Answers {
  readonly unacknowledged = new NumberMap<QueueDelivery>()
  private lastNumber = 0
  private readonly options: AnswersOptions
  private readonly contents: QueueContents
  private readonly delays: DelayLine

  constructor(options: AnswersOptions, contents: QueueContents, delays: DelayLine) {
    this.options = options
    this.contents = contents
    this.delays = delays
  }

  expect(delivery: QueueDelivery): void {
    delivery.number = ++this.lastNumber
    this.unacknowledged.set(delivery.number, delivery)
    if (delivery.consumer !== undefined) delivery.consumer.unacknowledged++
  }

  ack(delivery: QueueDelivery): boolean {
    if (!this.settle(delivery)) return false
    this.options.meter.counters.acknowledged++
    this.contents.leave(delivery.entry)
    return true
  }

  /** Tried again after the next retry delay, or dead. */
  reject(delivery: QueueDelivery): boolean {
    if (!this.settle(delivery)) return false
    const { settings, meter, store, onDeath } = this.options
    const { entry, retries, deliveryCount } = delivery
    const { message, gone } = entry
    const delayMs = settings.retryDelaysMs[retries]
    meter.counters.rejected++
    this.contents.leave(entry)
    if (delayMs === undefined) onDeath(message, 'rejected')
    else if (!gone) {
      const delayed = { message, enqueuedMs: enqueuedMs(entry), count: deliveryCount + 1, retries: retries + 1 }
      this.delays.add(delayed, store.clock.now() + delayMs)
    }
    return true
  }

  /** `counts`: it was sent, so that its delivery count rises. */
  takeBack(delivery: QueueDelivery, counts: boolean): boolean {
    if (!this.settle(delivery)) return false
    const { settings, meter, onDeath } = this.options
    const { entry, retries } = delivery
    const count = delivery.deliveryCount + 1
    meter.counters.returned++
    if (entry.gone) return true
    if (!counts) this.contents.release(entry, delivery.redelivered)
    else if (count > (settings.deliveryLimit ?? count)) {
      this.contents.leave(entry)
      onDeath(entry.message, 'delivery_limit')
    } else this.contents.release(entry, true, { count, retries })
    return true
  }

  /** The consumer has gone. */
  takeBackFrom(consumer: Consumer): void {
    for (const delivery of this.inOrder()) {
      if (delivery.consumer === consumer) this.takeBack(delivery, delivery.sent)
    }
  }

  /** The ready messages have gone; what was handed out has moved along with `move`. */
  moved(move: (entries: readonly FifoEntry[]) => FifoEntry[]): void {
    const held = this.inOrder()
    const entries = move(held.map(({ entry }) => entry))
    for (const [place, delivery] of held.entries()) delivery.entry = entries[place] as FifoEntry
  }

  /** The queue has gone: nothing is to be answered any more. */
  forget(): void {
    for (const delivery of this.unacknowledged) delivery.settled = true
    this.unacknowledged.clear()
  }

  private inOrder(): QueueDelivery[] {
    return [...this.unacknowledged].sort((a, b) => a.entry.seq - b.entry.seq)
  }

  private settle(delivery: QueueDelivery): boolean {
    if (delivery.settled) return false
    delivery.settled = true
    this.unacknowledged.delete(delivery.number)
    if (delivery.consumer !== undefined) delivery.consumer.unacknowledged--
    return true
  }
}
