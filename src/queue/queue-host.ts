import type { DeathReason } from '../message/amqp-part.ts'
import type { Message } from '../message/message.ts'
import type { Store } from '../store/store.ts'
import type { Queue } from './queue.ts'

/** What any one queue may hold, whatever its arguments say: messages in all, and their bytes as `store/fifo` counts them. */
export interface QueueLimits {
  readonly messagesMax: number
  readonly bytesMax: number
}

/** What a queue asks of those around it. */
export interface QueueHost {
  readonly store: Store
  /** What a queue may hold on disk, and what one may hold that is in memory alone. */
  readonly stored: QueueLimits
  readonly transient: QueueLimits
  /** A message has left the queue without being acknowledged. */
  died(queue: Queue, message: Message, reason: DeathReason): void
  /** The queue has no more reason to be: unused for too long, or its last consumer is gone. */
  expired(queue: Queue): void
  /** What is stored of the queue beside its messages has changed. */
  changed(queue: Queue): void
}
