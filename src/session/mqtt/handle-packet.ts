import { AckByte } from '../../wire/mqtt/acknowledgement.ts'
import type { AckPacket, DisconnectPacket, Packet } from '../../wire/mqtt/packet.ts'
import { PINGRESP } from '../../wire/mqtt/ping.ts'
import { violation } from '../../wire/mqtt/protocol-error.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import type { Connection } from './connection.ts'
import { handleAuth } from './enhanced-authentication.ts'
import { expiryWithinLimit } from './connect.ts'
import { handleSubscribe } from './subscribe.ts'
import { handleUnsubscribe } from './unsubscribe.ts'

/** One packet of a connected client, PUBLISH and CONNECT apart. Throws ProtocolError. */
export function handlePacket(connection: Connection, packet: Packet): void {
  const outgoing = connection.session?.outgoing
  switch (packet.type) {
    case 'puback':
      connection.session?.acknowledge(packet.packetId, packet.reasonCode)
      return
    case 'pubrec':
      handlePubrec(connection, packet)
      return
    case 'pubrel':
      handlePubrel(connection, packet)
      return
    case 'pubcomp':
      outgoing?.finish(packet.packetId)
      return
    case 'subscribe':
      handleSubscribe(connection, packet)
      return
    case 'unsubscribe':
      handleUnsubscribe(connection, packet)
      return
    case 'pingreq':
      // Behind what still waits for the disk nobody would know whether the broker is alive.
      connection.outbox.append(PINGRESP, 0, PINGRESP.length)
      connection.broker.counters.packetsSent++
      connection.broker.emit('ping', { cmd: 'pingreq', length: 0, topic: null, payload: null }, connection)
      return
    case 'disconnect':
      handleDisconnect(connection, packet)
      return
    case 'auth':
      handleAuth(connection, packet)
      return
    default:
      throw violation(`a ${packet.type} packet from a client`)
  }
}

function handlePubrec(connection: Connection, packet: AckPacket): void {
  if (connection.session?.outgoing.receive(packet.packetId, packet.reasonCode) === true) return
  // An identifier we do not know is still to be released, or the client would wait for ever (section 4.3.3).
  if (packet.reasonCode >= 0x80) return
  answerUnknown(connection, 'pubrel', packet.packetId)
}

function handlePubrel(connection: Connection, packet: AckPacket): void {
  const session = connection.session
  if (session?.removeIncoming(packet.packetId) === true) {
    // After a crash an identifier that is still known would swallow a new message with the same one.
    connection.replies.ack(AckByte.pubcomp, packet.packetId, session.changeEpoch)
    return
  }
  answerUnknown(connection, 'pubcomp', packet.packetId)
}

function answerUnknown(connection: Connection, type: 'pubrel' | 'pubcomp', packetId: number): void {
  if (!connection.version5) {
    connection.replies.ack(AckByte[type], packetId, 0)
    return
  }
  const reasonCode = ReasonCode.PacketIdentifierNotFound
  connection.replies.send(connection.encode({ type, packetId, reasonCode, properties: {} }), 0)
}

/** MQTT 5, section 3.14. */
function handleDisconnect(connection: Connection, packet: DisconnectPacket): void {
  const { session } = connection
  const expirySeconds = packet.properties.sessionExpiryInterval
  if (session !== undefined && expirySeconds !== undefined) {
    // MQTT-3.14.2-2
    if (session.expirySeconds === 0 && expirySeconds !== 0) {
      throw violation('a session that ends with its connection cannot be kept by DISCONNECT')
    }
    session.expirySeconds = expiryWithinLimit(connection, expirySeconds)
  }
  // MQTT-3.14.4-3: with every other reason the will is published.
  if (packet.reasonCode === ReasonCode.NormalDisconnection) connection.dropWill()
  connection.finish(packet.reasonCode)
}
