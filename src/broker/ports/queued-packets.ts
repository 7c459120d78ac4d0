import { fromAedesPacket } from '../aedes-packet.ts'
import type { PortEntry, PortSession, SessionPort } from './state.ts'
import { type GivenPacket, packetOfEntry, queuedPacket, type StoredPacket } from './stored-packet.ts'

/**
 * The queues of sessions as aedes-persistence shows them: packets with a broker's number and, once sent, a packet
 * identifier. Sluice has neither number nor a say for others in identifiers, so what callers gave is kept beside the
 * entry, and never reaches the wire.
 */
export class QueuedPackets {
  private readonly sessions: SessionPort
  private readonly brokerId: () => string
  private readonly given = new WeakMap<object, StoredPacket>()

  constructor(sessions: SessionPort, brokerId: () => string) {
    this.sessions = sessions
    this.brokerId = brokerId
  }

  async enqueue(clientId: string, packet: GivenPacket): Promise<void> {
    const session = this.sessions.open(clientId)
    const message = fromAedesPacket(packet, packet.clientId ?? '', Date.now())
    const key = session.enqueue(message)
    if (key === undefined) throw new Error('the queue of the session is full')
    this.given.set(key, queuedPacket(packet))
  }

  async *list(clientId: string): AsyncGenerator<StoredPacket, void, undefined> {
    const session = this.find(clientId)
    if (session === undefined) return
    // First all of it: the caller may remove entries while it reads.
    const entries: PortEntry[] = []
    for await (const entry of session.queue()) entries.push(entry)
    for (const entry of entries) yield { ...this.packetOf(entry) }
  }

  async update(clientId: string, packet: StoredPacket): Promise<void> {
    const session = this.find(clientId)
    if (session !== undefined) {
      for await (const entry of session.queue()) {
        const stored = this.packetOf(entry)
        if (stored.brokerId !== packet.brokerId) {
          if (stored.messageId === undefined || stored.messageId !== packet.messageId) continue
          if (packet.cmd === 'pubrel' && !entry.released) session.release(entry)
          this.given.set(entry.key, { ...packet })
          return
        }
        if (stored.brokerCounter === packet.brokerCounter) {
          this.given.set(entry.key, { ...stored, messageId: packet.messageId })
          return
        }
      }
    }
    throw new Error('no such packet')
  }

  async remove(clientId: string, messageId: number | undefined): Promise<StoredPacket | undefined> {
    const session = this.find(clientId)
    if (session === undefined || messageId === undefined) return undefined
    for await (const entry of session.queue()) {
      const stored = this.packetOf(entry)
      if (stored.messageId !== messageId) continue
      session.remove(entry)
      return stored
    }
    return undefined
  }

  private packetOf(entry: PortEntry): StoredPacket {
    const given = this.given.get(entry.key)
    if (given === undefined) return packetOfEntry(entry, this.brokerId())
    if (entry.packetId === 0 || given.messageId !== undefined) return given
    return { ...given, messageId: entry.packetId }
  }

  private find(clientId: string): PortSession | undefined {
    const session = this.sessions.find(clientId)
    return session?.durable ? session : undefined
  }
}
