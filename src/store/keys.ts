import { isUtf8 } from 'node:buffer'
import { SluiceError } from '../base/errors.ts'

/**
 * Key layout (`docs/store-format.md`): one byte for the kind, then big-endian numbers, so that LevelDB's order is the
 * order of numbers. A string that is not the last part has its length in bytes in front (u16).
 */
export const KIND_META = 0x01
export const KIND_SESSION = 0x10
export const KIND_SUBSCRIPTION = 0x11
export const KIND_WILL = 0x12
export const KIND_RETAINED = 0x13
export const KIND_INCOMING = 0x14
export const KIND_HEAD = 0x20
/** Format 1 only: an entry of its own for each message. */
export const KIND_ENTRY = 0x21
export const KIND_BODY = 0x22
export const KIND_BLOCK = 0x23
export const KIND_BLOCK_DATA = 0x24
export const KIND_EXCHANGE = 0x30
export const KIND_QUEUE = 0x31
export const KIND_BINDING = 0x32
export const KIND_REDELIVERY = 0x33
export const KIND_DELAYED = 0x34
export const KIND_SEEN = 0x35

/** Bytes of a key that is a kind and a number: of a head, a body, a binding. */
export const NUMBER_KEY_BYTES = 7
/** Bytes of the key of a block, and of its data: kind, FIFO u48, sequence number u48. */
export const BLOCK_KEY_BYTES = 13
/** Bytes of the key of a delayed message. */
export const DELAYED_KEY_BYTES = 19
/** One past the largest number that a key can hold. */
export const NUMBER_MAX = 2 ** 48

// Behind the kind and the length.
const SUBSCRIPTION_ID_AT = 3
const INCOMING_KEY_BYTES = 9

export function kindKey(kind: number): Buffer {
  return Buffer.from([kind])
}

export function metaKey(name: string): Buffer {
  return stringKey(KIND_META, name)
}

export function sessionKey(clientId: string): Buffer {
  return stringKey(KIND_SESSION, clientId)
}

export function willKey(clientId: string): Buffer {
  return stringKey(KIND_WILL, clientId)
}

export function retainedKey(topic: string): Buffer {
  return stringKey(KIND_RETAINED, topic)
}

/** Whether such a key is one that was made of a text: others are read with other characters in their place. */
export function isTextKey(key: Buffer): boolean {
  return isUtf8(key.subarray(1))
}

/** The last part of a session's, a will's or a retained message's key. */
export function stringOfKey(key: Buffer): string {
  return key.toString('utf8', 1, key.length)
}

export function subscriptionKey(clientId: string, filter: string): Buffer {
  const idBytes = Buffer.byteLength(clientId)
  const key = Buffer.allocUnsafe(SUBSCRIPTION_ID_AT + idBytes + Buffer.byteLength(filter))
  key[0] = KIND_SUBSCRIPTION
  key.writeUInt16BE(idBytes, 1)
  key.write(clientId, SUBSCRIPTION_ID_AT)
  key.write(filter, SUBSCRIPTION_ID_AT + idBytes)
  return key
}

/** In front of all subscriptions of a client. */
export function subscriptionPrefix(clientId: string): Buffer {
  return subscriptionKey(clientId, '')
}

/** Throws a SluiceError for a key that is cut off. */
export function parseSubscriptionKey(key: Buffer): { clientId: string; filter: string } {
  const end = key.length < SUBSCRIPTION_ID_AT ? Number.NaN : SUBSCRIPTION_ID_AT + key.readUInt16BE(1)
  if (!(end <= key.length)) throw cutOff(key)
  return { clientId: key.toString('utf8', SUBSCRIPTION_ID_AT, end), filter: key.toString('utf8', end, key.length) }
}

/** A packet identifier of an incoming QoS 2 message that is not yet released (MQTT 5, section 4.3.3). */
export function incomingKey(sessionNumber: number, packetId: number): Buffer {
  const key = Buffer.allocUnsafe(INCOMING_KEY_BYTES)
  key[0] = KIND_INCOMING
  writeU48(key, sessionNumber, 1)
  key[7] = packetId >>> 8
  key[8] = packetId
  return key
}

/** In front of all incoming packet identifiers of a session. */
export function incomingPrefix(sessionNumber: number): Buffer {
  return numberKey(KIND_INCOMING, sessionNumber)
}

/** Throws a SluiceError for a key of another length. */
export function parseIncomingKey(key: Buffer): { sessionNumber: number; packetId: number } {
  if (key.length !== INCOMING_KEY_BYTES) throw cutOff(key)
  return { sessionNumber: readU48(key, 1), packetId: key.readUInt16BE(7) }
}

export function headKey(fifoId: number): Buffer {
  return numberKey(KIND_HEAD, fifoId)
}

export function bodyKey(bodyId: number): Buffer {
  return numberKey(KIND_BODY, bodyId)
}

/** The number with which a key begins. Throws a SluiceError for a key that is cut off. */
export function numberOfKey(key: Buffer): number {
  if (key.length < NUMBER_KEY_BYTES) throw cutOff(key)
  return readU48(key, 1)
}

/** What is known of the entries of a FIFO whose numbers begin with `firstSeq`. */
export function blockKey(fifoId: number, firstSeq: number): Buffer {
  return sequenceKey(KIND_BLOCK, fifoId, firstSeq)
}

/** The entries of a block themselves. */
export function blockDataKey(fifoId: number, firstSeq: number): Buffer {
  return sequenceKey(KIND_BLOCK_DATA, fifoId, firstSeq)
}

export function exchangeKey(name: string): Buffer {
  return stringKey(KIND_EXCHANGE, name)
}

export function queueKey(name: string): Buffer {
  return stringKey(KIND_QUEUE, name)
}

/** A binding has no name: its number is given once and stands for it. */
export function bindingKey(bindingNumber: number): Buffer {
  return numberKey(KIND_BINDING, bindingNumber)
}

/** How often an entry of a queue was handed out and came back. */
export function redeliveryKey(fifoId: number, seq: number): Buffer {
  return sequenceKey(KIND_REDELIVERY, fifoId, seq)
}

/** A message that enters its queue at `dueMs`; keys of one queue are in the order of that time. */
export function delayedKey(queueNumber: number, dueMs: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(DELAYED_KEY_BYTES)
  key[0] = KIND_DELAYED
  writeU48(key, queueNumber, 1)
  writeU48(key, dueMs, 7)
  writeU48(key, number, 13)
  return key
}

/** A message identifier that a queue with a deduplication window has seen. */
export function seenKey(queueNumber: number, messageId: string): Buffer {
  const key = Buffer.allocUnsafe(NUMBER_KEY_BYTES + Buffer.byteLength(messageId))
  key[0] = KIND_SEEN
  writeU48(key, queueNumber, 1)
  key.write(messageId, NUMBER_KEY_BYTES)
  return key
}

/** The message identifier in such a key. */
export function messageIdOfKey(key: Buffer): string {
  return key.toString('utf8', NUMBER_KEY_BYTES)
}

/** In front of all keys of a kind that belong to one number. */
export function ownedPrefix(kind: number, owner: number): Buffer {
  return numberKey(kind, owner)
}

/** The sequence number in the key of a block, of its data or of a redelivery count. Throws as `numberOfKey`. */
export function entrySeq(key: Buffer): number {
  if (key.length < BLOCK_KEY_BYTES) throw cutOff(key)
  return readU48(key, 7)
}

/** The smallest key after all that begin with `prefix`. */
export function prefixEnd(prefix: Buffer): Buffer {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  const end = Buffer.from(prefix.subarray(0, length))
  if (length > 0) end[length - 1] = (end[length - 1] ?? 0) + 1
  return end
}

/** The smallest key after `key`: where a scan goes on. */
export function keyAfter(key: Buffer): Buffer {
  const next = Buffer.alloc(key.length + 1)
  key.copy(next)
  return next
}

function stringKey(kind: number, name: string): Buffer {
  const key = Buffer.allocUnsafe(1 + Buffer.byteLength(name))
  key[0] = kind
  key.write(name, 1)
  return key
}

function sequenceKey(kind: number, fifoId: number, seq: number): Buffer {
  const key = Buffer.allocUnsafe(BLOCK_KEY_BYTES)
  key[0] = kind
  writeU48(key, fifoId, 1)
  writeU48(key, seq, 7)
  return key
}

function cutOff(key: Buffer): SluiceError {
  return new SluiceError('STORE_RECORD_DAMAGED', `the key ${key.toString('hex')} has the wrong length`)
}

function numberKey(kind: number, value: number): Buffer {
  const key = Buffer.allocUnsafe(NUMBER_KEY_BYTES)
  key[0] = kind
  writeU48(key, value, 1)
  return key
}

// Written out: Buffer's writeUIntBE checks its arguments for several times the cost of the bytes.
export function writeU48(bytes: Buffer, value: number, offset: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  const low = value >>> 0
  bytes[offset] = high >>> 8
  bytes[offset + 1] = high
  bytes[offset + 2] = low >>> 24
  bytes[offset + 3] = low >>> 16
  bytes[offset + 4] = low >>> 8
  bytes[offset + 5] = low
}

export function readU48(bytes: Buffer, offset: number): number {
  return bytes.readUInt16BE(offset) * 0x1_0000_0000 + bytes.readUInt32BE(offset + 2)
}
