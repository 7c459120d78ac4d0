import { z } from 'zod'
import type { Problem } from './problem.ts'

const MS_MAX = 0xffff_ffff
const BINDINGS_MAX = 100_000
const NOT_A_NAME = "'__proto__' cannot be a name here"

const ms = z.int().min(0).max(MS_MAX)
const count = z.int().min(0)
const name = z.string().max(255)

/** Arguments under the names that they have on the wire: what each may be is for the queues to know. */
export interface WireArguments {
  readonly [argument: `x-${string}`]: unknown
}

const bindingSchema = z.strictObject({
  /** Where the messages come from. */
  exchange: name.min(1),
  key: name.optional(),
  /** For a headers exchange. */
  arguments: z.record(z.string(), z.unknown()).optional(),
})

/** A topic filter of MQTT stands for a binding to `amq.topic`. */
const bindings = z
  .array(z.union([z.string().min(1), bindingSchema]))
  .max(BINDINGS_MAX)
  .optional()

const queueKeys = z.object({
  durable: z.boolean().optional(),
  autoDelete: z.boolean().optional(),
  bindings,
  type: z.enum(['classic', 'quorum']).optional(),
  messageTtlMs: ms.optional(),
  expiresMs: ms.min(1).optional(),
  maxLength: count.optional(),
  maxLengthBytes: count.optional(),
  overflow: z.enum(['drop-head', 'reject-publish', 'reject-publish-dlx']).optional(),
  deadLetterExchange: name.optional(),
  deadLetterRoutingKey: name.optional(),
  maxPriority: z.int().min(0).max(255).optional(),
  singleActiveConsumer: z.boolean().optional(),
  /** −1: no limit. */
  deliveryLimit: z.int().min(-1).max(MS_MAX).optional(),
  retryDelaysMs: z.array(ms).max(100).optional(),
  deduplicationWindowMs: ms.min(1).optional(),
  lastValueKey: z.string().min(1).max(255).optional(),
})

const queueSchema = queueKeys.catchall(z.unknown()).superRefine((queue, context) => {
  for (const key of Object.keys(queue)) {
    if (Object.hasOwn(queueKeys.shape, key) || key.startsWith('x-')) continue
    context.addIssue({ code: 'unrecognized_keys', keys: [key], input: queue })
  }
})

const exchangeSchema = z.strictObject({
  type: z.enum(['direct', 'fanout', 'topic', 'headers']).optional(),
  durable: z.boolean().optional(),
  autoDelete: z.boolean().optional(),
  internal: z.boolean().optional(),
  alternateExchange: name.optional(),
  arguments: z.record(z.string(), z.unknown()).optional(),
  bindings,
})

/** One queue: what is left out has the value that a declaration over the wire would give it. */
export type QueueConfig = z.input<typeof queueKeys> & WireArguments
export type ExchangeConfig = z.input<typeof exchangeSchema>
export type BindingConfig = string | z.input<typeof bindingSchema>

/** From a queue's name to what it is. */
export const queuesSchema = z.record(z.string(), queueSchema) as unknown as z.ZodType<
  Record<string, QueueConfig>,
  Record<string, QueueConfig>
>

/** From an exchange's name to what it is. */
export const exchangesSchema = z.record(z.string(), exchangeSchema)

/** Keys of the configuration that are maps: what stands in them are names of the user's own. */
export const MAP_KEYS: readonly string[] = ['queues', 'exchanges']

/**
 * Makes the maps of a configuration ready to be checked: a name with nothing behind it has everything at its default.
 * Answers what is wrong with a name.
 */
export function prepareMaps(value: Record<string, unknown>): Problem | undefined {
  for (const map of MAP_KEYS) {
    const written = value[map]
    if (typeof written !== 'object' || written === null || Array.isArray(written)) continue
    // It would be taken for the prototype of what is read, and so be lost.
    if (Object.hasOwn(written, '__proto__')) return { path: [map], unknownKey: '__proto__', text: NOT_A_NAME }
    value[map] = Object.fromEntries(Object.entries(written).map(([each, definition]) => [each, definition ?? {}]))
  }
  return undefined
}
