import type { Message } from '../message/message.ts'
import type { FifoEntry } from '../store/fifo-entry.ts'
import type { Consumer } from './consumer.ts'
import type { Queue } from './queue.ts'

/** One message that was handed out, to be answered once: acknowledged, returned or rejected. */
export class QueueDelivery {
  readonly queue: Queue
  readonly consumer: Consumer | undefined
  /** May have been handed out before. */
  readonly redelivered: boolean
  /** How often it has come back before, as far as that is known. */
  readonly deliveryCount: number
  /** How many pauses for another try it has had. */
  readonly retries: number
  /** Answered, or handed out without the need of an answer. */
  settled: boolean
  /** False: it has not left the process, so that its delivery count does not rise when its consumer goes. */
  sent = true
  /** For the queue. */
  entry: FifoEntry
  number = 0

  constructor(
    queue: Queue,
    entry: FifoEntry,
    consumer: Consumer | undefined,
    deliveryCount: number,
    retries: number,
    settled: boolean,
  ) {
    this.queue = queue
    this.entry = entry
    this.consumer = consumer
    this.redelivered = entry.redelivered || deliveryCount > 0
    this.deliveryCount = deliveryCount
    this.retries = retries
    this.settled = settled
  }

  get message(): Message {
    return this.entry.message
  }

  /** The message is done with. False: it was answered before. */
  ack(): boolean {
    return this.queue.ack(this)
  }

  /** Ready again at its old place, and one more on its delivery count. False: it was answered before. */
  requeue(): boolean {
    return this.queue.requeue(this, true)
  }

  /** Back as if it had never left: it was not sent. */
  returnUnsent(): boolean {
    return this.queue.requeue(this, false)
  }

  /** Tried again after the next of the queue's retry delays, or dead-lettered. False: it was answered before. */
  reject(): boolean {
    return this.queue.reject(this)
  }
}
