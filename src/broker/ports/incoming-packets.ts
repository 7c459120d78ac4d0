import type { PortSession, SessionPort } from './state.ts'
import { queuedPacket, type StoredPacket } from './stored-packet.ts'

/**
 * Received QoS 2 messages that PUBREL is awaited for, as aedes-persistence shows them. Sluice publishes a message when
 * it arrives and keeps its packet identifier only, so a body is there only where a caller stored one.
 */
export class IncomingPackets {
  private readonly sessions: SessionPort
  private readonly bodies = new WeakMap<PortSession, Map<number, StoredPacket>>()

  constructor(sessions: SessionPort) {
    this.sessions = sessions
  }

  store(clientId: string, packet: StoredPacket): void {
    const { messageId } = packet
    if (messageId === undefined) throw new Error('a packet without identifier cannot be stored')
    const session = this.sessions.find(clientId) ?? this.sessions.open(clientId)
    session.addIncoming(messageId)
    let bodies = this.bodies.get(session)
    if (bodies === undefined) {
      bodies = new Map()
      this.bodies.set(session, bodies)
    }
    bodies.set(messageId, { ...queuedPacket({ topic: '', ...packet }), messageId })
  }

  get(clientId: string, messageId: number | undefined): StoredPacket {
    const session = this.sessions.find(clientId)
    if (session === undefined || messageId === undefined || !session.hasIncoming(messageId)) {
      throw new Error('no such packet')
    }
    return { ...(this.bodies.get(session)?.get(messageId) ?? { cmd: 'publish', qos: 2, messageId }) }
  }

  delete(clientId: string, messageId: number | undefined): void {
    const session = this.sessions.find(clientId)
    if (session === undefined || messageId === undefined || !session.hasIncoming(messageId)) {
      throw new Error('no such packet')
    }
    session.removeIncoming(messageId)
    this.bodies.get(session)?.delete(messageId)
  }

  clean(clientId: string): void {
    const session = this.sessions.find(clientId)
    if (session === undefined) return
    for (const packetId of [...session.incoming()]) session.removeIncoming(packetId)
    this.bodies.delete(session)
  }
}
