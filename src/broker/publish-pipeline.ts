import type { Message } from '../message/message.ts'
import { QUEUE_PREFIX } from '../message/queue-topic.ts'
import type { FrameRun, Route } from '../router/destination.ts'
import { ReasonCode } from '../wire/mqtt/reason-codes.ts'
import type { Numbering } from './aedes-packet.ts'
import type { Retained } from './retained.ts'

/**
 * The one way of a message through the broker: retained state, then each destination in the order of subscribing, all
 * in one turn, so that no message overtakes another. Who published it acknowledges last: after the commit that
 * `message.commitEpoch` names, and not at all where `message.refusal` is set.
 */
export class PublishPipeline {
  /** Is shown every message that is dispatched. */
  mirror: ((message: Message) => void) | undefined
  private readonly retained: Retained
  private readonly numbering: Numbering

  constructor(retained: Retained, numbering: Numbering) {
    this.retained = retained
    this.numbering = numbering
  }

  dispatch(message: Message, route: Route): void {
    this.numbering.counter++
    // Nothing is retained of what goes into one queue.
    const retain = message.retain && !message.topic.startsWith(QUEUE_PREFIX)
    if (retain && !this.retained.set(message)) {
      message.refusal = ReasonCode.QuotaExceeded
      return
    }
    if (this.mirror !== undefined) this.mirror(message)
    const { deliveries } = route
    for (let i = 0; i < deliveries.length; i++) {
      const delivery = deliveries[i] as (typeof deliveries)[number]
      delivery.destination.offer(message, delivery)
    }
    // Frames that were encoded for those who are here now would double what a retained message takes.
    if (retain) message.frames = undefined
  }

  /** `split` makes the messages of the run, asked for at most once, and only when a destination needs them. */
  dispatchFrames(run: FrameRun, route: Route, split: (run: FrameRun) => Message[]): void {
    this.numbering.counter += run.count
    let messages: Message[] | undefined
    const { deliveries } = route
    for (let i = 0; i < deliveries.length; i++) {
      const delivery = deliveries[i] as (typeof deliveries)[number]
      const { destination } = delivery
      if (destination.offerFrames?.(run, delivery) === true) continue
      messages ??= split(run)
      for (const message of messages) destination.offer(message, delivery)
    }
  }
}
