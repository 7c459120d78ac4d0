import type { AmqpPart } from './amqp-part.ts'
import type { QoS } from './qos.ts'

/** No bytes: shared, so that "none" is one object everywhere. */
export const EMPTY = Buffer.alloc(0)

/**
 * One application message on its way through the broker.
 *
 * `payload` and `properties` may be views into the chunk that was read from the socket; whoever keeps a message past
 * the turn calls `own()` first, so that a payload of four bytes does not pin 64 KiB. The store calls `keepIn()` instead,
 * when it has written the message.
 */
export class Message {
  readonly topic: string
  payload: Buffer
  /** The publisher's QoS. What a subscriber gets is the lower of this and its subscription's (MQTT-3.8.4-8). */
  readonly qos: QoS
  readonly retain: boolean
  /**
   * MQTT 5 properties that travel unchanged from publisher to subscriber (payload format, content type, response
   * topic, correlation data, user properties), encoded as on the wire, without the length in front.
   * Topic alias, message expiry and subscription identifiers are never in here.
   */
  properties: Buffer
  /** Wall time in milliseconds at which the message expires; 0: never. */
  readonly expiresAtMs: number
  /** Client identifier of the publisher, for no-local; empty: published by the broker itself. */
  readonly publisher: string

  /** What came over AMQP, or was added by a dead-letter exchange; undefined for what was published over MQTT. */
  amqp: AmqpPart | undefined = undefined

  /** Commit epoch that makes this message durable wherever it had to be stored; 0: nothing was stored. */
  commitEpoch = 0
  /** Reason code of the destination that refused the message; 0: none did. */
  refusal = 0
  /** Entries of queues, durable or not, that hold it in memory, and what it counts there (`store/queue-memory`). */
  holders = 0
  heldBytes = 0
  /** Live references from durable queues, counted by the store (`store/fifo`). */
  references = 0
  /** Number of the stored body when several queues share it, given by the store; 0: none. */
  bodyId = 0
  /** Encoded PUBLISH frames by layout, kept by `wire/mqtt/publish-frame`. */
  frames: unknown[] | undefined = undefined
  /** Tells of a client, for listeners in the process: aedes' `$SYS/<broker id>/…`. Never sent to wire clients. */
  isLifeSign = false
  private owned = false

  constructor(
    topic: string,
    payload: Buffer,
    qos: QoS,
    retain: boolean,
    properties: Buffer = EMPTY,
    expiresAtMs = 0,
    publisher = '',
  ) {
    this.topic = topic
    this.payload = payload
    this.qos = qos
    this.retain = retain
    this.properties = properties
    this.expiresAtMs = expiresAtMs
    this.publisher = publisher
  }

  /** Copies the bytes out of the read chunk when they are a small part of it; further calls cost nothing. */
  own(): this {
    if (this.owned) return this
    this.owned = true
    this.payload = ownBytes(this.payload)
    this.properties = ownBytes(this.properties)
    return this
  }

  /**
   * The payload stands in `record` too, up to `end`: from now on it is a view into that, and the read chunk can go.
   * False: the message has bytes of its own.
   */
  keepIn(record: Buffer, end: number): boolean {
    if (this.owned) return false
    const { length } = this.payload
    this.payload = length === 0 ? EMPTY : record.subarray(end - length, end)
    this.properties = ownBytes(this.properties)
    return length > 0
  }
}

/** The same bytes in memory of their own, unless they fill at least half of what they are a view of. */
export function ownBytes(bytes: Buffer): Buffer {
  if (bytes.length === 0) return EMPTY
  if (bytes.length * 2 >= bytes.buffer.byteLength) return bytes
  // allocUnsafeSlow: a slice of Node's shared 8 KiB pool would be pinned the same way.
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
