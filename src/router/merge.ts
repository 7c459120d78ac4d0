import type { Delivery, Destination } from './destination.ts'
import type { Subscriber } from './subscriber.ts'

const NO_DELIVERIES: readonly Delivery[] = []

/** One delivery for each destination, at the place of its first subscription (MQTT-3.3.4-2, MQTT-3.3.4-4). */
export function mergeSubscribers(subscribers: readonly Subscriber[]): readonly Delivery[] {
  const [first] = subscribers
  if (first === undefined) return NO_DELIVERIES
  if (subscribers.length === 1) return [first.delivery]
  const merged = new Map<Destination, Delivery>()
  for (const subscriber of subscribers) {
    const { destination, delivery } = subscriber
    const before = merged.get(destination)
    merged.set(destination, before === undefined ? delivery : mergeDeliveries(before, delivery))
  }
  return [...merged.values()]
}

function mergeDeliveries(a: Delivery, b: Delivery): Delivery {
  const merged = {
    destination: a.destination,
    qos: a.qos > b.qos ? a.qos : b.qos,
    noLocal: a.noLocal && b.noLocal,
    retainAsPublished: a.retainAsPublished || b.retainAsPublished,
    identifiers: mergeIdentifiers(a.identifiers, b.identifiers),
  }
  // A subscription with no-local adds nothing to the client's own messages (MQTT-3.8.3-3).
  if (a.noLocal !== b.noLocal) return { ...merged, own: ownOf(a.noLocal ? b : a) }
  if (a.own === undefined && b.own === undefined) return merged
  return { ...merged, own: mergeDeliveries(ownOf(a), ownOf(b)) }
}

function ownOf(delivery: Delivery): Delivery {
  return delivery.own ?? delivery
}

function mergeIdentifiers(a: readonly number[], b: readonly number[]): readonly number[] {
  if (b.length === 0) return a
  if (a.length === 0) return b
  return [...new Set([...a, ...b])].sort((x, y) => x - y)
}
