import { fromAedesPacket, type LoosePacket, toClientPacket } from '../../broker/aedes-packet.ts'
import type { Message } from '../../message/message.ts'
import type { Route } from '../../router/destination.ts'
import { AckByte } from '../../wire/mqtt/acknowledgement.ts'
import { ProtocolError } from '../../wire/mqtt/protocol-error.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import { ClientError } from './client-error.ts'
import type { Connection } from './connection.ts'
import type { Session } from './session.ts'

const SYS_PREFIX = '$SYS/'
export const STORE_FAILS = 'the broker cannot store anything at present'
// aedes acts on these: whatever a hook permits, a client must not be able to disconnect others by a message.
const STEERS_AEDES = /^\$SYS\/[^/]+\/(heartbeat|birth|new\/clients)$/

/**
 * One PUBLISH of a client on its way in: known already? allowed? then through the pipeline, and acknowledged last
 * (MQTT 5, section 4.3). `packetId` is 0 at QoS 0.
 */
export function acceptPublish(connection: Connection, message: Message, packetId: number, route: Route): void {
  const { broker } = connection.context
  const session = connection.session as Session
  if (message.qos === 2 && session.hasIncoming(packetId)) {
    // MQTT-4.3.3-10: the same message again, and its PUBREC goes out behind the commit of the first.
    connection.replies.ack(AckByte.pubrec, packetId, session.changeEpoch)
    return
  }
  if (message.qos > 0) checkQuota(connection, session)
  if (broker.publishIsPlain) {
    if (message.topic.startsWith(SYS_PREFIX)) {
      refuse(connection, message, packetId, ReasonCode.NotAuthorized, `${SYS_PREFIX} topic is reserved`)
      return
    }
    if (storeRefuses(connection, session, message, packetId, route)) return
    dispatch(connection, session, message, message.qos === 2 ? packetId : 0, route)
    acknowledge(connection, message, packetId, route)
    return
  }
  if (STEERS_AEDES.test(message.topic)) {
    refuse(connection, message, packetId, ReasonCode.NotAuthorized, 'only brokers may publish there')
    return
  }
  const receivedAtMs = broker.clock.now()
  const packet = toClientPacket(message, packetId, receivedAtMs)
  connection.ask<void>(
    'authorizePublish',
    (callback) => broker.authorizePublish(connection, packet, callback),
    (error) => {
      if (error !== null) {
        refuse(connection, message, packetId, ReasonCode.NotAuthorized, error.message)
        return
      }
      permitted(connection, session, message, packet, packetId, receivedAtMs)
    },
    () => broker.emit('clientError', connection, new Error('connection closed')),
  )
}

/**
 * The hook may have changed the packet: what it says now is what is published. Its expiry counts from the receipt,
 * however long the hook took (MQTT 5, section 3.3.2.3.3).
 */
function permitted(
  connection: Connection,
  session: Session,
  message: Message,
  packet: LoosePacket,
  packetId: number,
  receivedAtMs: number,
): void {
  const { broker } = connection.context
  if (broker.publishIsReplaced) {
    connection.ask<void>(
      'publish',
      (callback) => broker.publish(packet, connection, callback),
      (error) => {
        if (error !== null) connection.fail(error)
        else if (message.qos > 0)
          connection.replies.ack(message.qos === 1 ? AckByte.puback : AckByte.pubrec, packetId, 0)
      },
    )
    return
  }
  if (packet.qos !== undefined && packet.qos !== 0 && packet.qos !== 1 && packet.qos !== 2) {
    broker.counters.hookFailures++
    broker.log.error(
      { qos: packet.qos, topic: packet.topic },
      'the authorizePublish hook set a QoS that does not exist',
    )
    return
  }
  const problem = broker.topicProblem(packet.topic)
  if (problem !== undefined) {
    refuse(connection, message, packetId, ReasonCode.TopicNameInvalid, `the authorizePublish hook: topic ${problem}`)
    return
  }
  const changed = fromAedesPacket(packet, connection.id, receivedAtMs, message)
  const route = broker.router.route(changed.topic)
  if (storeRefuses(connection, session, message, packetId, route)) return
  dispatch(connection, session, changed, message.qos === 2 ? packetId : 0, route)
  connection.ask<void>(
    'published',
    (callback) => broker.announce(changed, packet, connection, callback),
    (error) => {
      if (error !== null) connection.fail(error)
      else acknowledge(connection, changed, packetId, route, message.qos)
    },
  )
}

/**
 * Refuses what the store would have to keep while it cannot write, before anyone has the message. Only version 5 can be
 * told so; of the others the message is taken into memory, and its acknowledgement waits until it is on disk.
 */
function storeRefuses(
  connection: Connection,
  session: Session,
  message: Message,
  packetId: number,
  route: Route,
): boolean {
  const { broker } = connection
  if (broker.store.commit.failure === undefined || !connection.version5 || message.qos === 0) return false
  if (!(message.qos === 2 && session.stores) && !broker.storeRefuses(message, route)) return false
  refuse(connection, message, packetId, ReasonCode.QuotaExceeded, STORE_FAILS)
  return true
}

/** `incomingId`: the packet identifier to remember until PUBREL; 0 for what did not come at QoS 2. */
function dispatch(connection: Connection, session: Session, message: Message, incomingId: number, route: Route): void {
  if (incomingId !== 0) {
    session.addIncoming(incomingId)
    // The identifier and the message are in one batch, and subscribers wait for it: MQTT-4.3.3-2 over a crash.
    message.commitEpoch = session.changeEpoch
  }
  connection.context.broker.pipeline.dispatch(message, route)
}

function acknowledge(
  connection: Connection,
  message: Message,
  packetId: number,
  route: Route,
  qos: number = message.qos,
): void {
  if (message.refusal !== 0) {
    if (qos === 2) connection.session?.removeIncoming(packetId)
    const isFull = message.refusal === ReasonCode.QuotaExceeded
    const why = isFull ? 'a queue or the retained messages are full' : 'there is no such queue'
    refuse(connection, message, packetId, message.refusal, why)
    return
  }
  if (qos === 0) return
  const firstByte = qos === 1 ? AckByte.puback : AckByte.pubrec
  if (connection.version5 && route.deliveries.length === 0) {
    const bytes = Buffer.from([firstByte, 3, packetId >> 8, packetId, ReasonCode.NoMatchingSubscribers])
    connection.replies.send(bytes, message.commitEpoch)
    return
  }
  connection.replies.ack(firstByte, packetId, message.commitEpoch)
}

/**
 * Says no to one message. Version 5 has a reason code for it. Below, an acknowledgement would be a lie: where the
 * message is not permitted the connection is closed (MQTT-3.3.5-2 of 3.1.1), where there is no room the client may
 * try again.
 */
function refuse(connection: Connection, message: Message, packetId: number, reasonCode: number, why: string): void {
  const { broker } = connection.context
  broker.counters.publishRefused++
  if (broker.log.isLevelEnabled('debug')) {
    broker.log.debug(connection.logFields({ topic: message.topic, reason: why }), 'refused a message')
  }
  if (connection.version5) {
    if (message.qos === 0) return
    connection.replies.send(
      connection.encode({
        type: message.qos === 1 ? 'puback' : 'pubrec',
        packetId,
        reasonCode,
        properties: connection.problem(why),
      }),
      0,
    )
    return
  }
  if (reasonCode !== ReasonCode.QuotaExceeded) connection.fail(new ClientError(reasonCode, why))
}

/** How many messages a client may have sent that it has no answer to (MQTT-3.3.4-8). */
function checkQuota(connection: Connection, session: Session): void {
  const { broker } = connection.context
  if (connection.version5) {
    const unanswered = connection.replies.pubackCount + session.incomingCount
    if (unanswered < broker.config.limits.inflightMessagesMax) return
    throw new ProtocolError(
      ReasonCode.ReceiveMaximumExceeded,
      'more messages in flight than the Receive Maximum allows',
    )
  }
  const { maxInflightInbound } = broker
  if (maxInflightInbound === 0 || session.incomingCount < maxInflightInbound) return
  // Nothing in these versions forbids it: the operator has to know that it was the broker's limit.
  broker.log.warn(
    connection.logFields({ limit: maxInflightInbound }),
    'closed a connection: too many messages of QoS 2 that are not released',
  )
  throw new ClientError(
    ReasonCode.ReceiveMaximumExceeded,
    `maxInflightInbound exceeded: ${maxInflightInbound} inbound QoS 2 messages already awaiting PUBREL`,
  )
}
