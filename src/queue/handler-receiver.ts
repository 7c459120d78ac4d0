import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Receiver } from './consumer.ts'
import type { QueueDelivery } from './queue-delivery.ts'
import type { ReceivedMessage } from './queue-message.ts'

/** Gets one message after the other, and answers each (`ack`, `nack`, `reject`) at once or later. */
export type MessageHandler = (message: ReceivedMessage) => void | Promise<void>

// A message that the handler fails at would else come back at once, and for ever.
const PAUSE_MS = 1_000

interface Surroundings {
  readonly clock: Clock
  readonly log: Log
  readonly received: (delivery: QueueDelivery) => ReceivedMessage
  readonly onCancelled: () => void
}

/**
 * Hands messages to a function. What it throws, at once or as a rejected promise, answers a message that it has not
 * answered: rejected where the queue has a retry delay or a dead-letter exchange for it, else returned a second later.
 */
export class HandlerReceiver implements Receiver {
  readonly ready = true
  private readonly handler: MessageHandler
  private readonly around: Surroundings

  constructor(handler: MessageHandler, around: Surroundings) {
    this.handler = handler
    this.around = around
  }

  deliver(delivery: QueueDelivery): void {
    try {
      const result = this.handler(this.around.received(delivery))
      if (result !== undefined) result.then(undefined, (error: unknown) => this.failed(delivery, error))
    } catch (error) {
      this.failed(delivery, error)
    }
  }

  cancelled(): void {
    this.around.onCancelled()
  }

  private failed(delivery: QueueDelivery, error: unknown): void {
    const { queue } = delivery
    const { deadLetterExchange, retryDelaysMs } = queue.settings
    this.around.log.error({ queue: queue.name, err: error }, 'a handler failed at a message')
    if (deadLetterExchange !== undefined || retryDelaysMs.length > 0) delivery.reject()
    else this.around.clock.after(PAUSE_MS, () => delivery.requeue())
  }
}
