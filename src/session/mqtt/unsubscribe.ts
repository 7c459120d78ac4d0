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
  for (const filter of packet.filters) {
    const problem = filterProblem(connection, filter)
    if (problem === undefined) {
      reasonCodes.push(session.unsubscribe(filter) ? ReasonCode.Success : ReasonCode.NoSubscriptionExisted)
    } else if (connection.version5) reasonCodes.push(ReasonCode.TopicFilterInvalid)
    else {
      connection.fail(new ClientError(ReasonCode.TopicFilterInvalid, problem))
      return
    }
  }
  const bytes = connection.encode({ type: 'unsuback', packetId: packet.packetId, reasonCodes, properties: {} })
  connection.replies.send(bytes, session.changeEpoch)
  announceUnsubscribed(connection, packet.filters)
}
