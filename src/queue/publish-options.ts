import { type BasicProperties, encodeProperties } from '../message/basic-properties.ts'
import type { FieldValue } from '../message/field-table.ts'
import { EMPTY } from '../message/message.ts'
import { type PlainTable, tableOf } from '../message/plain-table.ts'

/** What a program may say of a message. */
export interface PublishOptions {
  /** False (delivery mode 1): `publish` and `enqueue` do not wait for the disk. Default: true. */
  readonly persistent?: boolean
  /** Of a queue with `maxPriority`: higher ones first. */
  readonly priority?: number
  /** How long it may wait in a queue. */
  readonly expirationMs?: number
  /** How long it waits before it enters its queue. */
  readonly delayMs?: number
  /** A queue with `deduplicationWindowMs` takes one message of each. */
  readonly messageId?: string
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly correlationId?: string
  readonly replyTo?: string
  readonly type?: string
  readonly appId?: string
  readonly timestamp?: Date
  readonly headers?: PlainTable
}

const NONE: PublishOptions = {}

/** The properties as in an AMQP content header; empty: there are none. Throws RangeError for what they cannot hold. */
export function propertyBytes(options: PublishOptions = NONE): Buffer {
  if (Object.keys(options).length === 0) return EMPTY
  const { persistent = true, priority, expirationMs, delayMs, timestamp, headers, ...texts } = options
  const table = new Map<string, FieldValue>(tableOf(headers))
  if (delayMs !== undefined) table.set('x-delay', delayMs)
  const found: { -readonly [name in keyof BasicProperties]: BasicProperties[name] } = {
    deliveryMode: persistent ? 2 : 1,
  }
  for (const name of TEXTS) if (texts[name] !== undefined) found[name] = texts[name]
  if (priority !== undefined) found.priority = within('priority', priority, 255)
  if (expirationMs !== undefined) found.expiration = String(within('expirationMs', expirationMs, 0xffff_ffff))
  if (timestamp !== undefined) found.timestamp = timestamp.getTime() / 1000
  if (table.size > 0) found.headers = table
  return encodeProperties(found)
}

const TEXTS = ['messageId', 'contentType', 'contentEncoding', 'correlationId', 'replyTo', 'type', 'appId'] as const

function within(name: string, value: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= 0 && value <= max) return value
  throw new RangeError(`'${name}' is ${value}, and may be a whole number from 0 to ${max}`)
}
