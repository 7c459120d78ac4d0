import type { UnsubscribePacket } from '../../wire/mqtt/packet.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import { ClientError } from './client-error.ts'
import type { Connection } from './connection.ts'
import { announceUnsubscribed } from './life-signs.ts'
import { filterProblem } from './subscribe.ts'

/** UNSUBSCRIBE (MQTT 5, section 3.10). */
export function handleUnsubscribe(connection: Connection, packet: UnsubscribePacket): void {
  const { session } = connection
  if (session === undefined) return
  const reasonCodes: number[] = []
  const storeFails = connection.version5 && session.stores && connection.broker.store.commit.failure !== undefined
  for (const filter of packet.filters) {
    const problem = filterProblem(connection, filter)
    if (problem === undefined && storeFails && session.subscriptions?.has(filter) === true) {
      reasonCodes.push(ReasonCode.ImplementationSpecificError)
    } else if (problem === undefined) {
      reasonCodes.push(session.unsubscribe(filter) ? ReasonCode.Success : ReasonCode.NoSubscriptionExisted)
    } else if (connection.version5) reasonCodes.push(ReasonCode.TopicFilterInvalid)
    else {
      connection.fail(new ClientError(ReasonCode.TopicFilterInvalid, problem))
      return
    }
  }
  const bytes = connection.encode({ type: 'unsuback', packetId: packet.packetId, reasonCodes, properties: {} })
  const changed = reasonCodes.includes(ReasonCode.Success)
  connection.replies.send(bytes, changed ? session.changeEpoch : 0)
  announceUnsubscribed(connection, packet.filters)
}
