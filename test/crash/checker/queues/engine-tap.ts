import type { Consumer, Receiver } from '../../../../src/queue/consumer.ts'
import type { QueueDelivery } from '../../../../src/queue/queue-delivery.ts'
import type { Queues } from '../../../../src/queue/queues.ts'
import { serialOf } from '../journal.ts'
import { pause, type Stage } from '../stage.ts'
import { ConnectionLost } from '../world.ts'
import type { AnswerKind, Given } from './ledger.ts'
import type { Line, Taken, Tap } from './tap.ts'

/** Consumers in the process of the broker. */
export class EngineTap implements Tap {
  private readonly stage: Stage
  private readonly queues: () => Queues
  private readonly prefetch: number

  constructor(stage: Stage, queues: () => Queues, prefetch: number) {
    this.stage = stage
    this.queues = queues
    this.prefetch = prefetch
  }

  async open(queue: string, take: (taken: Taken) => void): Promise<Line> {
    await this.stage.up()
    if (!this.stage.isUp) throw new ConnectionLost()
    return new EngineLine(this.stage, this.queues(), queue, this.prefetch, take)
  }
}

class EngineLine implements Line, Receiver {
  readonly ready = true
  private readonly stage: Stage
  private readonly queues: Queues
  private readonly consumer: Consumer
  private readonly take: (taken: Taken) => void
  private readonly since: number
  private isClosed = false

  constructor(stage: Stage, queues: Queues, queue: string, prefetch: number, take: (taken: Taken) => void) {
    this.stage = stage
    this.queues = queues
    this.take = take
    this.since = stage.upSinceMs
    this.consumer = queues.queue(queue).consume(this, { prefetch })
  }

  get isOpen(): boolean {
    return !this.isClosed && this.stage.isUp && this.stage.upSinceMs === this.since
  }

  deliver(delivery: QueueDelivery): void {
    if (!this.isOpen) return
    this.take({
      given: givenOf(delivery),
      answer: (kind: AnswerKind) => {
        if (kind === 'ack') delivery.ack()
        else delivery.reject()
      },
      canReject: true,
      giveBack: () => void delivery.requeue(),
    })
  }

  cancelled(): void {
    this.isClosed = true
  }

  async commit(): Promise<boolean> {
    let isStored = false
    this.queues.store.commit.wait({ committed: () => (isStored = true) })
    while (this.isOpen && !isStored) await pause(1)
    return this.isOpen && isStored
  }

  close(): void {
    if (this.isOpen) this.consumer.close()
    this.isClosed = true
  }
}

function givenOf({ message, deliveryCount, redelivered }: QueueDelivery): Given {
  const death = message.amqp?.deaths[0]
  const payload = message.payload.toString()
  return {
    topic: message.topic,
    serial: serialOf(payload),
    payload,
    count: deliveryCount,
    redelivered,
    deathReason: death?.reason ?? '',
    deathQueue: death?.queue ?? '',
    deaths: message.amqp?.deaths.reduce((sum, { count }) => sum + count, 0) ?? 0,
  }
}
