import { EMPTY, type Message } from '../../message/message.ts'
import { USER_PROPERTY } from '../../message/mqtt-properties.ts'
import { QUEUE_PREFIX } from '../../message/queue-topic.ts'
import { TOPIC_BYTES_MAX } from '../../message/topic.ts'
import { frameBytes, lengthWidth, REMAINING_LENGTH_MAX, writeLength } from '../../wire/mqtt/frame.ts'
import { PacketType } from '../../wire/mqtt/packet-type.ts'
import { COPY_BYTES_MAX, type Outbox } from './outbox.ts'

const MESSAGE_EXPIRY = 0x02
const EXPIRY_BYTES = 5
const SUBSCRIPTION_IDENTIFIER = 0x0b
const TOPIC_NAME = userPropertyName('x-mqtt-topic')
const COUNT_ZERO = countProperty(0)
const QUEUE_NAME = userPropertyName('x-queue')

/** What one PUBLISH of a queue has of its own. */
export interface QueuePublish {
  readonly message: Message
  readonly qos: 0 | 1
  /** Not read at QoS 0. */
  readonly packetId: number
  readonly deliveryCount: number
  /** What is left of the message's time; undefined: it does not expire. */
  readonly expirySeconds: number | undefined
  /** See `queueProperties`; not read below version 5. */
  readonly properties: Buffer
}

/** Writes the messages of one queue as PUBLISH packets on the topic `$queue/<name>`, straight into an outbox. */
export class QueueFrames {
  private readonly topic: Buffer
  private readonly version5: boolean
  /** Subscription identifier, `x-queue`, and the name `x-mqtt-topic`: the same in each packet. */
  private readonly constant: Buffer
  // The latest: messages of one topic come in rows.
  private topicName = ''
  private topicValue = text('')

  constructor(queueName: string, version5: boolean, identifier: number) {
    this.topic = text(QUEUE_PREFIX + queueName)
    this.version5 = version5
    this.constant = version5
      ? Buffer.concat([identifierProperty(identifier), QUEUE_NAME, text(queueName), TOPIC_NAME])
      : EMPTY
  }

  /** False: the packet is larger than `bytesMax` and was not written. */
  write(outbox: Outbox, publish: QueuePublish, bytesMax: number): boolean {
    const { payload, topic } = publish.message
    const original = this.version5 ? this.textOf(topic) : EMPTY
    const count = publish.deliveryCount === 0 ? COUNT_ZERO : countProperty(publish.deliveryCount)
    const properties = this.version5 ? this.propertyBytes(publish, original, count) : 0
    const head = this.topic.length + publish.qos * 2 + (this.version5 ? lengthWidth(properties) + properties : 0)
    const body = head + payload.length
    // Of what came over MQTT the topic fits; a program may have named a longer one.
    if (body > REMAINING_LENGTH_MAX || original.length - 2 > TOPIC_BYTES_MAX) return false
    const length = frameBytes(body)
    if (length > bytesMax) return false
    if (length <= COPY_BYTES_MAX) {
      const at = outbox.reserve(length)
      const end = this.writeHead(outbox.room, at, publish, body, properties, original, count)
      payload.copy(outbox.room, end)
      return true
    }
    const bytes = Buffer.allocUnsafe(length - payload.length)
    this.writeHead(bytes, 0, publish, body, properties, original, count)
    outbox.append(bytes, 0, bytes.length)
    outbox.append(payload, 0, payload.length)
    return true
  }

  private textOf(topic: string): Buffer {
    if (topic !== this.topicName) {
      this.topicName = topic
      this.topicValue = text(topic)
    }
    return this.topicValue
  }

  private propertyBytes(publish: QueuePublish, original: Buffer, count: Buffer): number {
    const expiry = publish.expirySeconds === undefined ? 0 : EXPIRY_BYTES
    return this.constant.length + original.length + count.length + expiry + publish.properties.length
  }

  private writeHead(
    bytes: Buffer,
    start: number,
    publish: QueuePublish,
    body: number,
    properties: number,
    original: Buffer,
    count: Buffer,
  ): number {
    const { qos, packetId, expirySeconds } = publish
    bytes[start] = (PacketType.Publish << 4) | (qos << 1)
    let at = writeLength(bytes, start + 1, body)
    at += this.topic.copy(bytes, at)
    if (qos === 1) at = bytes.writeUInt16BE(packetId, at)
    if (!this.version5) return at
    at = writeLength(bytes, at, properties)
    if (expirySeconds !== undefined) {
      bytes[at] = MESSAGE_EXPIRY
      at = bytes.writeUInt32BE(expirySeconds, at + 1)
    }
    at += this.constant.copy(bytes, at)
    at += original.copy(bytes, at)
    at += count.copy(bytes, at)
    return at + publish.properties.copy(bytes, at)
  }
}

function text(value: string): Buffer {
  const length = Buffer.byteLength(value)
  const bytes = Buffer.allocUnsafe(2 + length)
  bytes[0] = length >> 8
  bytes[1] = length
  bytes.write(value, 2)
  return bytes
}

function userPropertyName(name: string): Buffer {
  return Buffer.concat([Buffer.from([USER_PROPERTY]), text(name)])
}

function countProperty(count: number): Buffer {
  return Buffer.concat([userPropertyName('x-delivery-count'), text(String(count))])
}

function identifierProperty(identifier: number): Buffer {
  if (identifier === 0) return EMPTY
  const bytes = Buffer.alloc(1 + lengthWidth(identifier), SUBSCRIPTION_IDENTIFIER)
  writeLength(bytes, 1, identifier)
  return bytes
}
