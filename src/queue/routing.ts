import type { FieldTable } from '../message/field-table.ts'
import { filterOfKey, keyOfTopic, type TopicConversion, topicOfKey } from '../message/key-topic.ts'
import type { Message } from '../message/message.ts'
import type { Delivery, Destination } from '../router/destination.ts'
import type { Router } from '../router/router.ts'
import type { Binding, Target } from './binding.ts'
import { routingKeysOf, TOPIC_EXCHANGE } from './dead-letter.ts'
import type { Exchange } from './exchange.ts'
import { headersOf } from './message-headers.ts'
import { Queue } from './queue.ts'

/** Where a message goes. */
export interface Routed {
  readonly queues: Set<Queue>
  /** It came by `amq.topic`: MQTT's subscribers of these topics get it too. */
  readonly topics: readonly string[]
}

/** The names that routing looks up. */
export interface Names {
  readonly queues: ReadonlyMap<string, Queue>
  readonly exchanges: ReadonlyMap<string, Exchange>
  readonly conversion: TopicConversion
}

/** Follows the bindings from an exchange to queues; each exchange is visited once, each queue gets a message once. */
export function route(
  names: Names,
  router: Router,
  start: Exchange,
  message: Message,
  keys: readonly string[],
): Routed {
  const queues = new Set<Queue>()
  const visited = new Set<Exchange>([start])
  const waiting = [start]
  let known: FieldTable | undefined
  const headers = (): FieldTable => {
    known ??= headersOf(message)
    return known
  }
  let topics: readonly string[] = []
  for (let exchange = waiting.pop(); exchange !== undefined; exchange = waiting.pop()) {
    const found = new Set<Target>()
    if (exchange.name === '') for (const key of keys) addNamed(names, key, found)
    else if (exchange.name === TOPIC_EXCHANGE) {
      topics = topicsOf(message, keys, names.conversion)
      for (const topic of topics) addTopicTargets(router, topic, found)
    } else for (const key of keys) exchange.match(key, headers, found)
    const { alternate } = exchange
    if (found.size === 0 && alternate !== undefined) {
      const other = names.exchanges.get(alternate)
      if (other !== undefined) found.add(other)
    }
    for (const target of found) {
      if (target instanceof Queue) queues.add(target)
      else if (!visited.has(target)) {
        visited.add(target)
        waiting.push(target)
      }
    }
  }
  return { queues, topics }
}

/** The topics that the keys are: that of the message itself is known exactly, also where its key would not tell it. */
function topicsOf(message: Message, keys: readonly string[], conversion: TopicConversion): string[] {
  const own = keyOfTopic(message.topic, conversion)
  return keys.map((key) => (key === own ? message.topic : topicOfKey(key, conversion)))
}

/** Those of a topic that are no queues and do not lead to any: MQTT's subscribers. */
export function subscribersOf(deliveries: readonly Delivery[]): Delivery[] {
  return deliveries.filter(
    ({ destination }) => !(destination instanceof Queue) && !(destination instanceof ExchangeInTopics),
  )
}

function addNamed(names: Names, key: string, found: Set<Target>): void {
  const queue = names.queues.get(key)
  if (queue !== undefined) found.add(queue)
}

function addTopicTargets(router: Router, topic: string, found: Set<Target>): void {
  for (const { destination } of router.route(topic).deliveries) {
    if (destination instanceof Queue) found.add(destination)
    else if (destination instanceof ExchangeInTopics) found.add(destination.exchange)
  }
}

/** An exchange that is bound to `amq.topic`: it stands in the router in place of the queues behind it. */
class ExchangeInTopics implements Destination {
  readonly exchange: Exchange
  private readonly space: TopicSpace

  constructor(space: TopicSpace, exchange: Exchange) {
    this.space = space
    this.exchange = exchange
  }

  /** A durable queue is behind it, be it over other exchanges. */
  get stores(): boolean {
    const seen = new Set<Target>([this.exchange])
    for (const target of seen) {
      if (target instanceof Queue) {
        if (target.stores) return true
      } else for (const binding of target.bindings.values()) seen.add(binding.target)
    }
    return false
  }

  offer(message: Message, delivery: Delivery): void {
    this.space.offerBehind(this, message, delivery)
  }
}

/** `amq.topic` and the topics of MQTT are one: its bindings are subscriptions in the router. */
export class TopicSpace {
  private readonly names: Names
  private readonly router: Router
  private readonly standIns = new Map<Exchange, ExchangeInTopics>()
  /** How many bindings (they may differ in their arguments) are one subscription. */
  private readonly uses = new Map<Target, Map<string, number>>()

  constructor(names: Names, router: Router) {
    this.names = names
    this.router = router
  }

  add({ target, key }: Binding): void {
    const filter = filterOfKey(key, this.names.conversion)
    const filters = this.uses.get(target) ?? new Map<string, number>()
    this.uses.set(target, filters)
    filters.set(filter, (filters.get(filter) ?? 0) + 1)
    const subscription = { filter, qos: 2, noLocal: false, retainAsPublished: true, identifier: 0 } as const
    this.router.subscribe(filter, this.destinationOf(target), subscription)
  }

  remove({ target, key }: Binding): void {
    const filter = filterOfKey(key, this.names.conversion)
    const filters = this.uses.get(target)
    const left = (filters?.get(filter) ?? 1) - 1
    if (left > 0) {
      filters?.set(filter, left)
      return
    }
    filters?.delete(filter)
    this.router.unsubscribe(filter, this.destinationOf(target))
    if (filters?.size !== 0) return
    this.uses.delete(target)
    if (!(target instanceof Queue)) this.standIns.delete(target)
  }

  /** The first of the exchanges that a topic leads to sees to all of them, so that no queue gets a message twice. */
  offerBehind(asked: ExchangeInTopics, message: Message, _delivery: Delivery): void {
    const { deliveries } = this.router.route(message.topic)
    const first = deliveries.find(({ destination }) => destination instanceof ExchangeInTopics)
    if (first?.destination !== asked) return
    const source = this.names.exchanges.get(TOPIC_EXCHANGE)
    if (source === undefined) return
    const { queues } = route(this.names, this.router, source, message, routingKeysOf(message, this.names.conversion))
    for (const { destination } of deliveries) queues.delete(destination as Queue)
    for (const queue of queues) queue.offer(message)
  }

  private destinationOf(target: Target): Destination {
    if (target instanceof Queue) return target
    const known = this.standIns.get(target) ?? new ExchangeInTopics(this, target)
    this.standIns.set(target, known)
    return known
  }
}
