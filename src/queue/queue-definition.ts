import { decodeTable, encodeTable, type FieldTable, type FieldValue, sameValue } from '../message/field-table.ts'
import { readU48, writeU48 } from '../store/keys.ts'
import type { Exchange, ExchangeDefinition, ExchangeType } from './exchange.ts'
import { QueueError } from './queue-error.ts'
import { KNOWN_ARGUMENTS, type QueueTraits, typeName } from './queue-settings.ts'

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

/** Version, flags, number u48, first FIFO u48, arguments. */
export function encodeQueue(stored: StoredQueue): Buffer {
  const { definition, number, firstFifoId, mayExpire } = stored
  const head = Buffer.alloc(14)
  head[0] = VERSION
  head[1] = (definition.autoDelete ? AUTO_DELETE : 0) | (mayExpire ? MAY_EXPIRE : 0)
  writeU48(head, number, 2)
  writeU48(head, firstFifoId, 8)
  return Buffer.concat([head, encodeTable(definition.arguments)])
}

export function decodeQueue(name: string, record: Buffer): StoredQueue {
  checkVersion(record)
  const flags = record[1] ?? 0
  const autoDelete = (flags & AUTO_DELETE) !== 0
  const definition = { name, durable: true, exclusive: false, autoDelete, arguments: decodeTable(record.subarray(14)) }
  const mayExpire = (flags & MAY_EXPIRE) !== 0
  return { definition, number: readU48(record, 2), firstFifoId: readU48(record, 8), mayExpire }
}

/** Version, flags, type, arguments. */
export function encodeExchange({ definition }: Exchange): Buffer {
  const flags = (definition.autoDelete ? AUTO_DELETE : 0) | (definition.internal ? INTERNAL : 0)
  const head = Buffer.from([VERSION, flags, TYPES.indexOf(definition.type)])
  return Buffer.concat([head, encodeTable(definition.arguments)])
}

export function decodeExchange(name: string, record: Buffer): ExchangeDefinition {
  checkVersion(record)
  const flags = record[1] ?? 0
  const type = TYPES[record[2] ?? 0]
  if (type === undefined) throw new RangeError('the type of an exchange is unknown')
  const [autoDelete, internal] = [(flags & AUTO_DELETE) !== 0, (flags & INTERNAL) !== 0]
  return { name, type, durable: true, autoDelete, internal, arguments: decodeTable(record.subarray(3)) }
}

/** Version, then a field table with the parts. */
export function encodeBinding(binding: StoredBinding): Buffer {
  const table = new Map<string, FieldValue>(Object.entries(binding))
  return Buffer.concat([Buffer.from([VERSION]), encodeTable(table)])
}

export function decodeBinding(record: Buffer): StoredBinding {
  checkVersion(record)
  return Object.fromEntries(decodeTable(record.subarray(1))) as unknown as StoredBinding
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

function checkVersion(record: Buffer): void {
  if (record[0] !== VERSION) throw new RangeError(`version ${record[0]} of a definition is unknown`)
}

function textOf(value: FieldValue): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
