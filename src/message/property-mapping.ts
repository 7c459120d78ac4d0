import { isUtf8 } from 'node:buffer'
import {
  type BasicProperties,
  decodeProperties,
  encodeProperties,
  headersField,
  replaceProperties,
} from './basic-properties.ts'
import type { FieldValue } from './field-table.ts'
import { keyOfTopic, type TopicConversion, topicOfKey } from './key-topic.ts'
import { EMPTY, type Message } from './message.ts'
import {
  CONTENT_TYPE,
  CORRELATION_DATA,
  PAYLOAD_FORMAT,
  PropertyList,
  RESPONSE_TOPIC,
  USER_PROPERTY,
  visitProperties,
} from './mqtt-properties.ts'

/** The header with the exact topic of a message that came over MQTT. */
export const TOPIC_HEADER = 'x-mqtt-topic'
const REPLY_HEADER = 'x-reply-to-topic'
const CORRELATION_HEADER = 'x-correlation-id'
const FORMAT_HEADER = 'x-mqtt-pfi'
const CONTENT_TYPE_HEADER = 'x-mqtt-content-type'
const OWN_HEADERS = new Set([TOPIC_HEADER, REPLY_HEADER, CORRELATION_HEADER, FORMAT_HEADER, CONTENT_TYPE_HEADER])
const SHORT_BYTES_MAX = 255
const MS_PER_SECOND = 1000

/** AMQP properties that MQTT has no place for, and the user property that each becomes. */
const AS_USER_PROPERTY: readonly (readonly [keyof BasicProperties, string])[] = [
  ['contentEncoding', 'amqp-content-encoding'],
  ['replyTo', 'amqp-reply-to'],
  ['messageId', 'amqp-message-id'],
  ['type', 'amqp-type'],
  ['appId', 'amqp-app-id'],
  ['userId', 'amqp-user-id'],
  ['priority', 'amqp-priority'],
  ['timestamp', 'amqp-timestamp'],
]

/**
 * The MQTT 5 properties that a subscriber gets with a message, encoded as `Message.properties`; message expiry is not
 * among them (`message.expiresAtMs`). A message that came over AMQP has them from its AMQP properties: content type and
 * correlation id, headers as user properties where they are texts, numbers or truth values; what has no place in MQTT
 * becomes a user property `amqp-…`. Tables, arrays and bytes stay behind.
 */
export function mqttProperties(message: Message, conversion: TopicConversion = 'escape'): Buffer {
  const raw = message.amqp?.properties
  if (raw === undefined || raw.length === 0) return message.properties
  const properties = readable(raw)
  if (properties === undefined) return EMPTY
  const { contentType, correlationId, headers = new Map<string, FieldValue>() } = properties
  const list = new PropertyList()
  const format = headers.get(FORMAT_HEADER)
  if (format === 0 || format === 1) list.add(PAYLOAD_FORMAT, Buffer.of(format))
  const type = textBytes(contentType ?? headers.get(CONTENT_TYPE_HEADER))
  if (type !== undefined) list.add(CONTENT_TYPE, type)
  const replyKey = headers.get(REPLY_HEADER)
  if (typeof replyKey === 'string') list.add(RESPONSE_TOPIC, Buffer.from(topicOfKey(replyKey, conversion)))
  const correlation = correlationId ?? headers.get(CORRELATION_HEADER)
  if (typeof correlation === 'string') list.add(CORRELATION_DATA, Buffer.from(correlation))
  else if (Buffer.isBuffer(correlation)) list.add(CORRELATION_DATA, correlation)
  for (const [name, value] of headers) if (!OWN_HEADERS.has(name)) addPair(list, name, value)
  for (const [property, name] of AS_USER_PROPERTY) {
    const value = properties[property] as string | number | undefined
    if (value !== undefined) addPair(list, name, value)
  }
  return list.bytes
}

/**
 * The AMQP properties (flags and list, as in a content header) of a message for a consumer over AMQP. One that came over
 * AMQP has its own, byte for byte. One that came over MQTT gets them from its MQTT properties, with the exact topic in
 * the header `x-mqtt-topic`; of user properties of one name the first counts.
 */
export function amqpProperties(message: Message, nowMs: number, conversion: TopicConversion = 'escape'): Buffer {
  const raw = message.amqp?.properties
  if (raw !== undefined && raw.length > 0) return raw
  const found: { -readonly [name in keyof BasicProperties]: BasicProperties[name] } = {
    deliveryMode: message.qos === 0 ? 1 : 2,
  }
  if (message.expiresAtMs !== 0) found.expiration = String(Math.max(0, Math.round(message.expiresAtMs - nowMs)))
  const headers = new HeaderList()
  headers.add(TOPIC_HEADER, Buffer.from(message.topic))
  visitProperties(message.properties, (id, first, second) => {
    if (id === PAYLOAD_FORMAT) headers.addOctet(FORMAT_HEADER, first[0] ?? 0)
    else if (id === CONTENT_TYPE && isShortAscii(first)) found.contentType = first.toString('latin1')
    else if (id === CONTENT_TYPE) headers.add(CONTENT_TYPE_HEADER, first)
    else if (id === RESPONSE_TOPIC) headers.add(REPLY_HEADER, Buffer.from(keyOfTopic(first.toString(), conversion)))
    else if (id === CORRELATION_DATA && first.length <= SHORT_BYTES_MAX && isUtf8(first)) {
      found.correlationId = first.toString()
    } else if (id === CORRELATION_DATA) headers.add(CORRELATION_HEADER, first)
    else if (id === USER_PROPERTY && second !== undefined) addUserProperty(first.toString(), second, found, headers)
  })
  return replaceProperties(encodeProperties(found), new Map([['headers', headersField(headers.bytes)]]))
}

/** What was made of an AMQP property on the way out becomes it again; who published it is never believed. */
function addUserProperty(name: string, value: Buffer, found: Record<string, unknown>, headers: HeaderList): void {
  const property = AS_USER_PROPERTY.find((each) => each[1] === name)?.[0]
  if (property === undefined || property === 'userId' || found[property] !== undefined) headers.add(name, value)
  else if (property === 'priority' || property === 'timestamp') {
    const number = Number(value.toString())
    const isFitting = Number.isSafeInteger(number) && number >= 0 && (property === 'timestamp' || number <= 255)
    if (isFitting) found[property] = number
    else headers.add(name, value)
  } else if (value.length <= SHORT_BYTES_MAX) found[property] = value.toString()
  else headers.add(name, value)
}

function readable(raw: Buffer): BasicProperties | undefined {
  try {
    return decodeProperties(raw)
  } catch {
    return undefined
  }
}

function addPair(list: PropertyList, name: string, value: FieldValue): void {
  const text = textBytes(value)
  const nameBytes = textBytes(name)
  if (text !== undefined && nameBytes !== undefined) list.addPair(nameBytes, text)
}

/** Undefined: it has no form as a text, or one that MQTT forbids (MQTT-1.5.4-2). */
function textBytes(value: FieldValue | undefined): Buffer | undefined {
  if (value === undefined) return undefined
  if (value === null) return EMPTY
  if (value instanceof Date) return Buffer.from(String(Math.floor(value.getTime() / MS_PER_SECOND)))
  if (typeof value === 'object') return undefined
  const text = String(value)
  return text.includes('\0') ? undefined : Buffer.from(text)
}

function isShortAscii(bytes: Buffer): boolean {
  return bytes.length <= SHORT_BYTES_MAX && bytes.every((byte) => byte < 0x80)
}

/** A field table of long strings, whose bytes are taken as they are. The first field of a name counts. */
class HeaderList {
  private readonly parts: Buffer[] = []
  private readonly names = new Set<string>()

  add(name: string, value: Buffer): void {
    const head = Buffer.alloc(5)
    head.write('S', 'latin1')
    head.writeUInt32BE(value.length, 1)
    this.push(name, head, value)
  }

  addOctet(name: string, value: number): void {
    this.push(name, Buffer.from('I\0\0\0', 'latin1'), Buffer.of(value))
  }

  get bytes(): Buffer {
    return Buffer.concat(this.parts)
  }

  private push(name: string, ...value: Buffer[]): void {
    const nameBytes = Buffer.from(name)
    // A name that no field can have is left out.
    if (nameBytes.length > SHORT_BYTES_MAX || this.names.has(name)) return
    this.names.add(name)
    this.parts.push(Buffer.of(nameBytes.length), nameBytes, ...value)
  }
}
