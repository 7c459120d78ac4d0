import type { Consumer, Receiver } from './consumer.ts'
import type { QueueDelivery } from './queue-delivery.ts'
import type { ReceivedMessage } from './queue-message.ts'

type Result = IteratorResult<ReceivedMessage, undefined>

const END: Result = { done: true, value: undefined }

/**
 * The messages of a queue as an asynchronous iteration. Each is to be answered by whoever gets it. When the iteration is
 * left, what is unanswered is ready again; it ends by itself when the queue or the broker goes.
 */
export class MessageStream implements AsyncIterableIterator<ReceivedMessage, undefined>, Receiver {
  private consumer: Consumer | undefined
  private readonly received: (delivery: QueueDelivery) => ReceivedMessage
  private readonly onEnd: (stream: MessageStream) => void
  // Handed out by the queue and not yet asked for: at most as many as the consumer may hold unanswered.
  private readonly waiting: QueueDelivery[] = []
  private readonly asking: ((result: Result) => void)[] = []
  private readonly isAhead: boolean
  private ended = false

  /** `isAhead`: messages may come before they are asked for. */
  constructor(
    isAhead: boolean,
    received: (delivery: QueueDelivery) => ReceivedMessage,
    onEnd: (stream: MessageStream) => void,
  ) {
    this.isAhead = isAhead
    this.received = received
    this.onEnd = onEnd
  }

  /** Once, before the first message is asked for. */
  start(consume: (receiver: Receiver) => Consumer): this {
    this.consumer = consume(this)
    return this
  }

  get ready(): boolean {
    return this.isAhead || this.asking.length > 0
  }

  deliver(delivery: QueueDelivery): void {
    const ask = this.asking.shift()
    if (ask === undefined) {
      // Nobody has seen it: its delivery count does not rise when the iteration is left.
      delivery.sent = false
      this.waiting.push(delivery)
    } else ask({ done: false, value: this.received(delivery) })
  }

  cancelled(): void {
    this.end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    const delivery = this.waiting.shift()
    if (delivery !== undefined) {
      delivery.sent = true
      return Promise.resolve({ done: false, value: this.received(delivery) })
    }
    if (this.ended) return Promise.resolve(END)
    return new Promise((resolve) => {
      this.asking.push(resolve)
      if (!this.isAhead) this.consumer?.resume()
    })
  }

  return(): Promise<Result> {
    this.consumer?.close()
    this.end()
    return Promise.resolve(END)
  }

  private end(): void {
    if (this.ended) return
    this.ended = true
    this.waiting.length = 0
    for (const ask of this.asking.splice(0)) ask(END)
    this.onEnd(this)
  }
}
