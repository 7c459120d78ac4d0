import { encodeProperties, type BasicProperties } from '../../../../src/message/basic-properties.ts'
import type { Queue } from '../../../../src/queue/queue.ts'
import type { QueueDelivery } from '../../../../src/queue/queue-delivery.ts'
import { Queues } from '../../../../src/queue/queues.ts'
import { argumentsOf } from '../../../support/queue-arguments.ts'
import { Router } from '../../../../src/router/router.ts'
import { storeOver } from '../../../../src/store/open-store.ts'
import type { Store } from '../../../../src/store/store.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { PowerCutDisk } from '../power-cut-disk.ts'
import { accountOf } from './queue-account.ts'

const KINDS_OF_MESSAGES = ['queued messages', 'shared messages', 'redelivery counts', 'delayed messages']

/** The queue engine on a disk whose power goes at a chosen sync, and a clock that stands still. */
export class CutWorld {
  readonly disk = new PowerCutDisk()
  clock = new FakeClock()
  queues!: Queues
  private store!: Store

  async open(): Promise<this> {
    const now = this.clock.now()
    // Timers of the life before must not go off in this one.
    this.clock = new FakeClock()
    await this.clock.advance(now - this.clock.now())
    const backend = this.disk.plugIn(() => 0)
    this.store = await storeOver(backend, 'fsync', { clock: this.clock })
    this.queues = new Queues({ store: this.store, router: new Router() })
    await this.queues.recover()
    this.store.destroyUnclaimed()
    return this
  }

  declare(name: string, args: Record<string, unknown> = {}): Queue {
    return this.queues.declareQueue(name, { arguments: argumentsOf(args) })
  }

  publish(queue: string, text: string, properties: BasicProperties = {}): void {
    const bytes = Object.keys(properties).length === 0 ? {} : { properties: encodeProperties(properties) }
    this.queues.publish('', queue, { payload: Buffer.from(text), ...bytes })
  }

  /** All messages that are ready, handed out. */
  take(name: string): QueueDelivery[] {
    const queue = this.queues.queue(name)
    const taken: QueueDelivery[] = []
    for (let next = queue.get(); next !== undefined; next = queue.get()) taken.push(next)
    return taken
  }

  /** Everything that is under way has been written or read. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) {
      await this.queues.committed()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Texts of the messages in a queue, in their order; they are acknowledged. Empty where there is no such queue. */
  async drain(name: string): Promise<string[]> {
    if (!this.queues.queues.has(name)) return []
    const texts: string[] = []
    for (let misses = 0; misses < 2; ) {
      const taken = this.take(name)
      for (const delivery of taken) {
        const deaths = delivery.message.amqp?.deaths ?? []
        texts.push(
          [delivery.message.payload.toString(), ...deaths.map((each) => `${each.reason} ${each.count}`)].join(' '),
        )
        delivery.ack()
      }
      if (taken.length === 0) misses++
      await this.settle()
    }
    return texts
  }

  /** What is on the disk and should not be, once all queues are drained. */
  async leftovers(): Promise<string[]> {
    await this.settle()
    const { good, leftovers, damaged } = await accountOf(await this.disk.all())
    const left = KINDS_OF_MESSAGES.filter((kind) => (good.get(kind) ?? 0) > 0).map(
      (kind) => `${good.get(kind)} ${kind}`,
    )
    return [...left, ...leftovers, ...damaged]
  }
}
