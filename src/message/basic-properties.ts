import { decodeTable, encodeTable, type FieldTable, FieldTableError, fieldSpans } from './field-table.ts'
import { EMPTY } from './message.ts'

/** The properties of AMQP's class basic (AMQP 0-9-1, section 1.8 of the specification's tables). */
export interface BasicProperties {
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly headers?: FieldTable
  /** 1: transient, 2: persistent. */
  readonly deliveryMode?: number
  readonly priority?: number
  readonly correlationId?: string
  readonly replyTo?: string
  /** Milliseconds as a decimal number. */
  readonly expiration?: string
  readonly messageId?: string
  /** Seconds since 1970. */
  readonly timestamp?: number
  readonly type?: string
  readonly userId?: string
  readonly appId?: string
  readonly clusterId?: string
}

type Kind = 'text' | 'octet' | 'table' | 'time'

// In the order of the flags, from bit 15 down.
const FIELDS: readonly [name: keyof BasicProperties, kind: Kind][] = [
  ['contentType', 'text'],
  ['contentEncoding', 'text'],
  ['headers', 'table'],
  ['deliveryMode', 'octet'],
  ['priority', 'octet'],
  ['correlationId', 'text'],
  ['replyTo', 'text'],
  ['expiration', 'text'],
  ['messageId', 'text'],
  ['timestamp', 'time'],
  ['type', 'text'],
  ['userId', 'text'],
  ['appId', 'text'],
  ['clusterId', 'text'],
]
const FLAG_BYTES = 2
const HEADERS_FLAG = 1 << 13
const SECONDS_LIMIT = 2 ** 64

/** `bytes` are the flags and the list that follows them, as in a content header. Throws FieldTableError. */
export function decodeProperties(bytes: Buffer): BasicProperties {
  const found: Record<string, unknown> = {}
  for (const { name, kind, start, end } of propertySpans(bytes)) {
    if (kind === 'text') found[name] = bytes.toString('utf8', start + 1, end)
    else if (kind === 'octet') found[name] = bytes[start]
    else if (kind === 'time') found[name] = Number(bytes.readBigUInt64BE(start))
    else found[name] = decodeTable(bytes.subarray(start + 4, end))
  }
  return found
}

/** False without reading further: there are no headers to look at. */
export function hasHeaders(bytes: Buffer): boolean {
  return bytes.length >= FLAG_BYTES && (bytes.readUInt16BE(0) & HEADERS_FLAG) !== 0
}

export function encodeProperties(properties: BasicProperties): Buffer {
  const values = new Map<keyof BasicProperties, Buffer>()
  for (const [name, kind] of FIELDS) {
    const value = properties[name]
    if (value !== undefined) values.set(name, encodeField(kind, value))
  }
  return assemble(values)
}

/** The same properties with some replaced by the bytes of their values, or left out; the rest byte for byte. */
export function replaceProperties(
  bytes: Buffer,
  changes: ReadonlyMap<keyof BasicProperties, Buffer | undefined>,
): Buffer {
  const values = new Map<keyof BasicProperties, Buffer>()
  for (const { name, start, end } of propertySpans(bytes)) values.set(name, bytes.subarray(start, end))
  for (const [name, value] of changes) {
    if (value === undefined) values.delete(name)
    else values.set(name, value)
  }
  return values.size === 0 ? EMPTY : assemble(values)
}

/** The headers as they came, without their length; empty: there are none. */
export function rawHeaders(bytes: Buffer): Buffer {
  if (!hasHeaders(bytes)) return EMPTY
  for (const { name, start, end } of propertySpans(bytes)) if (name === 'headers') return bytes.subarray(start + 4, end)
  return EMPTY
}

/** The same properties without one header. */
export function withoutHeader(bytes: Buffer, header: string): Buffer {
  const table = rawHeaders(bytes)
  const kept = fieldSpans(table).filter(({ name }) => name !== header)
  const rest = Buffer.concat(kept.map(({ start, end }) => table.subarray(start, end)))
  return replaceProperties(bytes, new Map([['headers', rest.length === 0 ? undefined : headersField(rest)]]))
}

/** A table with its length in front: the value of the property `headers`. */
export function headersField(table: Buffer): Buffer {
  const field = Buffer.alloc(4 + table.length)
  field.writeUInt32BE(table.length)
  table.copy(field, 4)
  return field
}

interface PropertySpan {
  readonly name: keyof BasicProperties
  readonly kind: Kind
  readonly start: number
  readonly end: number
}

function propertySpans(bytes: Buffer): PropertySpan[] {
  const spans: PropertySpan[] = []
  if (bytes.length === 0) return spans
  if (bytes.length < FLAG_BYTES) throw new FieldTableError('the properties are cut off')
  const flags = bytes.readUInt16BE(0)
  if ((flags & 0x03) !== 0) throw new FieldTableError('there are property flags that do not exist')
  let start = FLAG_BYTES
  for (const [index, [name, kind]] of FIELDS.entries()) {
    if ((flags & (1 << (15 - index))) === 0) continue
    const end = start + fieldBytes(bytes, kind, start)
    if (end > bytes.length) throw new FieldTableError('the properties are cut off')
    spans.push({ name, kind, start, end })
    start = end
  }
  if (start !== bytes.length) throw new FieldTableError('there are bytes after the properties')
  return spans
}

function fieldBytes(bytes: Buffer, kind: Kind, start: number): number {
  if (kind === 'octet') return 1
  if (kind === 'time') return 8
  if (kind === 'text') return 1 + (bytes[start] ?? 0)
  return start + 4 > bytes.length ? 4 : 4 + bytes.readUInt32BE(start)
}

function encodeField(kind: Kind, value: unknown): Buffer {
  if (kind === 'octet') return Buffer.from([Number(value)])
  if (kind === 'table') return headersField(encodeTable(value as FieldTable))
  if (kind === 'time') {
    const time = Buffer.alloc(8)
    const seconds = Math.floor(Number(value))
    if (!(seconds >= 0 && seconds < SECONDS_LIMIT)) throw new FieldTableError('a timestamp is out of range')
    time.writeBigUInt64BE(BigInt(seconds))
    return time
  }
  const text = Buffer.from(String(value))
  if (text.length > 255) throw new FieldTableError('a property is longer than 255 bytes')
  return Buffer.concat([Buffer.from([text.length]), text])
}

function assemble(values: ReadonlyMap<keyof BasicProperties, Buffer>): Buffer {
  let flags = 0
  const parts: Buffer[] = []
  for (const [index, [name]] of FIELDS.entries()) {
    const value = values.get(name)
    if (value === undefined) continue
    flags |= 1 << (15 - index)
    parts.push(value)
  }
  return Buffer.concat([Buffer.from([flags >>> 8, flags & 0xff]), ...parts])
}
