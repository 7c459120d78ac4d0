import type { FieldTable, FieldValue } from '../message/field-table.ts'
import { QueueError } from './queue-error.ts'

export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx'

/** The arguments of a queue, checked. Undefined: the argument was not given. */
export interface QueueSettings {
  readonly messageTtlMs: number | undefined
  readonly expiresMs: number | undefined
  /** Ready messages. */
  readonly maxLength: number | undefined
  /** Bytes of the payloads of ready messages. */
  readonly maxLengthBytes: number | undefined
  readonly overflow: Overflow
  readonly deadLetterExchange: string | undefined
  readonly deadLetterRoutingKey: string | undefined
  /** 0: all messages are alike. */
  readonly maxPriority: number
  readonly singleActiveConsumer: boolean
  /** How often a message may come back before it is dead-lettered. */
  readonly deliveryLimit: number | undefined
  /** Pauses before a rejected message is tried again; after the last one it is dead-lettered. */
  readonly retryDelaysMs: readonly number[]
  readonly deduplicationWindowMs: number | undefined
  /** Header, or `topic` for the topic itself, of which only the last message of each value is kept. */
  readonly lastValueKey: string | undefined
}

/** What of a queue's declaration decides which arguments it may have. */
export interface QueueTraits {
  readonly name: string
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
}

const MS_MAX = 0xffff_ffff
const QUORUM_DELIVERY_LIMIT = 20
const RETRY_DELAYS_MAX = 100
const OVERFLOWS: readonly string[] = ['drop-head', 'reject-publish', 'reject-publish-dlx']

/** Arguments that are compared when a queue is declared again; all others are kept and mean nothing. */
export const KNOWN_ARGUMENTS: readonly string[] = [
  'x-expires',
  'x-message-ttl',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-max-length',
  'x-max-length-bytes',
  'x-max-priority',
  'x-overflow',
  'x-queue-mode',
  'x-queue-type',
  'x-queue-version',
  'x-single-active-consumer',
  'x-delivery-limit',
  'x-retry-delays',
  'x-deduplication-window',
  'x-last-value-key',
]

/** Checks the arguments of a queue; throws QueueError with RabbitMQ's reply code and text. */
export function readSettings(traits: QueueTraits, table: FieldTable): QueueSettings {
  const read = new ArgumentReader(traits.name, table)
  const type = read.text('x-queue-type')
  if (type === 'stream') throw new QueueError(540, `queue type 'stream' is not implemented (queue '${traits.name}')`)
  if (type !== undefined && type !== 'classic' && type !== 'quorum') throw read.invalid('x-queue-type', 'unknown', type)
  if (type === 'quorum') checkQuorum(traits, table, read)
  if (type === 'classic' && table.has('x-delivery-limit')) throw read.wrongType('x-delivery-limit', type)
  const mode = read.text('x-queue-mode')
  if (mode !== undefined && mode !== 'default' && mode !== 'lazy') throw read.invalid('x-queue-mode', 'unknown', mode)
  const version = read.integer('x-queue-version', 1, 2)
  if (version === 1) throw read.invalid('x-queue-version', 'unsupported', 1)
  const deadLetterExchange = read.text('x-dead-letter-exchange')
  const deadLetterRoutingKey = read.text('x-dead-letter-routing-key')
  if (deadLetterRoutingKey !== undefined && deadLetterExchange === undefined) {
    throw read.because('x-dead-letter-routing-key', 'routing_key_but_no_dlx_defined')
  }
  if (table.has('x-last-value-key') && table.has('x-max-priority')) {
    throw read.because('x-last-value-key', 'last_value_queue_with_priorities')
  }
  const overflow = read.text('x-overflow') ?? 'drop-head'
  if (!OVERFLOWS.includes(overflow)) throw read.invalid('x-overflow', 'invalid_overflow', overflow)
  const limit = read.integer('x-delivery-limit', -1, MS_MAX) ?? (type === 'quorum' ? QUORUM_DELIVERY_LIMIT : -1)
  return {
    messageTtlMs: read.integer('x-message-ttl', 0, MS_MAX),
    expiresMs: read.integer('x-expires', 1, MS_MAX),
    maxLength: read.integer('x-max-length', 0, Number.MAX_SAFE_INTEGER),
    maxLengthBytes: read.integer('x-max-length-bytes', 0, Number.MAX_SAFE_INTEGER),
    overflow: overflow as Overflow,
    deadLetterExchange,
    deadLetterRoutingKey,
    maxPriority: read.integer('x-max-priority', 0, 255) ?? 0,
    singleActiveConsumer: read.flag('x-single-active-consumer'),
    deliveryLimit: limit < 0 ? undefined : limit,
    retryDelaysMs: read.delays('x-retry-delays'),
    deduplicationWindowMs: read.integer('x-deduplication-window', 1, MS_MAX),
    lastValueKey: read.text('x-last-value-key'),
  }
}

function checkQuorum(traits: QueueTraits, table: FieldTable, read: ArgumentReader): void {
  const { name, durable, exclusive, autoDelete } = traits
  const wrong = !durable ? 'durable' : exclusive ? 'exclusive' : autoDelete ? 'auto-delete' : undefined
  if (wrong !== undefined) {
    const value = wrong === 'durable' ? 'false' : 'true'
    throw new QueueError(406, `invalid property '${wrong}' for queue '${name}' in vhost '/': ${value}`)
  }
  for (const argument of ['x-max-priority', 'x-queue-mode', 'x-queue-version']) {
    if (table.has(argument)) throw read.wrongType(argument, 'quorum')
  }
}

class ArgumentReader {
  private readonly queue: string
  private readonly table: FieldTable

  constructor(queue: string, table: FieldTable) {
    this.queue = queue
    this.table = table
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.table.get(name)
    if (value === undefined) return undefined
    if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) throw this.unacceptable(name, value)
    const number = Number(value)
    if (number < min) throw this.invalid(name, number < 0 ? 'value_negative' : 'value_zero', number)
    if (number > max) throw this.invalid(name, 'value_too_large', number)
    return number
  }

  text(name: string): string | undefined {
    const value = this.table.get(name)
    if (value === undefined || typeof value === 'string') return value
    throw this.unacceptable(name, value)
  }

  flag(name: string): boolean {
    const value = this.table.get(name)
    if (value === undefined || typeof value === 'boolean') return value ?? false
    throw this.unacceptable(name, value)
  }

  delays(name: string): readonly number[] {
    const value = this.table.get(name)
    if (value === undefined) return []
    if (!Array.isArray(value) || value.length > RETRY_DELAYS_MAX) throw this.unacceptable(name, value)
    return value.map((item: FieldValue) => {
      const number = Number(item)
      const isNumber = typeof item === 'number' || typeof item === 'bigint'
      if (!isNumber || !Number.isSafeInteger(number) || number < 0 || number > MS_MAX) {
        throw this.unacceptable(name, item)
      }
      return number
    })
  }

  invalid(name: string, what: string, value: string | number): QueueError {
    return this.because(name, `{${what},${typeof value === 'string' ? `<<"${value}">>` : value}}`)
  }

  because(name: string, reason: string): QueueError {
    return new QueueError(406, `invalid arg '${name}' for queue '${this.queue}' in vhost '/': ${reason}`)
  }

  wrongType(name: string, type: string): QueueError {
    const kind = `queue type rabbit_${type}_queue`
    return new QueueError(406, `invalid arg '${name}' for queue '${this.queue}' in vhost '/' of ${kind}`)
  }

  private unacceptable(name: string, value: FieldValue): QueueError {
    return this.because(name, `{unacceptable_type,${typeName(value)}}`)
  }
}

/** RabbitMQ's word for the type of a field. */
export function typeName(value: FieldValue): string {
  if (typeof value === 'string') return 'longstr'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'long'
  if (typeof value === 'number') return Number.isInteger(value) ? 'signedint' : 'double'
  if (value === null) return 'void'
  if (value instanceof Date) return 'timestamp'
  if (Buffer.isBuffer(value)) return 'binary'
  return Array.isArray(value) ? 'array' : 'table'
}
