import { headersField, rawHeaders, replaceProperties } from '../message/basic-properties.ts'
import { AmqpPart, type Death, type DeathReason } from '../message/amqp-part.ts'
import { encodeTable, type FieldTable, type FieldValue, fieldSpans } from '../message/field-table.ts'
import { EMPTY, Message } from '../message/message.ts'
import { keyOfTopic, type TopicConversion } from '../message/key-topic.ts'
import { amqpProperties } from '../message/property-mapping.ts'
import { QUEUE_PREFIX, queueNameOf } from '../message/queue-topic.ts'
import { headerOf, propertiesOf } from './message-headers.ts'

export const TOPIC_EXCHANGE = 'amq.topic'
// One for each queue and reason; a message that has died in more places than this forgets the oldest.
const DEATHS_MAX = 200
const DEATH_HEADERS: ReadonlySet<string> = new Set([
  'x-death',
  'x-first-death-reason',
  'x-first-death-queue',
  'x-first-death-exchange',
  'x-last-death-reason',
  'x-last-death-queue',
  'x-last-death-exchange',
  'x-delivery-count',
])

/** What MQTT publishes came by `amq.topic`, or, to `$queue/<name>`, by the default exchange. */
export function exchangeOf(message: Message): string {
  return message.amqp?.exchange ?? (message.topic.startsWith(QUEUE_PREFIX) ? '' : TOPIC_EXCHANGE)
}

export function routingKeyOf(message: Message, conversion: TopicConversion): string {
  return message.amqp?.routingKey ?? queueNameOf(message.topic) ?? keyOfTopic(message.topic, conversion)
}

/** The routing key, then those of the header `CC`. */
export function routingKeysOf(message: Message, conversion: TopicConversion): string[] {
  const keys = [routingKeyOf(message, conversion)]
  if (message.amqp !== undefined) addKeys(headerOf(message, 'CC'), keys)
  return keys
}

export function addKeys(header: FieldValue | undefined, keys: string[]): void {
  if (Array.isArray(header)) for (const key of header) if (typeof key === 'string') keys.push(key)
}

/** The message as it is published to a dead-letter exchange: without expiry, and with one more death on its record. */
export function deadMessage(
  message: Message,
  queue: string,
  reason: DeathReason,
  nowMs: number,
  exchange: string,
  routingKey: string,
  conversion: TopicConversion,
): Message {
  const { amqp } = message
  const expiration = propertiesOf(message).expiration ?? ''
  const before = amqp?.deaths ?? []
  const known = before.find((each) => each.queue === queue && each.reason === reason)
  const death: Death = known
    ? { ...known, count: known.count + 1 }
    : {
        queue,
        reason,
        count: 1,
        timeMs: nowMs,
        exchange: exchangeOf(message),
        routingKeys: routingKeysOf(message, conversion),
        originalExpiration: expiration,
      }
  const deaths = [death, ...before.filter((each) => each !== known)].slice(0, DEATHS_MAX)
  const first = amqp?.firstDeath ?? { reason, queue, exchange: exchangeOf(message) }
  const raw = amqp?.properties ?? EMPTY
  const properties = expiration === '' ? raw : replaceProperties(raw, new Map([['expiration', undefined]]))
  const { topic, payload, qos, publisher } = message
  const dead = new Message(topic, payload, qos, false, message.properties, 0, publisher)
  dead.amqp = new AmqpPart(exchange, routingKey, properties, deaths, first)
  return dead
}

/**
 * True when a message would come back to a queue where it has died without anybody having rejected it in between: it
 * would go round for ever (RabbitMQ drops it there).
 */
export function isCycle(target: string, deaths: readonly Death[]): boolean {
  for (const { queue, reason } of deaths) {
    if (reason === 'rejected') return false
    if (queue === target) return true
  }
  return false
}

/** The headers that tell of a message's deaths, as RabbitMQ writes them; empty: it has not died. */
export function deathHeaders(message: Message): FieldTable {
  const headers = new Map<string, FieldValue>()
  const part = message.amqp
  const last = part?.deaths[0]
  if (part === undefined || last === undefined) return headers
  const first = part.firstDeath ?? (part.deaths.at(-1) as Death)
  headers.set('x-death', part.deaths.map(deathTable))
  for (const [which, death] of [['first', first] as const, ['last', last] as const]) {
    headers.set(`x-${which}-death-reason`, death.reason)
    headers.set(`x-${which}-death-queue`, death.queue)
    headers.set(`x-${which}-death-exchange`, death.exchange)
  }
  return headers
}

function deathTable(death: Death): FieldTable {
  const table = new Map<string, FieldValue>([
    ['count', BigInt(death.count)],
    ['reason', death.reason],
    ['queue', death.queue],
    ['time', new Date(death.timeMs)],
    ['exchange', death.exchange],
    ['routing-keys', [...death.routingKeys]],
  ])
  if (death.originalExpiration !== '') table.set('original-expiration', death.originalExpiration)
  return table
}

/**
 * The properties that an AMQP consumer gets: as they were published, byte for byte, or made from those of MQTT; and
 * where the message has died or come back, with the headers that say so in the place of any a client had made up.
 */
export function deliveredProperties(
  message: Message,
  deliveryCount: number,
  nowMs: number,
  conversion: TopicConversion,
): Buffer {
  const raw = amqpProperties(message, nowMs, conversion)
  const added = new Map<string, FieldValue>(deathHeaders(message))
  if (deliveryCount > 0) added.set('x-delivery-count', BigInt(deliveryCount))
  if (added.size === 0) return raw
  const table = rawHeaders(raw)
  const kept = fieldSpans(table)
    .filter(({ name }) => !DEATH_HEADERS.has(name))
    .map(({ start, end }) => table.subarray(start, end))
  const headers = Buffer.concat([...kept, encodeTable(added)])
  return replaceProperties(raw, new Map([['headers', headersField(headers)]]))
}
