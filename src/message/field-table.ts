import { isUtf8 } from 'node:buffer'

/**
 * A value in an AMQP field table. A number that is not an integer is a double; an integer is I, or l where it does not
 * fit 32 bits; a bigint is always l; a Date is a timestamp; null is void. A long string that is not UTF-8 is a Buffer.
 */
export type FieldValue = string | number | bigint | boolean | null | Buffer | Date | readonly FieldValue[] | FieldTable
export type FieldTable = ReadonlyMap<string, FieldValue>

export const EMPTY_TABLE: FieldTable = new Map()

/** Tables within tables: deeper ones are refused. */
const DEPTH_MAX = 32
const REPLACED = '\ufffd'
const DECIMAL_SCALE_MAX = 30
/** What a Date can hold, either way. */
const TIME_MS_MAX = 8.64e15

/** The bytes are no field table. */
export class FieldTableError extends Error {
  override readonly name = 'FieldTableError'
}

/** Where one field of a table stands: name, tag and value are `bytes[start, end)`. */
export interface FieldSpan {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** A table without its length in front (AMQP 0-9-1, section 4.2.5.5, with the tags that RabbitMQ and py-amqp send). */
export function decodeTable(bytes: Buffer): FieldTable {
  return new Reader(bytes).table(bytes.length, 0)
}

/** The fields of a table without reading their values, so that they can be copied as they are. */
export function fieldSpans(bytes: Buffer): FieldSpan[] {
  const spans: FieldSpan[] = []
  const reader = new Reader(bytes)
  while (reader.at < bytes.length) {
    const start = reader.at
    const name = reader.shortString()
    reader.value(0)
    spans.push({ name, start, end: reader.at })
  }
  return spans
}

/** Without the length in front. */
export function encodeTable(table: FieldTable): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of table) {
    const key = Buffer.from(name)
    if (key.length > 255) throw new FieldTableError('a field name is longer than 255 bytes')
    parts.push(Buffer.from([key.length]), key)
    encodeValue(value, parts, 0)
  }
  return Buffer.concat(parts)
}

class Reader {
  at = 0
  private readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  table(end: number, depth: number): FieldTable {
    if (depth > DEPTH_MAX) throw new FieldTableError('a table is nested too deep')
    const table = new Map<string, FieldValue>()
    while (this.at < end) {
      const name = this.shortString()
      table.set(name, this.value(depth))
    }
    if (this.at !== end) throw new FieldTableError('a field goes past the end of its table')
    return table
  }

  shortString(): string {
    const length = this.bytes[this.take(1)] ?? 0
    const start = this.take(length)
    const text = this.bytes.toString('utf8', start, start + length)
    // With other characters in their place it could be too long to be written again.
    if (text.includes(REPLACED) && !isUtf8(this.bytes.subarray(start, start + length))) {
      throw new FieldTableError('a field name is no UTF-8')
    }
    return text
  }

  value(depth: number): FieldValue {
    const { bytes } = this
    const tag = String.fromCharCode(bytes[this.take(1)] ?? 0)
    switch (tag) {
      case 't':
        return bytes[this.take(1)] !== 0
      case 'b':
        return bytes.readInt8(this.take(1))
      case 'B':
        return bytes.readUInt8(this.take(1))
      case 's':
        return bytes.readInt16BE(this.take(2))
      case 'u':
        return bytes.readUInt16BE(this.take(2))
      case 'I':
        return bytes.readInt32BE(this.take(4))
      case 'i':
        return bytes.readUInt32BE(this.take(4))
      case 'l':
      case 'L': // py-amqp means a signed integer by it.
        return narrow(bytes.readBigInt64BE(this.take(8)))
      case 'f':
        return bytes.readFloatBE(this.take(4))
      case 'd':
        return bytes.readDoubleBE(this.take(8))
      case 'D':
        return this.decimal()
      case 'T':
        return this.time()
      case 'V':
        return null
      case 'S':
        return textOf(this.longBytes())
      case 'x':
        return this.longBytes()
      case 'F':
        return this.table(this.blockEnd(), depth + 1)
      case 'A':
        return this.array(this.blockEnd(), depth + 1)
      default:
        throw new FieldTableError(`the field type ${JSON.stringify(tag)} is unknown`)
    }
  }

  private array(end: number, depth: number): FieldValue[] {
    if (depth > DEPTH_MAX) throw new FieldTableError('an array is nested too deep')
    const values: FieldValue[] = []
    while (this.at < end) values.push(this.value(depth))
    if (this.at !== end) throw new FieldTableError('a value goes past the end of its array')
    return values
  }

  private decimal(): number {
    const scale = Math.min(this.bytes[this.take(1)] ?? 0, DECIMAL_SCALE_MAX)
    return this.bytes.readInt32BE(this.take(4)) / 10 ** scale
  }

  // Signed, as it is written: a time before 1970 comes back as it was.
  private time(): Date {
    const timeMs = Number(this.bytes.readBigInt64BE(this.take(8))) * 1000
    if (Math.abs(timeMs) > TIME_MS_MAX) throw new FieldTableError('a timestamp is out of range')
    return new Date(timeMs)
  }

  private longBytes(): Buffer {
    const end = this.blockEnd()
    const found = this.bytes.subarray(this.at, end)
    this.at = end
    return found
  }

  private blockEnd(): number {
    const length = this.bytes.readUInt32BE(this.take(4))
    if (this.at + length > this.bytes.length) throw new FieldTableError('a field is cut off')
    return this.at + length
  }

  private take(count: number): number {
    const start = this.at
    this.at += count
    if (this.at > this.bytes.length) throw new FieldTableError('a field is cut off')
    return start
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function textOf(bytes: Buffer): string | Buffer {
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes
}

function encodeValue(value: FieldValue, parts: Buffer[], depth: number): void {
  if (depth > DEPTH_MAX) throw new FieldTableError('a table is nested too deep')
  if (typeof value === 'string') pushBlock('S', Buffer.from(value), parts)
  else if (typeof value === 'boolean') parts.push(Buffer.from(['t'.charCodeAt(0), value ? 1 : 0]))
  else if (value === null) parts.push(Buffer.from('V'))
  else if (typeof value === 'bigint') parts.push(long('l', BigInt.asIntN(64, value)))
  else if (typeof value === 'number') parts.push(numberField(value))
  else if (value instanceof Date) parts.push(timeField(value))
  else if (Buffer.isBuffer(value)) pushBlock('x', value, parts)
  else if (value instanceof Map) pushBlock('F', encodeTable(value as FieldTable), parts)
  else {
    const items: Buffer[] = []
    for (const item of value as readonly FieldValue[]) encodeValue(item, items, depth + 1)
    pushBlock('A', Buffer.concat(items), parts)
  }
}

function numberField(value: number): Buffer {
  if (Number.isSafeInteger(value) && (value | 0) !== value) return long('l', BigInt(value))
  const isInteger = Number.isSafeInteger(value)
  const field = Buffer.alloc(isInteger ? 5 : 9)
  field.write(isInteger ? 'I' : 'd', 'latin1')
  if (isInteger) field.writeInt32BE(value, 1)
  else field.writeDoubleBE(value, 1)
  return field
}

function timeField(value: Date): Buffer {
  const seconds = Math.floor(value.getTime() / 1000)
  if (Number.isNaN(seconds)) throw new FieldTableError('a timestamp is out of range')
  return long('T', BigInt(seconds))
}

function long(tag: string, value: bigint): Buffer {
  const field = Buffer.alloc(9)
  field.write(tag, 'latin1')
  field.writeBigInt64BE(value, 1)
  return field
}

function pushBlock(tag: string, content: Buffer, parts: Buffer[]): void {
  const head = Buffer.alloc(5)
  head.write(tag, 'latin1')
  head.writeUInt32BE(content.length, 1)
  parts.push(head, content)
}

/** Equal by value: integers whatever their width, tables and arrays item by item. */
export function sameValue(a: FieldValue | undefined, b: FieldValue | undefined): boolean {
  if (a === b) return true
  if (isNumeric(a) && isNumeric(b)) return Number(a) === Number(b) && String(a) === String(b)
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const wrapped = [new Map([['', a]]), new Map([['', b]])] as const
  return encodeTable(wrapped[0]).equals(encodeTable(wrapped[1]))
}

function isNumeric(value: FieldValue | undefined): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}
