import { queueNameOf } from '../../message/queue-topic.ts'
import type { Broker } from '../../broker/broker.ts'
import type { Message } from '../../message/message.ts'
import type { Destination } from '../../router/destination.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'

const TOLD_EVERY_MS = 1000

/** What is published to `$queue/<name>` enters the queue of that name, as through AMQP's default exchange. */
export class QueueEntrance implements Destination {
  private readonly broker: Broker
  private readonly queueName: string
  private toldAtMs = 0

  constructor(broker: Broker, topic: string) {
    this.broker = broker
    this.queueName = queueNameOf(topic) ?? ''
  }

  get stores(): boolean {
    return this.broker.queues.engine.queues.get(this.queueName)?.stores === true
  }

  offer(message: Message): void {
    const queue = this.broker.queues.engine.queues.get(this.queueName)
    if (queue !== undefined) {
      queue.offer(message)
      return
    }
    message.refusal = ReasonCode.TopicNameInvalid
    this.tell(message)
  }

  /** Once a second at most: a device that goes on publishing could fill the disk with it. */
  private tell({ publisher }: Message): void {
    const { clock, log } = this.broker
    const now = clock.now()
    if (now - this.toldAtMs < TOLD_EVERY_MS) return
    this.toldAtMs = now
    log.warn({ queue: this.queueName, clientId: publisher }, 'a message was refused: there is no such queue')
  }
}
