import { encodeTable, type FieldTable } from '../message/field-table.ts'
import type { Exchange } from './exchange.ts'
import type { Queue } from './queue.ts'

/** What an exchange can send to. */
export type Target = Queue | Exchange

/** Joins an exchange to a queue or to another exchange. */
export interface Binding {
  /** Given once; the store knows the binding by it. 0: it is not stored. */
  readonly number: number
  readonly source: Exchange
  readonly target: Target
  readonly key: string
  readonly arguments: FieldTable
}

/** Two bindings of one exchange are the same when they agree in target, key and arguments. */
export function bindingIdentity(target: Target, key: string, args: FieldTable): string {
  return `${target.kind}\0${target.name}\0${key}\0${encodeTable(args).toString('latin1')}`
}
