import type { DeathReason } from '../message/amqp-part.ts'
import type { Message } from '../message/message.ts'
import type { Store } from '../store/store.ts'
import type { Queue } from './queue.ts'

/** What a queue asks of those around it. */
export interface QueueHost {
  readonly store: Store
  readonly messagesMax: number
  readonly bytesMax: number
  /** A message has left the queue without being acknowledged. */
  died(queue: Queue, message: Message, reason: DeathReason): void
  /** The queue has no more reason to be: unused for too long, or its last consumer is gone. */
  expired(queue: Queue): void
  /** The queue has changed its FIFOs. */
  renumbered(queue: Queue): void
}
