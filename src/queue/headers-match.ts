import { type FieldTable, type FieldValue, sameValue } from '../message/field-table.ts'
import { QueueError } from './queue-error.ts'

const WAYS: readonly FieldValue[] = ['all', 'any', 'all-with-x', 'any-with-x']

/** Throws 406 when `x-match` is none of the four. */
export function checkHeadersArguments(args: FieldTable): void {
  const way = args.get('x-match')
  if (way === undefined || WAYS.includes(way)) return
  throw new QueueError(406, `invalid x-match field value ${JSON.stringify(way)}; expected all or any`)
}

/**
 * The rule of a headers exchange: all of the binding's arguments (or with `x-match: any` one of them) are among the
 * headers with an equal value; a void argument only asks that the header is there. Names that begin with `x-` count
 * only where `x-match` ends in `-with-x`.
 */
export function matchesHeaders(args: FieldTable, headers: FieldTable): boolean {
  const way = args.get('x-match') ?? 'all'
  const isAny = way === 'any' || way === 'any-with-x'
  const withX = way === 'all-with-x' || way === 'any-with-x'
  for (const [name, value] of args) {
    if (name === 'x-match' || (!withX && name.startsWith('x-'))) continue
    const matches = value === null ? headers.has(name) : sameValue(headers.get(name), value)
    if (matches === isAny) return isAny
  }
  return !isAny
}
