import { SluiceError } from '../base/errors.ts'
import { decodeTable, encodeTable, type FieldTable, type FieldValue, sameValue } from '../message/field-table.ts'
import { bindingKey, NUMBER_KEY_BYTES, NUMBER_MAX, numberOfKey, readU48, writeU48 } from '../store/keys.ts'
import { alternateExchangeOf, type Exchange, type ExchangeDefinition, type ExchangeType } from './exchange.ts'
import { QueueError } from './queue-error.ts'
import { KNOWN_ARGUMENTS, type QueueTraits, readSettings, typeName } from './queue-settings.ts'

export interface QueueDefinition extends QueueTraits {
  readonly arguments: FieldTable
}

/** A queue as it is stored: its number never changes, its FIFOs do when it is purged. */
export interface StoredQueue {
  readonly definition: QueueDefinition
  readonly number: number
  readonly firstFifoId: number
  /** A message with a time to live of its own has been in it: somebody has to look for the next one that expires. */
  readonly mayExpire: boolean
}

export interface StoredBinding {
  readonly source: string
  readonly targetKind: 'queue' | 'exchange'
  readonly target: string
  readonly key: string
  readonly arguments: FieldTable
}

const VERSION = 1
const AUTO_DELETE = 0x01
const INTERNAL = 0x02
const MAY_EXPIRE = 0x02
const TYPES: readonly ExchangeType[] = ['direct', 'fanout', 'topic', 'headers']
const QUEUE_HEAD_BYTES = 14
const EXCHANGE_HEAD_BYTES = 3
const BINDING_HEAD_BYTES = 1
const BINDING_FIELDS = 5
const NO_KEY = bindingKey(0)
const TARGET_KINDS: readonly unknown[] = ['queue', 'exchange']
/** Of a name or a routing key: its length has one byte in AMQP. */
export const NAME_BYTES_MAX = 255
/** Names of exchanges that begin so are the broker's own, and those are not stored. */
export const RESERVED_PREFIX = 'amq.'

/** Version, flags, number u48, first FIFO u48, arguments. */
export function encodeQueue(stored: StoredQueue): Buffer {
  const { definition, number, firstFifoId, mayExpire } = stored
  const head = Buffer.alloc(QUEUE_HEAD_BYTES)
  head[0] = VERSION
  head[1] = (definition.autoDelete ? AUTO_DELETE : 0) | (mayExpire ? MAY_EXPIRE : 0)
  writeU48(head, number, 2)
  writeU48(head, firstFifoId, 8)
  return Buffer.concat([head, encodeTable(definition.arguments)])
}

/** Throws a SluiceError for what is none, or for a queue that could not have been declared. */
export function decodeQueue(name: string, record: Buffer): StoredQueue {
  return reading(`queue '${name}'`, () => {
    checkHead(record, QUEUE_HEAD_BYTES)
    checkName(name)
    const flags = record[1] ?? 0
    const args = decodeTable(record.subarray(QUEUE_HEAD_BYTES))
    const autoDelete = (flags & AUTO_DELETE) !== 0
    const definition = { name, durable: true, exclusive: false, autoDelete, arguments: args }
    const { maxPriority } = readSettings(definition, args)
    const [number, firstFifoId] = [readU48(record, 2), readU48(record, 8)]
    if (number === 0 || firstFifoId === 0 || firstFifoId + maxPriority >= NUMBER_MAX) {
      throw new RangeError(`number ${number}, messages ${firstFifoId}`)
    }
    return { definition, number, firstFifoId, mayExpire: (flags & MAY_EXPIRE) !== 0 }
  })
}

/** Version, flags, type, arguments. */
export function encodeExchange({ definition }: Exchange): Buffer {
  const flags = (definition.autoDelete ? AUTO_DELETE : 0) | (definition.internal ? INTERNAL : 0)
  const head = Buffer.from([VERSION, flags, TYPES.indexOf(definition.type)])
  return Buffer.concat([head, encodeTable(definition.arguments)])
}

/** Throws a SluiceError for what is none, or for an exchange that could not have been declared. */
export function decodeExchange(name: string, record: Buffer): ExchangeDefinition {
  return reading(`exchange '${name}'`, () => {
    checkHead(record, EXCHANGE_HEAD_BYTES)
    checkName(name)
    // It would stand in the place of one that is always there.
    if (name.startsWith(RESERVED_PREFIX)) throw new RangeError('the name is reserved')
    const flags = record[1] ?? 0
    const type = TYPES[record[2] ?? 0]
    if (type === undefined) throw new RangeError(`type ${record[2]}`)
    const [autoDelete, internal] = [(flags & AUTO_DELETE) !== 0, (flags & INTERNAL) !== 0]
    const args = decodeTable(record.subarray(EXCHANGE_HEAD_BYTES))
    alternateExchangeOf(name, args)
    return { name, type, durable: true, autoDelete, internal, arguments: args }
  })
}

/** Version, then a field table with the parts. */
export function encodeBinding(binding: StoredBinding): Buffer {
  const table = new Map<string, FieldValue>(Object.entries(binding))
  return Buffer.concat([Buffer.from([VERSION]), encodeTable(table)])
}

/** Throws a SluiceError for what is none; `key` says which binding that is. */
export function decodeBinding(record: Buffer, key = NO_KEY): StoredBinding {
  return reading(`binding ${numberOfKey(key)}`, () => {
    if (key.length !== NUMBER_KEY_BYTES) throw new RangeError('its key has the wrong length')
    checkHead(record, BINDING_HEAD_BYTES)
    const fields = decodeTable(record.subarray(BINDING_HEAD_BYTES))
    const [source, targetKind, target] = [fields.get('source'), fields.get('targetKind'), fields.get('target')]
    const [routingKey, args] = [fields.get('key'), fields.get('arguments')]
    if (fields.size !== BINDING_FIELDS) throw new RangeError(`${fields.size} parts`)
    checkName(source)
    checkName(target)
    if (!TARGET_KINDS.includes(targetKind)) throw new RangeError('its target is of no kind')
    if (typeof routingKey !== 'string' || Buffer.byteLength(routingKey) > NAME_BYTES_MAX) {
      throw new RangeError('its routing key is none')
    }
    if (!(args instanceof Map)) throw new RangeError('its arguments are none')
    const kind = targetKind as StoredBinding['targetKind']
    return { source, targetKind: kind, target, key: routingKey, arguments: args }
  })
}

/** Throws 406 when a queue is declared again with other properties or arguments. */
export function checkSameQueue(current: QueueDefinition, received: QueueDefinition): void {
  const what = `queue '${current.name}'`
  checkSame(what, 'durable', received.durable, current.durable)
  checkSame(what, 'auto_delete', received.autoDelete, current.autoDelete)
  checkArguments(what, KNOWN_ARGUMENTS, received.arguments, current.arguments)
}

export function checkSameExchange(current: ExchangeDefinition, received: ExchangeDefinition): void {
  const what = `exchange '${current.name}'`
  checkSame(what, 'type', received.type, current.type)
  checkSame(what, 'durable', received.durable, current.durable)
  checkSame(what, 'auto_delete', received.autoDelete, current.autoDelete)
  checkSame(what, 'internal', received.internal, current.internal)
  checkArguments(what, ['alternate-exchange'], received.arguments, current.arguments)
}

function checkSame<T extends string | boolean>(what: string, name: string, received: T, current: T): void {
  if (received === current) return
  throw inequivalent(what, name, `received '${received}' but current is '${current}'`)
}

function checkArguments(what: string, names: readonly string[], received: FieldTable, current: FieldTable): void {
  for (const name of names) {
    const [now, before] = [received.get(name), current.get(name)]
    if (sameValue(now, before)) continue
    throw inequivalent(what, name, `received ${describe(now)} but current is ${describe(before)}`)
  }
}

function inequivalent(what: string, name: string, difference: string): QueueError {
  return new QueueError(406, `inequivalent arg '${name}' for ${what} in vhost '/': ${difference}`)
}

function describe(value: FieldValue | undefined): string {
  return value === undefined ? 'none' : `the value '${textOf(value)}' of type '${typeName(value)}'`
}

function reading<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const why = (cause as Error).message
    throw new SluiceError('STORE_RECORD_DAMAGED', `the stored ${what} cannot be read (${why})`, { cause })
  }
}

function checkHead(record: Buffer, bytes: number): void {
  if (record.length === 0 || record[0] !== VERSION) throw new RangeError(`version ${record[0]}`)
  if (record.length < bytes) throw new RangeError('cut off')
}

function checkName(name: FieldValue | undefined): asserts name is string {
  const bytes = typeof name === 'string' ? Buffer.byteLength(name) : 0
  if (bytes === 0 || bytes > NAME_BYTES_MAX) throw new RangeError('a name is missing or too long')
}

function textOf(value: FieldValue): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
