import { fromAedesPacket, toAedesPacket } from '../../broker/aedes-packet.ts'
import type { Message } from '../../message/message.ts'
import type { QoS } from '../../message/qos.ts'
import type { Connection } from './connection.ts'

/**
 * Asks the `authorizeForward` hook, which may refuse a message for one client or hand back another. Undefined: the
 * client does not get it. A hook that throws refuses.
 */
export function forward(connection: Connection, message: Message, qos: QoS): Message | undefined {
  const { broker } = connection.context
  const now = broker.clock.now()
  const packet = toAedesPacket(message, broker, now)
  packet.qos = qos
  try {
    const forwarded = broker.authorizeForward(connection, packet)
    if (!forwarded) return undefined
    const problem = broker.topicProblem(forwarded.topic)
    if (problem !== undefined) throw new Error(problem)
    return fromAedesPacket(forwarded, message.publisher, now, message)
  } catch (error) {
    broker.counters.hookFailures++
    const { message: reason } = error as Error
    broker.log.error({ clientId: connection.id, err: error }, `the authorizeForward hook failed: ${reason}`)
    return undefined
  }
}
