import type { FieldTable } from '../../src/message/field-table.ts'
import { type PlainTable, tableOf } from '../../src/message/plain-table.ts'

/** A field table from whatever a test writes down. */
export function argumentsOf(plain: Readonly<Record<string, unknown>> = {}): FieldTable {
  return tableOf(plain as PlainTable)
}
