import { AmqpPart, type Death, type DeathReason } from '../message/amqp-part.ts'
import { withoutHeader } from '../message/basic-properties.ts'
import { keyOfTopic, type TopicConversion, topicOfKey } from '../message/key-topic.ts'
import { EMPTY, Message } from '../message/message.ts'
import { mqttProperties, TOPIC_HEADER } from '../message/property-mapping.ts'
import { topicNameProblem } from '../message/topic.ts'
import type { Destination, Route } from '../router/destination.ts'
import type { Router } from '../router/router.ts'
import type { Store } from '../store/store.ts'
import { addKeys, deadMessage, isCycle, routingKeysOf } from './dead-letter.ts'
import type { Exchange } from './exchange.ts'
import { readProperties } from './message-headers.ts'
import type { Queue } from './queue.ts'
import { QueueError } from './queue-error.ts'
import type { QueueHost } from './queue-host.ts'
import { Registry, type RegistryOptions } from './registry.ts'
import { route, subscribersOf } from './routing.ts'

export interface QueuesOptions extends RegistryOptions {
  readonly store: Store
  readonly router: Router
}

/** A message as it is published to an exchange. */
export interface Publication {
  readonly payload: Buffer
  /** Property flags and list as in AMQP's content header; empty: none. */
  readonly properties?: Buffer
  /** The exact MQTT topic where it is known better than by the routing key. */
  readonly topic?: string
  readonly publisher?: string
}

/** What became of a publication: `message` says when it is durable (`commitEpoch`) and who refused it (`refusal`). */
export interface Published {
  readonly message: Message
  /** False: no queue and no subscriber gets it. */
  readonly routed: boolean
}

interface Dead {
  readonly queue: Queue
  readonly message: Message
  readonly reason: DeathReason
}

/** The queue engine: exchanges, queues, bindings, and the way of a message through them. It knows no protocol. */
export class Queues extends Registry implements QueueHost {
  /**
   * Hands a message to subscribers of MQTT: a broker puts its whole pipeline here. Queues that are bound to `amq.topic`
   * are not among them, they get it from the engine.
   */
  toTopics: (message: Message, route: Route) => void
  private readonly dead: Dead[] = []
  private burying = false

  constructor(options: QueuesOptions) {
    super(options.store, options.router, options)
    this.toTopics = (message, { deliveries }) => {
      for (const delivery of deliveries) delivery.destination.offer(message, delivery)
    }
  }

  /**
   * Publishes a message that came in AMQP's shape. Throws QueueError: no such exchange (404), internal (403), or an
   * expiration that is no number (406).
   */
  publish(exchangeName: string, routingKey: string, publication: Publication): Published {
    const exchange = this.exchange(exchangeName)
    if (exchange.definition.internal) {
      throw new QueueError(403, `cannot publish to internal exchange '${exchangeName}' in vhost '/'`)
    }
    const { payload, properties = EMPTY, publisher = '' } = publication
    const { raw, keys, expiration, deliveryMode, exactTopic } = readHead(routingKey, properties, this.conversion)
    const topic = publication.topic ?? exactTopic ?? topicOfKey(routingKey, this.conversion)
    const expiresAtMs = expiration === undefined ? 0 : this.store.clock.now() + expirationMs(expiration)
    const message = new Message(topic, payload, deliveryMode === 1 ? 0 : 1, false, EMPTY, expiresAtMs, publisher)
    message.amqp = new AmqpPart(exchangeName, routingKey, raw)
    return { message, routed: this.send(exchange, message, keys) }
  }

  /** Puts one message into one queue, as the default exchange does. */
  enqueue(queueName: string, publication: Publication): Published {
    this.queue(queueName)
    return this.publish('', queueName, publication)
  }

  /** For queues: a message left without being acknowledged. */
  died(queue: Queue, message: Message, reason: DeathReason): void {
    if (queue.settings.deadLetterExchange === undefined) return
    this.dead.push({ queue, message, reason })
    // One after the other: dead letters that push out others must not pile up on the stack.
    if (this.burying) return
    this.burying = true
    try {
      for (let next = this.dead.shift(); next !== undefined; next = this.dead.shift()) this.bury(next)
    } finally {
      this.burying = false
    }
  }

  private bury({ queue, message, reason }: Dead): void {
    const { deadLetterExchange = '', deadLetterRoutingKey } = queue.settings
    // As in RabbitMQ: where the exchange is missing at this time the message is dropped.
    const exchange = this.exchanges.get(deadLetterExchange)
    if (exchange === undefined) return
    const { conversion } = this
    const keys = deadLetterRoutingKey === undefined ? routingKeysOf(message, conversion) : [deadLetterRoutingKey]
    const nowMs = this.store.clock.now()
    const dead = deadMessage(message, queue.name, reason, nowMs, deadLetterExchange, keys[0] ?? '', conversion)
    this.send(exchange, dead, keys, dead.amqp?.deaths)
  }

  /** `deaths`: of a message that must not come back to where it died. */
  private send(exchange: Exchange, message: Message, keys: readonly string[], deaths?: readonly Death[]): boolean {
    if (exchange.name === '' && keys.length === 1) return this.sendTo(this.queues.get(keys[0] ?? ''), message, deaths)
    const { queues, topics } = route(this, this.router, exchange, message, keys)
    const isHeard = topics.length > 0 && this.sendToSubscribers(message, topics)
    for (const queue of queues) this.sendTo(queue, message, deaths)
    return isHeard || queues.size > 0
  }

  private sendTo(queue: Queue | undefined, message: Message, deaths: readonly Death[] | undefined): boolean {
    if (queue === undefined) return false
    if (deaths === undefined || !isCycle(queue.name, deaths)) queue.offer(message)
    return true
  }

  /** Each subscriber gets the message once, with the first of the topics that it has subscribed to. */
  private sendToSubscribers(message: Message, topics: readonly string[]): boolean {
    const served = new Set<Destination>()
    for (const topic of topics) {
      const deliveries = subscribersOf(this.router.route(topic).deliveries).filter(
        (each) => !served.has(each.destination),
      )
      for (const { destination } of deliveries) served.add(destination)
      if (deliveries.length > 0 && message.properties.length === 0) {
        message.properties = mqttProperties(message, this.conversion)
      }
      const there = topic === message.topic ? message : withTopic(message, topic)
      this.toTopics(there, { topic, deliveries, stale: true })
      if (there === message) continue
      message.commitEpoch = Math.max(message.commitEpoch, there.commitEpoch)
      if (there.refusal !== 0) message.refusal = there.refusal
    }
    return served.size > 0
  }
}

/** What routing needs to know of the properties of a message that is published. */
interface Head {
  /** As they are kept: without `BCC`, which no receiver may see. */
  readonly raw: Buffer
  /** The routing key, and those of the headers `CC` and `BCC`. */
  readonly keys: readonly string[]
  readonly expiration?: string | undefined
  readonly deliveryMode?: number | undefined
  /** Of a message that came over MQTT before, where its key still says the same. */
  readonly exactTopic?: string | undefined
}

function readHead(routingKey: string, raw: Buffer, conversion: TopicConversion): Head {
  if (raw.length === 0) return { raw, keys: [routingKey] }
  const { expiration, deliveryMode, headers } = readProperties(raw)
  const keys = [routingKey]
  if (headers === undefined) return { raw, keys, expiration, deliveryMode }
  addKeys(headers.get('CC'), keys)
  addKeys(headers.get('BCC'), keys)
  const topic = headers.get(TOPIC_HEADER)
  const isExact = typeof topic === 'string' && topicNameProblem(topic) === undefined
  return {
    raw: headers.has('BCC') ? withoutHeader(raw, 'BCC') : raw,
    keys,
    expiration,
    deliveryMode,
    exactTopic: isExact && keyOfTopic(topic, conversion) === routingKey ? topic : undefined,
  }
}

function withTopic(message: Message, topic: string): Message {
  const { payload, qos, retain, properties, expiresAtMs, publisher } = message
  const copy = new Message(topic, payload, qos, retain, properties, expiresAtMs, publisher)
  copy.amqp = message.amqp
  return copy
}

function expirationMs(expiration: string): number {
  if (/^\d{1,10}$/.test(expiration)) return Number(expiration)
  throw new QueueError(406, `invalid expiration '${expiration}'`)
}
