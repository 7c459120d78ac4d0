import { EMPTY, Message } from '../../message/message.ts'
import { QUEUE_PREFIX } from '../../message/queue-topic.ts'
import type { QoS } from '../../message/qos.ts'
import { levelCount } from '../../message/topic.ts'
import type { FrameRun, Route } from '../../router/destination.ts'
import { packedLength, packedWidth, readRemainingLength } from '../../wire/mqtt/frame.ts'
import { DUP, decodePublish } from '../../wire/mqtt/publish.ts'
import { ProtocolError } from '../../wire/mqtt/protocol-error.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import { acceptPublish } from './accept-publish.ts'
import type { Connection } from './connection.ts'
import { type CachedTopic, equalBytes, TopicCache } from './topic-cache.ts'

const QOS0_FIRST_BYTE = 0x30
const RESERVED_PREFIX = '$SYS/'

/**
 * PUBLISH packets of one client. A device repeats its topic, so all that follows from the topic's bytes is looked up;
 * and QoS 0 packets of one topic that follow each other go through the broker as one run of bytes.
 */
export class IncomingPublishes {
  private readonly connection: Connection
  private readonly topics = new TopicCache()
  private aliases: Map<number, string> | undefined

  constructor(connection: Connection) {
    this.connection = connection
  }

  /** Handles the PUBLISH at `at`, or a run of them; returns the offset after it. Throws ProtocolError. */
  receive(buffer: Buffer, at: number, bodyStart: number, frameEnd: number): number {
    const { connection } = this
    const first = buffer[at] as number
    const topicStart = bodyStart + 2
    const topicLength = ((buffer[bodyStart] as number) << 8) | (buffer[bodyStart + 1] as number)
    const cached =
      topicLength > 0 && topicStart + topicLength <= frameEnd
        ? this.topics.find(buffer, topicStart, topicLength)
        : undefined
    if (cached === undefined) {
      this.receiveDecoded(buffer, at, bodyStart, frameEnd)
      return frameEnd
    }
    const { broker, version5 } = connection
    let rest = topicStart + topicLength
    if (first === QOS0_FIRST_BYTE) {
      const hasNoProperties = !version5 || (rest < frameEnd && buffer[rest] === 0)
      if (hasNoProperties && broker.publishIsPlain && !cached.isReserved) {
        return this.receiveRun(buffer, at, frameEnd, cached)
      }
      this.receiveDecoded(buffer, at, bodyStart, frameEnd)
      return frameEnd
    }
    const qos = ((first >> 1) & 3) as QoS
    const packetId = qos === 0 ? 0 : ((buffer[rest] as number) << 8) | (buffer[rest + 1] as number)
    rest += (qos === 0 ? 0 : 2) + (version5 ? 1 : 0)
    if (
      (qos as number) === 3 ||
      // DUP has no place at QoS 0 (MQTT-3.3.1-2), nor has a packet identifier of 0 above it (MQTT-2.2.1-3).
      (qos === 0 ? (first & DUP) !== 0 : packetId === 0) ||
      rest > frameEnd ||
      (version5 && buffer[rest - 1] !== 0)
    ) {
      this.receiveDecoded(buffer, at, bodyStart, frameEnd)
      return frameEnd
    }
    broker.counters.publishReceived++
    broker.counters.publishBytesReceived += frameEnd - rest
    const payload = rest === frameEnd ? EMPTY : buffer.subarray(rest, frameEnd)
    const message = new Message(cached.topic, payload, qos, (first & 1) === 1, EMPTY, 0, connection.id)
    acceptPublish(connection, message, packetId, this.routeOf(cached))
    return frameEnd
  }

  private receiveRun(buffer: Buffer, start: number, firstEnd: number, cached: CachedTopic): number {
    const { connection } = this
    const { broker, version5 } = connection
    const { bytes } = cached
    const bufferEnd = buffer.length
    const leastLength = 2 + bytes.length + (version5 ? 1 : 0)
    let largestFrameBytes = firstEnd - start
    let end = firstEnd
    let count = 1
    while (end < bufferEnd && buffer[end] === QOS0_FIRST_BYTE) {
      const packed = readRemainingLength(buffer, end + 1, bufferEnd)
      if (packed < 0) break
      const body = end + 1 + packedWidth(packed)
      const length = packedLength(packed)
      const next = body + length
      if (next > bufferEnd || length < leastLength || next - end > this.bytesMax) break
      if ((((buffer[body] as number) << 8) | (buffer[body + 1] as number)) !== bytes.length) break
      if (!equalBytes(bytes, buffer, body + 2, bytes.length)) break
      if (version5 && buffer[body + 2 + bytes.length] !== 0) break
      if (next - end > largestFrameBytes) largestFrameBytes = next - end
      end = next
      count++
    }
    const { counters } = broker
    counters.packetsReceived += count - 1
    counters.publishReceived += count
    counters.publishBytesReceived += end - start - count * (leastLength + 2)
    const run: FrameRun = {
      topic: cached.topic,
      buffer,
      start,
      end,
      count,
      version5,
      largestFrameBytes,
      publisher: connection.id,
    }
    broker.pipeline.dispatchFrames(run, this.routeOf(cached), splitRun)
    return end
  }

  private receiveDecoded(buffer: Buffer, at: number, bodyStart: number, frameEnd: number): void {
    const { connection } = this
    const { broker, version5 } = connection
    const { limits } = broker.config
    const packet = decodePublish(buffer, at, bodyStart, frameEnd, connection.wireVersion, 'client', limits)
    broker.counters.publishReceived++
    broker.counters.publishBytesReceived += packet.payload.length
    let { topic } = packet
    if (packet.topicAlias !== 0) topic = this.resolveAlias(packet.topicAlias, topic)
    const topicLength = ((buffer[bodyStart] as number) << 8) | (buffer[bodyStart + 1] as number)
    if (topicLength > limits.topicBytesMax) {
      throw new ProtocolError(ReasonCode.TopicNameInvalid, `the topic is longer than ${limits.topicBytesMax} bytes`)
    }
    if (levelCount(topic) > broker.maxTopicLevels) {
      throw new ProtocolError(ReasonCode.TopicNameInvalid, 'topic has too many levels')
    }
    let route: Route
    if (topicLength > 0) {
      route = broker.router.route(topic)
      const isReserved = topic.startsWith(RESERVED_PREFIX) || topic.startsWith(QUEUE_PREFIX)
      this.topics.add(buffer, bodyStart + 2, topicLength, topic, route, isReserved)
    } else route = broker.router.route(topic)
    const expiry = version5 ? packet.messageExpiryIntervalSeconds : undefined
    const expiresAtMs = expiry === undefined ? 0 : broker.clock.now() + expiry * 1000
    const { payload, qos, retain, forwardProperties, packetId } = packet
    const message = new Message(topic, payload, qos, retain, forwardProperties, expiresAtMs, connection.id)
    acceptPublish(connection, message, packetId, route)
  }

  private get bytesMax(): number {
    return this.connection.context.broker.config.limits.packetBytesMax
  }

  private routeOf(cached: CachedTopic): Route {
    if (cached.route.stale) cached.route = this.connection.context.broker.router.route(cached.topic)
    return cached.route
  }

  /** MQTT 5, section 3.3.2.3.4. */
  private resolveAlias(alias: number, topic: string): string {
    if (alias > this.connection.context.broker.config.limits.topicAliasMax) {
      throw new ProtocolError(ReasonCode.TopicAliasInvalid, `topic alias ${alias} is beyond the announced maximum`)
    }
    if (topic !== '') {
      this.aliases ??= new Map()
      this.aliases.set(alias, topic)
      return topic
    }
    const known = this.aliases?.get(alias)
    if (known === undefined) throw new ProtocolError(ReasonCode.ProtocolError, `topic alias ${alias} is not known`)
    return known
  }
}

function splitRun(run: FrameRun): Message[] {
  const messages: Message[] = []
  let at = run.start
  while (at < run.end) {
    const packed = readRemainingLength(run.buffer, at + 1, run.end)
    const body = at + 1 + packedWidth(packed)
    const next = body + packedLength(packed)
    const payloadStart = body + 2 + run.buffer.readUInt16BE(body) + (run.version5 ? 1 : 0)
    const payload = payloadStart === next ? EMPTY : run.buffer.subarray(payloadStart, next)
    messages.push(new Message(run.topic, payload, 0, false, EMPTY, 0, run.publisher))
    at = next
  }
  return messages
}
