import { type BasicProperties, decodeProperties } from '../message/basic-properties.ts'
import { EMPTY_TABLE, type FieldTable } from '../message/field-table.ts'
import type { TopicConversion } from '../message/key-topic.ts'
import type { Message } from '../message/message.ts'
import { deliveredProperties, exchangeOf, routingKeyOf } from './dead-letter.ts'
import type { QueueDelivery } from './queue-delivery.ts'

/** What a queue knows of one of its messages. */
export interface MessageFacts {
  readonly message: Message
  readonly enqueuedMs: number
  readonly redelivered: boolean
  readonly deliveryCount: number
}

/** A message of a queue as a program sees it. */
export class QueueMessage {
  /** Name of the queue. */
  readonly queue: string
  readonly payload: Buffer
  /** The exact MQTT topic; for one that was published to an exchange, its routing key with `/` for `.`. */
  readonly topic: string
  /** When it came into the queue first, in milliseconds since 1970. */
  readonly enqueuedMs: number
  /** May have been handed out before. */
  readonly redelivered: boolean
  /** How often it has come back. */
  readonly deliveryCount: number
  private readonly message: Message
  private readonly conversion: TopicConversion
  private readonly nowMs: number
  private decoded: BasicProperties | undefined

  constructor(queue: string, facts: MessageFacts, nowMs: number, conversion: TopicConversion) {
    const { message } = facts
    this.queue = queue
    this.payload = message.payload
    this.topic = message.topic
    this.enqueuedMs = facts.enqueuedMs
    this.redelivered = facts.redelivered
    this.deliveryCount = facts.deliveryCount
    this.message = message
    this.conversion = conversion
    this.nowMs = nowMs
  }

  /** The payload as UTF-8. */
  get text(): string {
    return this.payload.toString()
  }

  /** The exchange that it was published to; `amq.topic` for what came over MQTT. */
  get exchange(): string {
    return exchangeOf(this.message)
  }

  get routingKey(): string {
    return routingKeyOf(this.message, this.conversion)
  }

  /** AMQP's properties; MQTT's are among them under AMQP's names (docs/queues.md, "Properties"). */
  get properties(): BasicProperties {
    this.decoded ??= decode(deliveredProperties(this.message, this.deliveryCount, this.nowMs, this.conversion))
    return this.decoded
  }

  /** AMQP headers or MQTT user properties, and those that tell of its deaths. */
  get headers(): FieldTable {
    return this.properties.headers ?? EMPTY_TABLE
  }
}

/** A message that was handed out, to be answered once; further answers change nothing. */
export class ReceivedMessage extends QueueMessage {
  private readonly delivery: QueueDelivery

  constructor(delivery: QueueDelivery, enqueuedMs: number, nowMs: number, conversion: TopicConversion) {
    const { message, redelivered, deliveryCount } = delivery
    super(delivery.queue.name, { message, enqueuedMs, redelivered, deliveryCount }, nowMs, conversion)
    this.delivery = delivery
  }

  get answered(): boolean {
    return this.delivery.settled
  }

  /** Done: it leaves the queue for good. */
  ack(): void {
    this.delivery.ack()
  }

  /** Not done: it is ready again at its old place, with one more on its delivery count. */
  nack(): void {
    this.delivery.requeue()
  }

  /** Cannot be done: tried again after the queue's next retry delay, or dead-lettered, or dropped. */
  reject(): void {
    this.delivery.reject()
  }
}

function decode(bytes: Buffer): BasicProperties {
  try {
    return decodeProperties(bytes)
  } catch {
    // They came over AMQP and are no properties; the payload is still there to be dealt with.
    return {}
  }
}
