import { type BasicProperties, decodeProperties, hasHeaders } from '../message/basic-properties.ts'
import { EMPTY_TABLE, type FieldTable, type FieldValue } from '../message/field-table.ts'
import type { Message } from '../message/message.ts'
import { visitProperties } from '../message/mqtt-properties.ts'

const NO_PROPERTIES: BasicProperties = {}

/** The AMQP properties of a message; none where it came over MQTT, or where they cannot be read. */
export function propertiesOf(message: Message): BasicProperties {
  const bytes = message.amqp?.properties
  return bytes === undefined || bytes.length === 0 ? NO_PROPERTIES : readProperties(bytes)
}

export function readProperties(bytes: Buffer): BasicProperties {
  try {
    return decodeProperties(bytes)
  } catch {
    return NO_PROPERTIES
  }
}

/** AMQP headers, or the user properties of a message that came over MQTT (the first of each name). */
export function headersOf(message: Message): FieldTable {
  const bytes = message.amqp?.properties
  if (bytes !== undefined && bytes.length > 0) {
    return hasHeaders(bytes) ? (propertiesOf(message).headers ?? EMPTY_TABLE) : EMPTY_TABLE
  }
  return message.properties.length === 0 ? EMPTY_TABLE : userProperties(message.properties)
}

/** One header, without reading anything where the message has none. */
export function headerOf(message: Message, name: string): FieldValue | undefined {
  const bytes = message.amqp?.properties
  if (bytes !== undefined && bytes.length > 0 && !hasHeaders(bytes)) return undefined
  return headersOf(message).get(name)
}

/** What a queue with a deduplication window knows a message by; undefined: nothing. */
export function messageIdOf(message: Message): string | undefined {
  const { messageId } = propertiesOf(message)
  if (messageId !== undefined) return messageId
  const header = headerOf(message, 'amqp-message-id') ?? headerOf(message, 'message-id')
  return typeof header === 'string' ? header : undefined
}

/** As published over AMQP, or as a user property over MQTT; 0: it has none. */
export function priorityOf(message: Message): number {
  const { priority } = propertiesOf(message)
  if (priority !== undefined) return priority
  const wanted = Number(headerOf(message, 'amqp-priority') ?? 0)
  return Number.isSafeInteger(wanted) && wanted > 0 && wanted <= 255 ? wanted : 0
}

function userProperties(bytes: Buffer): FieldTable {
  const found = new Map<string, FieldValue>()
  visitProperties(bytes, (_id, name, value) => {
    if (value !== undefined && !found.has(name.toString())) found.set(name.toString(), value.toString())
  })
  return found
}
