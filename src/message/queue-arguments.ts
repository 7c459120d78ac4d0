import type { FieldTable, FieldValue } from './field-table.ts'
import { fieldValueOf, type PlainTable } from './plain-table.ts'

/** The arguments of a queue under their readable names; docs/queues.md says what each means. */
export interface QueueArguments {
  readonly type?: 'classic' | 'quorum'
  readonly messageTtlMs?: number
  readonly expiresMs?: number
  readonly maxLength?: number
  readonly maxLengthBytes?: number
  readonly overflow?: 'drop-head' | 'reject-publish' | 'reject-publish-dlx'
  readonly deadLetterExchange?: string
  readonly deadLetterRoutingKey?: string
  readonly maxPriority?: number
  readonly singleActiveConsumer?: boolean
  readonly deliveryLimit?: number
  readonly retryDelaysMs?: readonly number[]
  readonly deduplicationWindowMs?: number
  readonly lastValueKey?: string
}

/** From the readable name of each argument of a queue, for configuration and library, to the one on the wire. */
export const QUEUE_ARGUMENT_NAMES: ReadonlyMap<string, string> = new Map<keyof QueueArguments, string>([
  ['type', 'x-queue-type'],
  ['messageTtlMs', 'x-message-ttl'],
  ['expiresMs', 'x-expires'],
  ['maxLength', 'x-max-length'],
  ['maxLengthBytes', 'x-max-length-bytes'],
  ['overflow', 'x-overflow'],
  ['deadLetterExchange', 'x-dead-letter-exchange'],
  ['deadLetterRoutingKey', 'x-dead-letter-routing-key'],
  ['maxPriority', 'x-max-priority'],
  ['singleActiveConsumer', 'x-single-active-consumer'],
  ['deliveryLimit', 'x-delivery-limit'],
  ['retryDelaysMs', 'x-retry-delays'],
  ['deduplicationWindowMs', 'x-deduplication-window'],
  ['lastValueKey', 'x-last-value-key'],
])

/**
 * The arguments as they are declared and stored, from readable names and names that begin with `x-`; what is undefined
 * is left out. Throws RangeError, whose message begins with the name, for any other name and for one that is given in
 * both spellings.
 */
export function queueArgumentTable(plain: PlainTable): FieldTable {
  const table = new Map<string, FieldValue>()
  for (const [name, value] of Object.entries(plain)) {
    if (value === undefined) continue
    const wireName = name.startsWith('x-') ? name : QUEUE_ARGUMENT_NAMES.get(name)
    if (wireName === undefined) throw new RangeError(`'${name}' is no argument of a queue`)
    if (table.has(wireName)) throw new RangeError(`'${wireName}' is given twice, also under its readable name`)
    table.set(wireName, fieldValueOf(name, value))
  }
  return table
}
