import { SluiceError } from '../base/errors.ts'
import { keyOfFilter } from '../message/key-topic.ts'
import type { Message } from '../message/message.ts'
import { type PlainTable, type PlainValue, tableOf } from '../message/plain-table.ts'
import { type QueueArguments, queueArgumentTable } from '../message/queue-arguments.ts'
import { topicFilterProblem } from '../message/filter.ts'
import { enqueuedMs } from './backlog.ts'
import type { Consumer, ConsumeOptions as EngineConsumeOptions } from './consumer.ts'
import { TOPIC_EXCHANGE } from './dead-letter.ts'
import { HandlerReceiver, type MessageHandler } from './handler-receiver.ts'
import { MessageStream } from './message-stream.ts'
import { propertyBytes, type PublishOptions } from './publish-options.ts'
import type { Queue } from './queue.ts'
import type { QueueDelivery } from './queue-delivery.ts'
import { QueueError } from './queue-error.ts'
import { QueueMessage, ReceivedMessage } from './queue-message.ts'
import type { QueueStats } from './queue-stats.ts'
import type { Published, Queues } from './queues.ts'
import type { BindingDeclaration } from './registry.ts'

/** Where a queue's messages come from: a topic filter of MQTT, or a binding to an exchange. */
export type BindingSource =
  | string
  | { readonly exchange: string; readonly key?: string; readonly arguments?: PlainTable }

/** A queue as a program declares it. Arguments may have RabbitMQ's names too. */
export interface QueueOptions extends QueueArguments {
  /** Outlives a restart. Default: true. */
  readonly durable?: boolean
  /** Gone with its last consumer. */
  readonly autoDelete?: boolean
  /** For this program alone, and gone with the broker. */
  readonly exclusive?: boolean
  readonly bindings?: readonly BindingSource[]
  readonly [name: `x-${string}`]: PlainValue
}

export interface ExchangeOptions {
  readonly type?: 'direct' | 'fanout' | 'topic' | 'headers'
  readonly durable?: boolean
  readonly autoDelete?: boolean
  readonly internal?: boolean
  readonly alternateExchange?: string
  readonly arguments?: PlainTable
}

/** Default of `prefetch`: 1, so that one message is dealt with after the other. */
export type ConsumeOptions = Omit<EngineConsumeOptions, 'owner'> & {
  /** The queue has gone, or the broker. */
  readonly onCancelled?: () => void
}

/** A consumer in this program. */
export type QueueConsumer = Pick<Consumer, 'prefetch' | 'unacknowledged' | 'cancelled' | 'cancel' | 'close'>

/** A message: bytes, or a text that is sent as UTF-8. */
export type Payload = Uint8Array | string

/**
 * Exchanges and queues for a program. What is promised is on disk, as the durability of the broker says, when the
 * promise resolves; what is refused rejects with QueueError and AMQP's reply code.
 */
export class NamedQueues {
  /** For wire protocols: the same without promises. */
  readonly engine: Queues
  private readonly streams = new Set<MessageStream>()
  private closed = false

  constructor(engine: Queues) {
    this.engine = engine
  }

  /**
   * Declares a queue with its bindings, and answers its name, which is a new one where `name` is empty. A queue that is
   * there already has to be the same (406); bindings that it has beside are left.
   */
  async declare(name: string, options: QueueOptions = {}): Promise<string> {
    this.check()
    const { durable = true, autoDelete = false, exclusive = false, bindings = [], ...rest } = options
    const declaration = { durable, autoDelete, exclusive, arguments: queueArgumentTable(rest as PlainTable) }
    const sources = bindings.map((source) => bindingOf('', source))
    for (const { source } of sources) this.engine.exchange(source)
    const queue = this.engine.declareQueue(name, declaration, this)
    for (const source of sources) this.engine.bind({ ...source, target: queue.name, owner: this })
    await this.engine.committed()
    return queue.name
  }

  async declareExchange(name: string, options: ExchangeOptions = {}): Promise<void> {
    this.check()
    const { alternateExchange, arguments: plain, ...rest } = options
    const table = new Map(tableOf(plain))
    if (alternateExchange !== undefined) table.set('alternate-exchange', alternateExchange)
    this.engine.declareExchange(name, { ...rest, arguments: table })
    await this.engine.committed()
  }

  async deleteExchange(name: string, options: { ifUnused?: boolean } = {}): Promise<void> {
    this.check()
    this.engine.deleteExchange(name, options)
    await this.engine.committed()
  }

  /** A binding that is there already is left as it is. */
  async bind(queue: string, source: BindingSource): Promise<void> {
    this.check()
    this.engine.bind({ ...bindingOf(queue, source), owner: this })
    await this.engine.committed()
  }

  /** A binding that is not there is no error. */
  async unbind(queue: string, source: BindingSource): Promise<void> {
    this.check()
    this.engine.unbind({ ...bindingOf(queue, source), owner: this })
    await this.engine.committed()
  }

  /** From one exchange to another. */
  async bindExchange(exchange: string, source: BindingSource): Promise<void> {
    this.check()
    this.engine.bind({ ...bindingOf(exchange, source), targetKind: 'exchange' })
    await this.engine.committed()
  }

  async unbindExchange(exchange: string, source: BindingSource): Promise<void> {
    this.check()
    this.engine.unbind({ ...bindingOf(exchange, source), targetKind: 'exchange' })
    await this.engine.committed()
  }

  /** Answers false where no queue and no subscriber got it. */
  async publish(exchange: string, key: string, payload: Payload, options?: PublishOptions): Promise<boolean> {
    this.check()
    const published = this.engine.publish(exchange, key, {
      payload: bytesOf(payload),
      properties: propertyBytes(options),
    })
    await this.stored(published)
    return published.routed
  }

  /** Puts one message into one queue. */
  async enqueue(queue: string, payload: Payload, options?: PublishOptions): Promise<void> {
    this.find(queue)
    await this.stored(this.engine.publish('', queue, { payload: bytesOf(payload), properties: propertyBytes(options) }))
  }

  /** Takes the message that is next out of the queue for good; undefined: there is none. */
  async dequeue(queue: string): Promise<ReceivedMessage | undefined> {
    const message = await this.get(queue, { noAck: true })
    if (message !== undefined) await this.engine.committed()
    return message
  }

  /** The message that is next, to be answered; undefined: there is none. */
  async get(queue: string, options: { noAck?: boolean } = {}): Promise<ReceivedMessage | undefined> {
    const found = this.find(queue)
    for (;;) {
      const delivery = found.get(options.noAck)
      if (delivery !== undefined) return this.received(delivery)
      if (!found.loading || found.deleted) return undefined
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** The message that is next, left where it is; undefined: there is none. */
  async peek(queue: string): Promise<QueueMessage | undefined> {
    return (await this.browse(queue, 1))[0]
  }

  /** Up to `max` ready messages from the front, left where they are. */
  async browse(queue: string, max: number): Promise<QueueMessage[]> {
    const messages = await this.find(queue).browse(max)
    const nowMs = this.engine.store.clock.now()
    return messages.map((each) => new QueueMessage(queue, each, nowMs, this.engine.conversion))
  }

  /** No message is ready. */
  isEmpty(queue: string): boolean {
    return this.find(queue).readyCount === 0
  }

  /** One more message would be refused, or push out another. */
  isFull(queue: string): boolean {
    return this.find(queue).isFull
  }

  /** Hands messages to `handler`, as many unanswered at a time as `prefetch` says. */
  async consume(queue: string, handler: MessageHandler, options: ConsumeOptions = {}): Promise<QueueConsumer> {
    const { onCancelled = () => {}, prefetch = 1, ...rest } = options
    const { clock, log } = this.engine.store
    const receiver = new HandlerReceiver(handler, { clock, log, received: this.received, onCancelled })
    return this.find(queue).consume(receiver, { ...rest, prefetch, owner: this })
  }

  /** The same as an iteration: `for await (const message of broker.queues.messages('orders')) …`. */
  messages(queue: string, options: Omit<ConsumeOptions, 'onCancelled'> = {}): MessageStream {
    const found = this.find(queue)
    const { prefetch = 1, noAck = false } = options
    const stream = new MessageStream(!noAck, this.received, (each) => this.streams.delete(each))
    this.streams.add(stream)
    return stream.start((receiver) => found.consume(receiver, { ...options, prefetch, owner: this }))
  }

  /** Removes all ready messages, and answers how many. */
  async purge(queue: string): Promise<number> {
    const count = this.find(queue).purge()
    await this.engine.committed()
    return count
  }

  /** Answers how many ready messages went with it. */
  async delete(queue: string, options: { ifUnused?: boolean; ifEmpty?: boolean } = {}): Promise<number> {
    this.check()
    const count = this.engine.deleteQueue(queue, { ...options, owner: this })
    await this.engine.committed()
    return count
  }

  stats(queue: string): QueueStats {
    return this.find(queue).stats()
  }

  /** Names of all queues, in the order of declaration. */
  names(): string[] {
    return [...this.engine.queues.keys()]
  }

  /** For compose: takes over what the store holds. */
  recover(): Promise<void> {
    return this.engine.recover()
  }

  /** For compose: the broker ends. */
  close(): void {
    this.closed = true
    for (const stream of this.streams) stream.cancelled()
    this.engine.close()
  }

  private readonly received = (delivery: QueueDelivery): ReceivedMessage => {
    const { conversion, store } = this.engine
    return new ReceivedMessage(delivery, enqueuedMs(delivery.entry), store.clock.now(), conversion)
  }

  private find(queue: string): Queue {
    this.check()
    return this.engine.queue(queue, this)
  }

  private check(): void {
    if (this.closed) throw new SluiceError('BROKER_CLOSED', 'the broker is closed')
  }

  private stored({ message }: Published): Promise<void> | undefined {
    if (message.refusal !== 0) throw refused(message, this.engine.store.commit.failure)
    const { commit } = this.engine.store
    if (message.qos === 0 || message.commitEpoch <= commit.committedEpoch) return undefined
    return new Promise((resolve) => commit.wait({ committed: () => resolve() }))
  }
}

function bindingOf(target: string, source: BindingSource): BindingDeclaration {
  if (typeof source !== 'string') {
    const { exchange, key = '', arguments: plain } = source
    return { source: exchange, target, key, arguments: tableOf(plain) }
  }
  const problem = topicFilterProblem(source)
  if (problem !== undefined) throw new QueueError(406, `the topic filter '${source}' ${problem}`)
  if (source.startsWith('$share/')) throw new QueueError(406, `'${source}': a queue is shared by its consumers`)
  return { source: TOPIC_EXCHANGE, target, key: keyOfFilter(source) }
}

function bytesOf(payload: Payload): Buffer {
  if (typeof payload === 'string') return Buffer.from(payload)
  return Buffer.isBuffer(payload) ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}

function refused(message: Message, failure: Error | undefined): QueueError {
  if (failure !== undefined) return new QueueError(506, `the store cannot write at present: ${failure.message}`)
  return new QueueError(506, `a queue refused the message with the topic '${message.topic}': it is full`)
}
