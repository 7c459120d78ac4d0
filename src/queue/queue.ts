import type { DeathReason } from '../message/amqp-part.ts'
import type { Message } from '../message/message.ts'
import type { Destination } from '../router/destination.ts'
import type { FifoEntry } from '../store/fifo-entry.ts'
import type { Store } from '../store/store.ts'
import { Answers } from './answers.ts'
import type { Binding } from './binding.ts'
import { browse, type Browsed } from './browse.ts'
import { Consumer, type ConsumeOptions, type Receiver } from './consumer.ts'
import type { Belongings } from './definition-store.ts'
import { type Delayed, DelayLine } from './delay-line.ts'
import { Dispatcher } from './dispatcher.ts'
import { QueueContents } from './queue-contents.ts'
import type { QueueDefinition, StoredQueue } from './queue-definition.ts'
import { QueueDelivery } from './queue-delivery.ts'
import { QueueError } from './queue-error.ts'
import type { QueueHost } from './queue-host.ts'
import { QueueIntake } from './queue-intake.ts'
import type { QueueSettings } from './queue-settings.ts'
import { Meter, type Outstanding, type QueueStats } from './queue-stats.ts'
import { QueueTimers } from './queue-timers.ts'

// So many messages are handed out before others get their turn of the event loop.
const PUMP_MAX = 1_000

/**
 * A queue: strict first-in first-out among the ready messages of one priority, for competing consumers that answer
 * each message. All calls are synchronous; the store makes them durable together.
 */
export class Queue implements Destination {
  readonly kind = 'queue'
  readonly name: string
  readonly definition: QueueDefinition
  readonly settings: QueueSettings
  /** Whose an exclusive queue is. */
  readonly owner: unknown
  readonly number: number
  readonly incoming = new Set<Binding>()
  readonly stores: boolean
  deleted = false
  private readonly contents: QueueContents
  private readonly host: QueueHost
  private readonly store: Store
  private readonly meter = new Meter()
  private readonly dispatcher: Dispatcher
  private readonly delays: DelayLine
  private readonly intake: QueueIntake
  private readonly answers: Answers
  private readonly timers: QueueTimers
  private pumping = false
  /** Something came while messages were handed out, too late to be seen. */
  private missed = false
  /** Memory is short: nothing more is handed out before something is answered. */
  private isHeld = false
  private pumpAgain: NodeJS.Immediate | undefined

  constructor(
    host: QueueHost,
    { definition, number, firstFifoId, mayExpire }: StoredQueue,
    settings: QueueSettings,
    owner: unknown,
  ) {
    const { store } = host
    const { durable } = definition
    this.host = host
    this.store = store
    this.name = definition.name
    this.definition = definition
    this.settings = settings
    this.owner = owner
    this.number = number
    this.stores = durable && store.durability !== 'memory'
    const { meter } = this
    const { messagesMax, bytesMax } = this.stores ? host.stored : host.transient
    const onExpiring = (): void => host.changed(this)
    const onDeath = (message: Message, reason: DeathReason): void => host.died(this, message, reason)
    const options = {
      store,
      durable,
      settings,
      meter,
      messagesMax,
      bytesMax,
      onReady: this.pumpNow,
      onDeath,
      onExpiring,
    }
    this.delays = new DelayLine(store, number, (delayed) => this.comeOfAge(delayed))
    this.contents = new QueueContents(options, firstFifoId, mayExpire, this.delays)
    this.dispatcher = new Dispatcher(settings.singleActiveConsumer)
    this.answers = new Answers(options, this.contents, this.delays)
    this.intake = new QueueIntake(options, this.contents, this.delays, number)
    this.timers = new QueueTimers(
      store.clock,
      settings.expiresMs,
      () => this.pump(),
      () => {
        if (this.consumerCount === 0) this.host.expired(this)
      },
    )
  }

  /** Takes over what the store holds beside the messages themselves. */
  async recover(belongings: Belongings): Promise<void> {
    await this.contents.recover(belongings)
    if (belongings.delayed.has(this.number)) await this.delays.recover()
    if (belongings.seen.has(this.number)) await this.intake.recover()
    this.pump()
  }

  get firstFifoId(): number {
    return this.contents.backlog.firstFifoId
  }

  get mayExpire(): boolean {
    return this.contents.mayExpire
  }

  get fifoIds(): number[] {
    return this.contents.backlog.fifos.map(({ fifoId }) => fifoId)
  }

  get readyCount(): number {
    return this.contents.backlog.readyCount
  }

  /** Ready messages are being read from disk: `get` may answer undefined although there are some. */
  get loading(): boolean {
    return this.contents.backlog.loading
  }

  /** What was handed out and not answered. */
  get unacknowledged(): Outstanding<QueueDelivery> {
    return this.answers.unacknowledged
  }

  get consumerCount(): number {
    return this.dispatcher.consumers.size
  }

  offer(message: Message): void {
    if (this.deleted || message.isLifeSign) return
    if (this.intake.accept(message)) this.pump()
    else if (this.settings.overflow === 'reject-publish-dlx' && this.contents.isFull) {
      this.host.died(this, message, 'maxlen')
    }
  }

  /** Adds a consumer; throws QueueError where another one, or the queue's owner, does not allow it. */
  consume(receiver: Receiver, options: ConsumeOptions = {}): Consumer {
    const consumers = [...this.dispatcher.consumers]
    if (consumers.some((each) => each.exclusive) || (options.exclusive === true && consumers.length > 0)) {
      throw new QueueError(403, `queue '${this.name}' in vhost '/' in exclusive use`)
    }
    const consumer = new Consumer(this, receiver, options)
    this.dispatcher.add(consumer)
    this.timers.touch()
    if (consumers.length === 0) this.contents.backlog.active = true
    this.pump()
    return consumer
  }

  /** For the consumer. */
  cancel(consumer: Consumer, giveBack = false): void {
    const wasThere = !consumer.cancelled
    consumer.cancelled = true
    this.dispatcher.remove(consumer)
    if (giveBack) this.answers.takeBackFrom(consumer)
    if (!wasThere) return this.pump()
    if (this.deleted) return
    this.timers.touch()
    if (this.consumerCount > 0) return this.pump()
    this.contents.backlog.active = false
    if (this.definition.autoDelete) this.host.expired(this)
    else this.pump()
  }

  /** For the consumer: it may have room again. */
  resume(consumer: Consumer): void {
    if (this.dispatcher.resume(consumer)) this.pump()
  }

  /** Hands out the next message to nobody in particular; undefined: there is none, or it is being read from disk. */
  get(noAck = false): QueueDelivery | undefined {
    if (this.dispatcher.active !== undefined) {
      throw new QueueError(405, `queue '${this.name}' in vhost '/' has a single active consumer`)
    }
    this.timers.touch()
    const entry = this.contents.next(true)
    if (entry === undefined) return undefined
    const delivery = this.handOut(entry, undefined, noAck)
    // The one behind it is where messages expire now.
    if (this.contents.mayExpire) this.pump()
    return delivery
  }

  /** Up to `max` ready messages from the front, read from disk where need be: nothing changes by it. */
  browse(max: number, bytesMax = Number.POSITIVE_INFINITY): Promise<Browsed[]> {
    return browse(this.store, this.contents, this.unacknowledged, max, bytesMax)
  }

  /** One more message would be refused, or push out another. */
  get isFull(): boolean {
    return this.contents.isFull
  }

  ack(delivery: QueueDelivery): boolean {
    if (!this.answers.ack(delivery)) return false
    this.roomAgain(delivery.consumer)
    return true
  }

  /** `counts`: it was sent, so that its delivery count rises. */
  requeue(delivery: QueueDelivery, counts: boolean): boolean {
    if (!this.answers.takeBack(delivery, counts)) return false
    this.roomAgain(delivery.consumer)
    this.pump()
    return true
  }

  reject(delivery: QueueDelivery): boolean {
    if (!this.answers.reject(delivery)) return false
    this.roomAgain(delivery.consumer)
    return true
  }

  /** Removes all ready messages; answers how many. What is unacknowledged stays. A full queue holds up nobody. */
  purge(): number {
    const purged = this.readyCount
    this.answers.moved((entries) => this.contents.purge(entries, this.consumerCount > 0))
    this.host.changed(this)
    return purged
  }

  stats(): QueueStats {
    const { backlog } = this.contents
    return this.meter.stats(this.store.clock.now(), {
      name: this.name,
      ready: backlog.readyCount,
      delayed: this.delays.count,
      messages: backlog.count,
      bytes: backlog.bytes,
      consumers: this.consumerCount,
      head: backlog.peek(),
      unacknowledged: this.unacknowledged,
    })
  }

  /** The queue was used: its expiry begins anew. */
  touch(): void {
    this.timers.touch()
  }

  /** The broker stops. */
  close(): void {
    this.deleted = true
    this.timers.stop()
    this.delays.close()
    this.contents.backlog.close()
  }

  destroy(): void {
    this.deleted = true
    this.timers.stop()
    this.intake.clear()
    this.contents.destroy()
    void this.delays.destroy()
    this.answers.forget()
    for (const consumer of [...this.dispatcher.consumers]) {
      this.cancel(consumer)
      consumer.receiver.cancelled()
    }
  }

  private comeOfAge(delayed: Delayed): boolean {
    const { message, retries, enqueuedMs: firstMs } = delayed
    if (retries > 0 && this.contents.isReplaced(message)) return true
    // What is tried again keeps its age; what was only delayed begins now.
    const atMs = retries > 0 ? firstMs : this.store.clock.now()
    if (this.contents.push(message, atMs, delayed) === undefined) return false
    this.pump()
    return true
  }

  /** Hands out what can be handed out, drops what has expired or is too much, and sees when the next one expires. */
  private pump(): void {
    if (this.pumping) this.missed = true
    if (this.pumping || this.deleted) return
    this.pumping = true
    this.missed = false
    this.isHeld = false
    const memory = this.store.queueMemory
    try {
      let left = PUMP_MAX
      for (; left > 0 && !this.deleted; left--) {
        // What is handed out cannot be given back to the disk.
        this.isHeld = memory.holdsBack(this.contents.backlog.unacknowledgedBytes)
        const consumer = this.isHeld ? undefined : this.dispatcher.pick()
        const entry = consumer === undefined ? undefined : this.contents.next(true)
        if (consumer === undefined || entry === undefined) break
        const delivery = this.handOut(entry, consumer, consumer.noAck)
        this.dispatcher.served(consumer)
        consumer.receiver.deliver(delivery)
      }
      if (left === 0) this.pumpLater()
      this.contents.dropSurplus()
      if (this.contents.mayExpire) this.timers.arm(this.contents.expiryOf(this.contents.next(false)))
    } finally {
      this.pumping = false
    }
    if (this.missed) this.pumpLater()
  }

  private readonly pumpNow = (): void => {
    this.pumpAgain = undefined
    this.pump()
  }

  private pumpLater(): void {
    if (this.pumpAgain === undefined) this.pumpAgain = setImmediate(this.pumpNow)
  }

  private handOut(entry: FifoEntry, consumer: Consumer | undefined, noAck: boolean): QueueDelivery {
    const { count, retries } = this.contents.redeliveryOf(entry)
    const delivery = new QueueDelivery(this, entry, consumer, count, retries, noAck)
    this.contents.take(entry)
    this.meter.counters.delivered++
    if (noAck) this.contents.leave(entry)
    else this.answers.expect(delivery)
    return delivery
  }

  private roomAgain(consumer: Consumer | undefined): void {
    const mayGoOn = consumer !== undefined && !consumer.cancelled && this.dispatcher.resume(consumer)
    if (mayGoOn || this.isHeld) this.pump()
  }
}
