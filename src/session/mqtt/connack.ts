import type { ConnectPacket, Properties } from '../../wire/mqtt/packet.ts'
import type { ProtocolError } from '../../wire/mqtt/protocol-error.ts'
import { connackReturnCode } from '../../wire/mqtt/reason-codes.ts'
import type { Connection } from './connection.ts'

/** What the accepting CONNACK says besides "yes" (MQTT 5, section 3.2.2.3). */
export interface Acceptance {
  readonly sessionPresent: boolean
  readonly assignedClientId: string | undefined
  readonly keepAliveSeconds: number
  readonly expirySeconds: number
  readonly authenticationData: Buffer | undefined
}

export function acceptanceProperties(
  connection: Connection,
  packet: ConnectPacket,
  acceptance: Acceptance,
): Properties {
  if (!connection.version5) return {}
  const { limits, responseTopicPrefix } = connection.broker.config
  const properties: Properties = {
    receiveMaximum: limits.inflightMessagesMax,
    maximumPacketSize: limits.packetBytesMax,
    topicAliasMaximum: limits.topicAliasMax,
  }
  const { assignedClientId, keepAliveSeconds, expirySeconds, authenticationData } = acceptance
  // MQTT-3.2.2-16, MQTT-3.1.2-21
  if (assignedClientId !== undefined) properties.assignedClientIdentifier = assignedClientId
  if (keepAliveSeconds !== packet.keepAliveSeconds) properties.serverKeepAlive = keepAliveSeconds
  if (expirySeconds !== (packet.properties.sessionExpiryInterval ?? 0)) properties.sessionExpiryInterval = expirySeconds
  // MQTT-3.1.2-28: only to a client that asks.
  if (packet.properties.requestResponseInformation === 1 && responseTopicPrefix !== '') {
    properties.responseInformation = `${responseTopicPrefix}${connection.id}`
  }
  const { authenticationMethod } = packet.properties
  if (authenticationMethod !== undefined) properties.authenticationMethod = authenticationMethod
  if (authenticationData !== undefined) properties.authenticationData = authenticationData
  return properties
}

/** Says no to a CONNECT as its version can. False: 3.x has no return code for it, and nothing is said. */
export function sendRefusal(connection: Connection, reasonCode: number, reasonString: string): boolean {
  const code = connackReturnCode(reasonCode, connection.wireVersion)
  if (code === undefined) return false
  const bytes = connection.encode({
    type: 'connack',
    sessionPresent: false,
    reasonCode,
    properties: connection.problem(reasonString),
  })
  connection.outbox.append(bytes, 0, bytes.length)
  connection.broker.counters.packetsSent++
  connection.broker.counters.connectionsRefused++
  connection.broker.emit('connackSent', { cmd: 'connack', returnCode: code, sessionPresent: false }, connection)
  return true
}

/** Answers a CONNECT that cannot be read or is out of place. False: there is no answer to it. */
export function refuseBrokenConnect(connection: Connection, error: ProtocolError): boolean {
  if (!connection.connecting) {
    if (error.version === 0) return false
    connection.wireVersion = error.version
    connection.version5 = error.version === 5
  }
  return sendRefusal(connection, error.reasonCode, error.message)
}
