import { EMPTY } from '../../message/message.ts'
import type { Consumer, Receiver } from '../../queue/consumer.ts'
import type { Queue } from '../../queue/queue.ts'
import type { QueueDelivery } from '../../queue/queue-delivery.ts'
import type { Connection } from './connection.ts'
import type { QueueConsumptions } from './queue-consumptions.ts'
import { QueueFrames } from './queue-frame.ts'
import { queueProperties } from './queue-properties.ts'
import type { ClientSubscription } from './subscription-record.ts'

// A dead letter may be sent back to the queue that it came from, and nobody but the broker would end that.
const RETURNS_MAX = 100

/** A connected client that consumes from one queue. */
export class QueueConsumption implements Receiver {
  readonly queue: Queue
  readonly consumer: Consumer
  /** False until SUBACK is out: nothing of the queue goes before it. */
  begun: boolean
  /** Stands among those that wait for a place in the window. */
  waits = false
  private readonly all: QueueConsumptions
  private readonly connection: Connection
  private subscription: ClientSubscription
  private frames: QueueFrames

  /** Throws QueueError: somebody consumes exclusively. */
  constructor(
    all: QueueConsumptions,
    connection: Connection,
    queue: Queue,
    subscription: ClientSubscription,
    begun: boolean,
  ) {
    this.all = all
    this.connection = connection
    this.queue = queue
    this.subscription = subscription
    this.begun = begun
    this.frames = this.framesFor(subscription)
    this.consumer = queue.consume(this)
  }

  /** QoS 0: messages are done with when they are written. */
  get isUnanswered(): boolean {
    return this.subscription.qos === 0
  }

  get ready(): boolean {
    return this.all.mayTake(this)
  }

  change(subscription: ClientSubscription): void {
    this.subscription = subscription
    this.frames = this.framesFor(subscription)
    this.consumer.resume()
  }

  deliver(delivery: QueueDelivery): void {
    const { connection, isUnanswered } = this
    const { broker, outbox, packetBytesMax } = connection
    const { message, deliveryCount, redelivered } = delivery
    const packetId = isUnanswered ? 0 : this.all.take(delivery)
    const publish = {
      message,
      qos: isUnanswered ? 0 : 1,
      packetId,
      // After a crash only this much is known of what may have been sent before.
      deliveryCount: redelivered && deliveryCount === 0 ? 1 : deliveryCount,
      expirySeconds: message.expiresAtMs === 0 ? undefined : secondsLeft(message.expiresAtMs - broker.clock.now()),
      properties: connection.version5 ? queueProperties(message, broker.queues.engine.conversion) : EMPTY,
    } as const
    delivery.entry.sentWith = outbox.nextFlush
    if (!this.frames.write(outbox, publish, packetBytesMax)) {
      this.refuse(delivery, packetId)
      return
    }
    const { counters } = broker
    counters.packetsSent++
    counters.publishSent++
    counters.publishBytesSent += message.payload.length
    if (isUnanswered) delivery.ack()
  }

  cancelled(): void {
    this.all.gone(this.subscription.requested)
  }

  /** MQTT-3.1.2-24: a message larger than this client takes must not stay at the head for ever. */
  private refuse(delivery: QueueDelivery, packetId: number): void {
    const { broker } = this.connection
    this.all.forget(packetId)
    broker.counters.publishDropped++
    const { queue, message } = delivery
    const fields = this.connection.logFields({ queue: queue.name, topic: message.topic })
    const returns = message.amqp?.deaths.find((death) => death.queue === queue.name)?.count ?? 0
    broker.log.warn(fields, 'a message of a queue is larger than the Maximum Packet Size of its consumer')
    if (returns < RETURNS_MAX) delivery.reject()
    else delivery.ack()
  }

  private framesFor({ identifier }: ClientSubscription): QueueFrames {
    return new QueueFrames(this.queue.name, this.connection.version5, identifier)
  }
}

/** MQTT-3.3.2-6; within its four bytes also when the clock was set back. */
function secondsLeft(leftMs: number): number {
  return Math.min(Math.max(0, Math.ceil(leftMs / 1000)), 0xffff_ffff)
}
