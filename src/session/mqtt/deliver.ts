import type { Message } from '../../message/message.ts'
import type { QoS } from '../../message/qos.ts'
import type { FrameRun } from '../../router/destination.ts'
import {
  encodePublish,
  plainLayout,
  publishFrame,
  publishFrameBytes,
  type PublishLayout,
  writePublishFrame,
} from '../../wire/mqtt/publish-frame.ts'
import { forward } from './forward.ts'
import type { Connection } from './connection.ts'
import { COPY_BYTES_MAX } from './outbox.ts'

/**
 * Writes one PUBLISH to a connection. `packetId` is 0 at QoS 0. False: this client does not get it, because the
 * `authorizeForward` hook says so or because it is larger than the client takes (MQTT-3.1.2-24).
 */
export function deliver(
  connection: Connection,
  message: Message,
  qos: QoS,
  retain: boolean,
  dup: boolean,
  packetId: number,
  identifiers: readonly number[],
): boolean {
  const { broker } = connection.context
  if (broker.forwardIsHooked) {
    const forwarded = forward(connection, message, qos)
    if (forwarded === undefined) return false
    message = forwarded
  }
  const { version5 } = connection
  const { counters } = broker
  if (version5 && (identifiers.length > 0 || message.expiresAtMs !== 0 || connection.aliases !== undefined)) {
    return deliverSingly(connection, message, qos, retain, dup, packetId, identifiers)
  }
  if (message.expiresAtMs !== 0 && qos === 0 && message.expiresAtMs <= broker.clock.now()) {
    counters.messagesExpired++
    return false
  }
  // In memory it would live until the acknowledgement, and with a window full of them cost more than it saves.
  if (qos !== 0 && message.holders === 1 && message.frames === undefined) {
    return write(connection, message, plainLayout(version5, qos, retain, dup, packetId))
  }
  const { bytes, packetIdOffset } = publishFrame(message, version5, qos, retain)
  if (bytes.length > connection.packetBytesMax) return false
  if (qos === 0) connection.outbox.append(bytes, 0, bytes.length)
  else connection.outbox.appendPublish(bytes, packetIdOffset, packetId, dup)
  counters.packetsSent++
  counters.publishSent++
  counters.publishBytesSent += message.payload.length
  return true
}

/** A PUBLISH with something of this connection's own: subscription identifiers, remaining expiry, topic alias. */
function deliverSingly(
  connection: Connection,
  message: Message,
  qos: QoS,
  retain: boolean,
  dup: boolean,
  packetId: number,
  identifiers: readonly number[],
): boolean {
  const { aliases } = connection
  const { broker } = connection.context
  const own = plainLayout(true, qos, retain, dup, packetId)
  if (message.expiresAtMs !== 0) {
    const leftMs = message.expiresAtMs - broker.clock.now()
    if (leftMs <= 0 && !dup) {
      broker.counters.messagesExpired++
      return false
    }
    // MQTT-3.3.2-6: what is left, rounded up so that 0 never stands for "a moment".
    own.messageExpiryIntervalSeconds = Math.max(0, Math.ceil(leftMs / 1000))
  }
  const alias = aliases?.use(message.topic)
  own.topicAlias = alias?.number ?? 0
  own.omitTopic = alias?.known ?? false
  own.identifiers = identifiers
  if (write(connection, message, own)) return true
  if (alias !== undefined && !alias.known) aliases?.forget(message.topic)
  return false
}

/** A PUBLISH for this connection alone, encoded in its outbox. False: it is larger than the client takes. */
function write({ context, outbox, packetBytesMax }: Connection, message: Message, own: PublishLayout): boolean {
  const length = publishFrameBytes(message, own)
  if (length > packetBytesMax) return false
  if (length > COPY_BYTES_MAX) outbox.append(encodePublish(message, own), 0, length)
  else {
    const at = outbox.reserve(length)
    writePublishFrame(message, own, outbox.room, at)
  }
  const { counters } = context.broker
  counters.packetsSent++
  counters.publishSent++
  counters.publishBytesSent += message.payload.length
  return true
}

/** Writes a run of QoS 0 frames as they came. False: they have to be delivered one by one. */
export function deliverFrames(connection: Connection, run: FrameRun): boolean {
  if (connection.version5 !== run.version5 || connection.aliases !== undefined) return false
  if (run.largestFrameBytes > connection.packetBytesMax) return false
  const { broker } = connection.context
  if (broker.forwardIsHooked) return false
  if (connection.outbox.isFull) {
    connection.dropped(run.count)
    return true
  }
  const { counters } = broker
  connection.outbox.append(run.buffer, run.start, run.end)
  counters.packetsSent += run.count
  counters.publishSent += run.count
  return true
}
