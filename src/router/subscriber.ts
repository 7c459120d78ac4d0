import type { Delivery, Destination, Subscription } from './destination.ts'

const NO_IDENTIFIERS: readonly number[] = []
const LIST_MAX = 8

/** One destination's subscription on one filter. */
export class Subscriber {
  readonly destination: Destination
  /** Order of subscribing over the whole router. */
  readonly sequence: number
  private current: Subscription
  private alone: Delivery | undefined = undefined

  constructor(destination: Destination, subscription: Subscription, sequence: number) {
    this.destination = destination
    this.current = subscription
    this.sequence = sequence
  }

  get subscription(): Subscription {
    return this.current
  }

  /** Keeps the place in the order. False: it says the same as before. */
  replace(subscription: Subscription): boolean {
    const before = this.current
    this.current = subscription
    if (
      before.qos === subscription.qos &&
      before.noLocal === subscription.noLocal &&
      before.retainAsPublished === subscription.retainAsPublished &&
      before.identifier === subscription.identifier
    )
      return false
    this.alone = undefined
    return true
  }

  /** What the destination gets where no other subscription of it matches; one object for all topics. */
  get delivery(): Delivery {
    this.alone ??= deliveryOf(this.destination, this.current)
    return this.alone
  }
}

export function deliveryOf(destination: Destination, subscription: Subscription): Delivery {
  const { qos, noLocal, retainAsPublished, identifier } = subscription
  return {
    destination,
    qos,
    noLocal,
    retainAsPublished,
    identifiers: identifier === 0 ? NO_IDENTIFIERS : [identifier],
  }
}

/** The subscribers of one filter in order: most filters have one, some a hundred thousand. */
export type Subscribers = Subscriber | Subscriber[] | Map<Destination, Subscriber>

export function subscriberOf(all: Subscribers, destination: Destination): Subscriber | undefined {
  if (all instanceof Subscriber) return all.destination === destination ? all : undefined
  if (all instanceof Map) return all.get(destination)
  for (const subscriber of all) if (subscriber.destination === destination) return subscriber
  return undefined
}

/** The same object where it had room, another one to keep instead where it had not. */
export function withSubscriber(all: Subscribers | undefined, added: Subscriber): Subscribers {
  if (all === undefined) return added
  if (all instanceof Subscriber) return [all, added]
  if (all instanceof Map) return all.set(added.destination, added)
  if (all.length < LIST_MAX) {
    all.push(added)
    return all
  }
  const map = new Map<Destination, Subscriber>()
  for (const subscriber of all) map.set(subscriber.destination, subscriber)
  return map.set(added.destination, added)
}

/** What is left without a subscriber that is there; undefined: none. */
export function withoutSubscriber(all: Subscribers, destination: Destination): Subscribers | undefined {
  if (all instanceof Subscriber) return undefined
  if (all instanceof Map) {
    all.delete(destination)
    return all.size > LIST_MAX / 2 ? all : [...all.values()]
  }
  const left = all.filter((subscriber) => subscriber.destination !== destination)
  return left.length > 1 ? left : left[0]
}

/** The subscribers of several filters, in the order of subscribing. */
export function inOrder(found: readonly Subscribers[]): Subscriber[] {
  const list: Subscriber[] = []
  for (const all of found) {
    if (all instanceof Subscriber) list.push(all)
    else for (const subscriber of all.values()) list.push(subscriber)
  }
  if (found.length > 1) list.sort((a, b) => a.sequence - b.sequence)
  return list
}
