import type { DeathReason } from '../message/amqp-part.ts'
import { EMPTY_TABLE, type FieldTable } from '../message/field-table.ts'
import type { TopicConversion } from '../message/key-topic.ts'
import type { Message } from '../message/message.ts'
import type { Router } from '../router/router.ts'
import type { Store } from '../store/store.ts'
import type { Binding, Target } from './binding.ts'
import { TOPIC_EXCHANGE } from './dead-letter.ts'
import { DefinitionStore } from './definition-store.ts'
import { Exchange, type ExchangeDefinition, isExchangeType, PREDECLARED_EXCHANGES } from './exchange.ts'
import { checkHeadersArguments } from './headers-match.ts'
import { Queue } from './queue.ts'
import {
  checkSameExchange,
  checkSameQueue,
  NAME_BYTES_MAX,
  type QueueDefinition,
  RESERVED_PREFIX,
  type StoredQueue,
} from './queue-definition.ts'
import { noExchange, noQueue, QueueError } from './queue-error.ts'
import type { QueueHost, QueueLimits } from './queue-host.ts'
import { readSettings } from './queue-settings.ts'
import { TopicSpace } from './routing.ts'

export interface RegistryLimits {
  readonly queuesMax: number
  readonly exchangesMax: number
  readonly bindingsMax: number
}

export interface RegistryOptions extends Partial<RegistryLimits> {
  readonly conversion?: TopicConversion
  readonly stored?: QueueLimits
  readonly transient?: QueueLimits
}

export interface QueueDeclaration {
  /** Outlives a restart. Default: true. */
  readonly durable?: boolean
  /** For its owner alone, and gone with it. */
  readonly exclusive?: boolean
  /** Gone with its last consumer. */
  readonly autoDelete?: boolean
  readonly arguments?: FieldTable
}

export interface BindingDeclaration {
  readonly source: string
  readonly target: string
  readonly targetKind?: 'queue' | 'exchange'
  readonly key?: string
  readonly arguments?: FieldTable
  readonly owner?: unknown
}

export type ExchangeDeclaration = Partial<Omit<ExchangeDefinition, 'name' | 'type'>> & { readonly type?: string }

/** Which exchanges, queues and bindings there are. What is refused is a QueueError with AMQP's reply code. */
export abstract class Registry implements QueueHost {
  readonly queues = new Map<string, Queue>()
  readonly exchanges = new Map<string, Exchange>()
  readonly store: Store
  readonly router: Router
  /** How keys become topics and back. */
  readonly conversion: TopicConversion
  readonly stored: QueueLimits
  readonly transient: QueueLimits
  private readonly limits: RegistryLimits
  private readonly definitions: DefinitionStore
  private readonly topicSpace: TopicSpace
  private bindingCount = 0

  constructor(store: Store, router: Router, options: RegistryOptions) {
    const { queuesMax = 100_000, exchangesMax = 10_000, bindingsMax = 1_000_000 } = options
    this.conversion = options.conversion ?? 'escape'
    this.stored = options.stored ?? { messagesMax: 100_000_000, bytesMax: 1024 ** 4 }
    this.transient = options.transient ?? { messagesMax: 1_000_000, bytesMax: 128 * 1024 ** 2 }
    this.store = store
    this.router = router
    this.limits = { queuesMax, exchangesMax, bindingsMax }
    this.definitions = new DefinitionStore(store)
    this.topicSpace = new TopicSpace(this, router)
    for (const [name, type] of PREDECLARED_EXCHANGES) this.addExchange(exchangeDefinition(name, type, {}), true)
  }

  abstract died(queue: Queue, message: Message, reason: DeathReason): void

  /** Takes over what the store holds; before `store.destroyUnclaimed()`. */
  async recover(): Promise<void> {
    for (const definition of await this.definitions.exchanges()) this.addExchange(definition)
    for (const stored of await this.definitions.queues()) this.addQueue(stored, undefined)
    for (const [number, stored] of await this.definitions.bindings()) {
      const source = this.exchanges.get(stored.source)
      const target = this.find(stored.target, stored.targetKind)
      if (source === undefined || target === undefined) this.definitions.deleteBinding(number)
      else this.addBinding({ number, source, target, key: stored.key, arguments: stored.arguments })
    }
    const all = [...this.queues.values()]
    const numbers = new Set(all.map((queue) => queue.number))
    // Asked for once: a look into the store for each of ten thousand queues would take seconds.
    const belongings = await this.definitions.belongings(numbers, new Set(all.flatMap((queue) => queue.fifoIds)))
    for (const queue of all) await queue.recover(belongings)
  }

  /** The queue as it is, or a new one; without a name it gets one. 406: it is there and not the same; 405: it is somebody else's. */
  declareQueue(wanted: string, declaration: QueueDeclaration = {}, owner?: unknown): Queue {
    const { numbers, commit } = this.store
    const name = wanted === '' ? `amq.gen-${numbers.next(commit).toString(36)}` : wanted
    const { durable = true, exclusive = false, autoDelete = false, arguments: args = EMPTY_TABLE } = declaration
    const definition: QueueDefinition = { name, durable: durable && !exclusive, exclusive, autoDelete, arguments: args }
    const settings = readSettings({ ...definition, durable }, args)
    const known = this.queues.get(name)
    if (known !== undefined) {
      this.checkOwner(known, owner, exclusive)
      checkSameQueue(known.definition, definition)
      known.touch()
      return known
    }
    if (wanted !== '') checkName(name, 'queue')
    if (this.queues.size >= this.limits.queuesMax) throw new QueueError(506, 'there are as many queues as may be')
    const number = numbers.next(commit)
    const firstFifoId = numbers.next(commit)
    for (let level = 0; level < settings.maxPriority; level++) numbers.next(commit)
    const queue = this.addQueue({ definition, number, firstFifoId, mayExpire: false }, owner)
    if (definition.durable) this.definitions.putQueue(queue)
    return queue
  }

  /** Throws 404, or 405 where it is somebody else's. */
  queue(name: string, owner?: unknown): Queue {
    const queue = this.queues.get(name)
    if (queue === undefined) throw noQueue(name)
    this.checkOwner(queue, owner, queue.definition.exclusive)
    return queue
  }

  /** Answers how many ready messages went with it. */
  deleteQueue(name: string, options: { ifUnused?: boolean; ifEmpty?: boolean; owner?: unknown } = {}): number {
    const queue = this.queue(name, options.owner)
    if (options.ifUnused === true && queue.consumerCount > 0) {
      throw new QueueError(406, `queue '${name}' in vhost '/' in use`)
    }
    if (options.ifEmpty === true && queue.readyCount > 0) {
      throw new QueueError(406, `queue '${name}' in vhost '/' not empty`)
    }
    const count = queue.readyCount
    this.removeQueue(queue)
    return count
  }

  declareExchange(name: string, declaration: ExchangeDeclaration = {}): Exchange {
    const { type = 'direct', ...rest } = declaration
    if (!isExchangeType(type)) throw new QueueError(406, `invalid exchange type '${type}'`)
    const definition = exchangeDefinition(name, type, rest)
    const known = this.exchanges.get(name)
    if (name === '') throw new QueueError(403, 'operation not permitted on the default exchange')
    if (known !== undefined) {
      checkSameExchange(known.definition, definition)
      return known
    }
    checkName(name, 'exchange')
    if (this.exchanges.size >= this.limits.exchangesMax) {
      throw new QueueError(506, 'there are as many exchanges as may be')
    }
    const exchange = this.addExchange(definition)
    if (definition.durable) this.definitions.putExchange(exchange)
    return exchange
  }

  exchange(name: string): Exchange {
    const exchange = this.exchanges.get(name)
    if (exchange === undefined) throw noExchange(name)
    return exchange
  }

  /** A name that is not there is no error. */
  deleteExchange(name: string, options: { ifUnused?: boolean } = {}): void {
    const exchange = this.exchanges.get(name)
    if (name === '') throw new QueueError(403, 'operation not permitted on the default exchange')
    if (exchange?.predeclared) {
      throw new QueueError(403, `exchange name '${name}' contains reserved prefix 'amq.*'`)
    }
    if (exchange === undefined) return
    if (options.ifUnused === true && exchange.bindings.size > 0) {
      throw new QueueError(406, `exchange '${name}' in vhost '/' in use`)
    }
    this.removeExchange(exchange)
  }

  /** A binding that is there already is left as it is. */
  bind(declaration: BindingDeclaration): Binding {
    const [source, target] = this.ends(declaration)
    const { key = '', arguments: args = EMPTY_TABLE } = declaration
    const known = source.find(target, key, args)
    if (known !== undefined) return known
    if (Buffer.byteLength(key) > NAME_BYTES_MAX) throw new QueueError(406, 'the routing key is longer than 255 bytes')
    if (source.definition.type === 'headers') checkHeadersArguments(args)
    if (this.bindingCount >= this.limits.bindingsMax) throw new QueueError(506, 'there are as many bindings as may be')
    const isStored = source.definition.durable && target.definition.durable
    const number = isStored ? this.store.numbers.next(this.store.commit) : 0
    const binding = { number, source, target, key, arguments: args }
    this.addBinding(binding)
    if (isStored) this.definitions.putBinding(binding)
    return binding
  }

  /** A binding that is not there is no error. */
  unbind(declaration: BindingDeclaration): void {
    const [source, target] = this.ends(declaration)
    const binding = source.find(target, declaration.key ?? '', declaration.arguments ?? EMPTY_TABLE)
    if (binding !== undefined) this.removeBinding(binding)
  }

  /** The owner of exclusive queues has gone, and they with it. */
  closeOwner(owner: unknown): void {
    for (const queue of [...this.queues.values()]) {
      if (queue.definition.exclusive && queue.owner === owner) this.removeQueue(queue)
    }
  }

  /** Everything that was declared or deleted so far is durable. */
  committed(): Promise<void> {
    return this.store.commit.flush()
  }

  /** Before the store closes. */
  close(): void {
    for (const queue of this.queues.values()) queue.close()
  }

  expired(queue: Queue): void {
    if (this.queues.get(queue.name) === queue) this.removeQueue(queue)
  }

  changed(queue: Queue): void {
    if (queue.definition.durable) this.definitions.putQueue(queue)
  }

  private addQueue(stored: StoredQueue, owner: unknown): Queue {
    const { definition } = stored
    const settings = readSettings(definition, definition.arguments)
    const queue = new Queue(this, stored, settings, owner)
    this.queues.set(definition.name, queue)
    return queue
  }

  private addExchange(definition: ExchangeDefinition, predeclared = false): Exchange {
    const exchange = new Exchange(definition, predeclared)
    this.exchanges.set(definition.name, exchange)
    return exchange
  }

  private addBinding(binding: Binding): void {
    this.bindingCount++
    binding.source.add(binding)
    if (binding.source.name === TOPIC_EXCHANGE) this.topicSpace.add(binding)
  }

  private removeBinding(binding: Binding): void {
    const { source, number } = binding
    this.bindingCount--
    source.remove(binding)
    if (source.name === TOPIC_EXCHANGE) this.topicSpace.remove(binding)
    if (number !== 0) this.definitions.deleteBinding(number)
    const isLast = source.bindings.size === 0 && this.exchanges.get(source.name) === source
    if (isLast && source.definition.autoDelete) this.removeExchange(source)
  }

  private removeQueue(queue: Queue): void {
    this.queues.delete(queue.name)
    for (const binding of [...queue.incoming]) this.removeBinding(binding)
    if (queue.definition.durable) this.definitions.deleteQueue(queue)
    queue.destroy()
  }

  private removeExchange(exchange: Exchange): void {
    this.exchanges.delete(exchange.name)
    for (const binding of [...exchange.bindings.values(), ...exchange.incoming]) this.removeBinding(binding)
    if (exchange.definition.durable) this.definitions.deleteExchange(exchange)
  }

  private ends(declaration: BindingDeclaration): [Exchange, Target] {
    const { source, target, targetKind = 'queue', owner } = declaration
    const found = targetKind === 'queue' ? this.queue(target, owner) : this.exchange(target)
    if (source === '' || found.name === '') {
      throw new QueueError(403, 'operation not permitted on the default exchange')
    }
    return [this.exchange(source), found]
  }

  private find(name: string, kind: 'queue' | 'exchange'): Target | undefined {
    return kind === 'queue' ? this.queues.get(name) : this.exchanges.get(name)
  }

  private checkOwner(queue: Queue, owner: unknown, exclusive: boolean): void {
    if (queue.definition.exclusive === exclusive && (!exclusive || queue.owner === owner)) return
    throw new QueueError(
      405,
      `cannot obtain exclusive access to locked queue '${queue.name}' in vhost '/'. It could be originally declared ` +
        'on another connection or the exclusive property value does not match that of the original declaration.',
    )
  }
}

function exchangeDefinition(
  name: string,
  type: ExchangeDefinition['type'],
  rest: Omit<ExchangeDeclaration, 'type'>,
): ExchangeDefinition {
  const { durable = true, autoDelete = false, internal = false, arguments: args = EMPTY_TABLE } = rest
  return { name, type, durable, autoDelete, internal, arguments: args }
}

function checkName(name: string, kind: 'queue' | 'exchange'): void {
  const bytes = Buffer.byteLength(name)
  if (bytes === 0 || bytes > NAME_BYTES_MAX) throw new QueueError(406, `the name of a ${kind} has 1 to 255 bytes`)
  if (!name.startsWith(RESERVED_PREFIX)) return
  throw new QueueError(403, `${kind} name '${name}' contains reserved prefix 'amq.*'`)
}
