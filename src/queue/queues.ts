import type { DeathReason } from '../message/amqp-part.ts'
import { AmqpPart } from '../message/amqp-part.ts'
import { EMPTY_TABLE, type FieldTable } from '../message/field-table.ts'
import { EMPTY, Message } from '../message/message.ts'
import type { Router } from '../router/router.ts'
import type { Store } from '../store/store.ts'
import { deadMessage, isCycle, routingKeysOf } from './dead-letter.ts'
import type { Exchange } from './exchange.ts'
import { topicOfKey } from '../message/key-topic.ts'
import { propertiesOf } from './message-headers.ts'
import type { Queue } from './queue.ts'
import { QueueError } from './queue-error.ts'
import type { QueueHost } from './queue-host.ts'
import { Registry, type RegistryLimits } from './registry.ts'
import { route } from './routing.ts'

export interface QueuesOptions extends Partial<RegistryLimits> {
  readonly store: Store
  readonly router: Router
  /** Messages and bytes that any one queue may hold, whatever its arguments say. */
  readonly messagesMax?: number
  readonly bytesMax?: number
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
  readonly messagesMax: number
  readonly bytesMax: number
  /**
   * Publishes to the topics of MQTT: a broker puts its whole pipeline here. The router's destinations get the message,
   * queues that are bound to `amq.topic` among them.
   */
  toTopics: (message: Message) => void
  private readonly dead: Dead[] = []
  private burying = false

  constructor(options: QueuesOptions) {
    super(options.store, options.router, options)
    this.messagesMax = options.messagesMax ?? 100_000_000
    this.bytesMax = options.bytesMax ?? 1024 ** 4
    this.toTopics = (message) => {
      for (const delivery of this.router.route(message.topic).deliveries) delivery.destination.offer(message, delivery)
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
    const part = new AmqpPart(exchangeName, routingKey, properties)
    const topic = publication.topic ?? topicOfKey(routingKey)
    const probe = new Message(topic, payload, 1, false)
    probe.amqp = part
    const { expiration, deliveryMode } = properties.length === 0 ? {} : propertiesOf(probe)
    const expiresAtMs = expiration === undefined ? 0 : this.store.clock.now() + expirationMs(expiration)
    const message = new Message(topic, payload, deliveryMode === 1 ? 0 : 1, false, EMPTY, expiresAtMs, publisher)
    message.amqp = part
    return { message, routed: this.send(exchange, message) }
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
    const keys = deadLetterRoutingKey === undefined ? routingKeysOf(message) : [deadLetterRoutingKey]
    const nowMs = this.store.clock.now()
    const dead = deadMessage(message, queue.name, reason, nowMs, deadLetterExchange, keys[0] ?? '')
    this.send(exchange, dead, keys, (target) => !isCycle(target.name, dead.amqp?.deaths ?? []))
  }

  private send(
    exchange: Exchange,
    message: Message,
    keys: readonly string[] = routingKeysOf(message, true),
    mayGet: (queue: Queue) => boolean = () => true,
  ): boolean {
    const { queues, topics } = route(this, this.router, exchange, message, keys)
    let routed = queues.size > 0
    if (topics) {
      const { deliveries } = this.router.route(message.topic)
      routed ||= deliveries.length > 0
      // What is reached by topics gets it from there.
      const source = this.exchange('amq.topic')
      for (const queue of route(this, this.router, source, message, keys).queues) queues.delete(queue)
      this.toTopics(message)
    }
    for (const queue of queues) if (mayGet(queue)) queue.offer(message)
    return routed
  }
}

/** A field table from a plain object or Map, for declarations in code. */
export function argumentsOf(plain: Readonly<Record<string, unknown>> | FieldTable | undefined): FieldTable {
  if (plain === undefined) return EMPTY_TABLE
  return plain instanceof Map ? (plain as FieldTable) : (new Map(Object.entries(plain)) as FieldTable)
}

function expirationMs(expiration: string): number {
  if (/^\d{1,10}$/.test(expiration)) return Number(expiration)
  throw new QueueError(406, `invalid expiration '${expiration}'`)
}
