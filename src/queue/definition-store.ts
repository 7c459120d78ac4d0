import {
  bindingKey,
  exchangeKey,
  KIND_BINDING,
  KIND_DELAYED,
  KIND_EXCHANGE,
  KIND_QUEUE,
  KIND_REDELIVERY,
  KIND_SEEN,
  keyAfter,
  kindKey,
  numberOfKey,
  queueKey,
  stringOfKey,
} from '../store/keys.ts'
import { scanPrefix } from '../store/scan-prefix.ts'
import type { Store } from '../store/store.ts'
import type { Binding } from './binding.ts'
import type { Exchange, ExchangeDefinition } from './exchange.ts'
import type { Queue } from './queue.ts'
import {
  decodeBinding,
  decodeExchange,
  decodeQueue,
  encodeBinding,
  encodeExchange,
  encodeQueue,
  type StoredBinding,
  type StoredQueue,
} from './queue-definition.ts'

const PAGE = 10_000

/** Who has something of each kind in the store: numbers of queues, and of FIFOs. */
export interface Belongings {
  readonly delayed: ReadonlySet<number>
  readonly seen: ReadonlySet<number>
  readonly redelivered: ReadonlySet<number>
}

/**
 * Durable exchanges, queues and bindings, one record each. A record that cannot be read ends the start: its messages
 * would be taken for leftovers and deleted.
 */
export class DefinitionStore {
  private readonly store: Store

  constructor(store: Store) {
    this.store = store
  }

  putExchange(exchange: Exchange): void {
    this.store.commit.put(exchangeKey(exchange.name), encodeExchange(exchange))
  }

  deleteExchange(exchange: Exchange): void {
    this.store.commit.del(exchangeKey(exchange.name))
  }

  putQueue(queue: Queue): void {
    this.store.commit.put(queueKey(queue.name), encodeQueue(queue))
  }

  deleteQueue(queue: Queue): void {
    this.store.commit.del(queueKey(queue.name))
  }

  putBinding({ number, source, target, key, arguments: args }: Binding): void {
    const stored: StoredBinding = {
      source: source.name,
      targetKind: target.kind,
      target: target.name,
      key,
      arguments: args,
    }
    this.store.commit.put(bindingKey(number), encodeBinding(stored))
  }

  deleteBinding(number: number): void {
    this.store.commit.del(bindingKey(number))
  }

  exchanges(): Promise<ExchangeDefinition[]> {
    return this.read(KIND_EXCHANGE, (key, value) => decodeExchange(stringOfKey(key), value))
  }

  queues(): Promise<StoredQueue[]> {
    return this.read(KIND_QUEUE, (key, value) => decodeQueue(stringOfKey(key), value))
  }

  bindings(): Promise<[number: number, binding: StoredBinding][]> {
    return this.read(KIND_BINDING, (key, value) => [numberOfKey(key), decodeBinding(value, key)])
  }

  /**
   * Answers which queues and FIFOs have something beside their messages, and deletes what those have left that are
   * gone: transient ones at a crash, large ones half-way through.
   */
  async belongings(queueNumbers: ReadonlySet<number>, fifoIds: ReadonlySet<number>): Promise<Belongings> {
    return {
      delayed: await this.ownersOf(KIND_DELAYED, queueNumbers),
      seen: await this.ownersOf(KIND_SEEN, queueNumbers),
      redelivered: await this.ownersOf(KIND_REDELIVERY, fifoIds),
    }
  }

  private async ownersOf(kind: number, owners: ReadonlySet<number>): Promise<Set<number>> {
    const found = new Set<number>()
    for (let from = kindKey(kind); ; ) {
      const keys = await this.store.scanKeys(from, kindKey(kind + 1), PAGE)
      const last = keys.at(-1)
      if (last === undefined) return found
      for (const key of keys) {
        const owner = numberOfKey(key)
        if (owners.has(owner)) found.add(owner)
        else this.store.commit.del(key)
      }
      from = keyAfter(last)
    }
  }

  private async read<T>(kind: number, decode: (key: Buffer, value: Buffer) => T): Promise<T[]> {
    const found: T[] = []
    for await (const [key, value] of scanPrefix(this.store, kindKey(kind))) found.push(decode(key, value))
    return found
  }
}
