import { EMPTY_TABLE, type FieldTable, type FieldValue } from './field-table.ts'

/** What may stand in a table that is written as a plain object: in code, in YAML, in JSON. */
export type PlainValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Buffer
  | Date
  | readonly PlainValue[]
  | { readonly [name: string]: PlainValue }

export type PlainTable = Readonly<Record<string, PlainValue | undefined>>

/** A field table from a plain object or a Map. What is undefined is left out. Throws RangeError for what has no place. */
export function tableOf(plain: PlainTable | FieldTable | undefined): FieldTable {
  if (plain === undefined) return EMPTY_TABLE
  if (plain instanceof Map) return plain as FieldTable
  const table = new Map<string, FieldValue>()
  for (const [name, value] of Object.entries(plain as PlainTable)) {
    if (value !== undefined) table.set(name, fieldValueOf(name, value))
  }
  return table
}

/** One value of such a table; `name` is for the error. */
export function fieldValueOf(name: string, value: PlainValue): FieldValue {
  if (Array.isArray(value)) return value.map((item: PlainValue) => fieldValueOf(name, item))
  if (value === null || Buffer.isBuffer(value) || value instanceof Date) return value
  if (typeof value === 'object') return tableOf(value as PlainTable)
  if (typeof value === 'function' || typeof value === 'symbol' || value === undefined) {
    throw new RangeError(`'${name}' is a ${typeof value}, which no table can hold`)
  }
  return value as FieldValue
}
