import type { Message } from '../../src/message/message.ts'
import type { Delivery, Destination, Subscription } from '../../src/router/destination.ts'

/** A destination that remembers what it was offered. */
export class RecordingDestination implements Destination {
  readonly name: string
  readonly messages: Message[] = []
  readonly deliveries: Delivery[] = []

  constructor(name: string) {
    this.name = name
  }

  offer(message: Message, delivery: Delivery): void {
    this.messages.push(message)
    this.deliveries.push(delivery)
  }
}

/** A subscription on `filter`, with what is said otherwise. */
export function subscriptionOn(filter: string, more: Partial<Subscription> = {}): Subscription {
  return { filter, qos: 0, noLocal: false, retainAsPublished: false, identifier: 0, ...more }
}
