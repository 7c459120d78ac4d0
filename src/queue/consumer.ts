import type { Queue } from './queue.ts'
import type { QueueDelivery } from './queue-delivery.ts'

/** Whoever takes messages from a queue: a channel, a session, a handler in the process. */
export interface Receiver {
  /** Could take one more message at once. When this becomes true again, `consumer.resume()` has to be called. */
  readonly ready: boolean
  /** One message; must not throw. */
  deliver(delivery: QueueDelivery): void
  /** The queue has gone, and the consumer with it; what was unacknowledged is gone too. */
  cancelled(): void
}

export interface ConsumeOptions {
  /** Messages that may be unacknowledged; 0: any number. */
  readonly prefetch?: number
  /** Those with a higher one get messages first, as long as they have room. */
  readonly priority?: number
  /** Messages are done with as soon as they are handed out. */
  readonly noAck?: boolean
  /** Nobody else may consume. */
  readonly exclusive?: boolean
  /** Who asks: an exclusive queue serves its owner only. */
  readonly owner?: unknown
}

/** One consumer of one queue. */
export class Consumer {
  readonly queue: Queue
  readonly receiver: Receiver
  readonly priority: number
  readonly noAck: boolean
  readonly exclusive: boolean
  /** Messages that were handed out and neither acknowledged nor returned. */
  unacknowledged = 0
  cancelled = false
  /** For the dispatcher: stands in the ring of those that may have room. */
  inRing = false
  private limit: number

  constructor(queue: Queue, receiver: Receiver, options: ConsumeOptions) {
    this.queue = queue
    this.receiver = receiver
    this.limit = options.prefetch ?? 0
    this.priority = options.priority ?? 0
    this.noAck = options.noAck ?? false
    this.exclusive = options.exclusive ?? false
  }

  get prefetch(): number {
    return this.limit
  }

  set prefetch(prefetch: number) {
    this.limit = prefetch
    this.resume()
  }

  get hasRoom(): boolean {
    return (this.noAck || this.limit === 0 || this.unacknowledged < this.limit) && this.receiver.ready
  }

  /** The receiver is ready again. */
  resume(): void {
    if (!this.cancelled) this.queue.resume(this)
  }

  /** No further messages; what is unacknowledged still is (AMQP's `basic.cancel`). */
  cancel(): void {
    this.queue.cancel(this)
  }

  /** No further messages, and what is unacknowledged is ready again at its old place. */
  close(): void {
    this.queue.cancel(this, true)
  }
}
