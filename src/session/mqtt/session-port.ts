import type { PortEntry, PortSession, PortSubscription, SessionPort } from '../../broker/ports/state.ts'
import { parseSharedFilter } from '../../message/filter.ts'
import type { Message } from '../../message/message.ts'
import type { FifoEntry } from '../../store/fifo-entry.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** The sessions as aedes' persistence port shows them. */
export class MqttSessionPort implements SessionPort {
  private readonly registry: Sessions
  private readonly ports = new WeakMap<Session, PortSession>()

  constructor(registry: Sessions) {
    this.registry = registry
  }

  *sessions(): Iterable<PortSession> {
    for (const session of this.registry.all()) yield this.portOf(session)
  }

  find(clientId: string): PortSession | undefined {
    const session = this.registry.get(clientId)
    return session === undefined ? undefined : this.portOf(session)
  }

  open(clientId: string): PortSession {
    return this.find(clientId) ?? this.portOf(this.registry.open(clientId))
  }

  *matching(topic: string): Iterable<readonly [session: PortSession, subscription: PortSubscription]> {
    for (const [session, subscription] of this.registry.subscriptionsMatching(topic)) {
      yield [this.portOf(session), subscription]
    }
  }

  private portOf(session: Session): PortSession {
    let port = this.ports.get(session)
    if (port === undefined) {
      port = new SessionFace(session)
      this.ports.set(session, port)
    }
    return port
  }
}

class SessionFace implements PortSession {
  private readonly session: Session

  constructor(session: Session) {
    this.session = session
  }

  get clientId(): string {
    return this.session.clientId
  }

  get durable(): boolean {
    return this.session.durable
  }

  subscriptions(): Iterable<PortSubscription> {
    return this.session.subscriptions?.values() ?? []
  }

  subscribe(subscription: PortSubscription): void {
    const shared = parseSharedFilter(subscription.requested)
    this.session.subscribe({
      ...subscription,
      filter: shared?.filter ?? subscription.requested,
      shareName: shared?.shareName ?? '',
    })
  }

  unsubscribe(requested: string): void {
    this.session.unsubscribe(requested)
  }

  *queue(): Iterable<PortEntry> {
    for (const { entry, packetId } of this.session.outgoing.entries()) {
      yield { key: entry, message: entry.message, packetId, released: entry.settled }
    }
  }

  enqueue(message: Message): object | undefined {
    return this.session.outgoing.push(message, message.qos)
  }

  release(entry: PortEntry): void {
    this.session.outgoing.release(entry.key as FifoEntry)
  }

  remove(entry: PortEntry): void {
    this.session.outgoing.remove(entry.key as FifoEntry)
  }

  *incoming(): Iterable<number> {
    yield* this.session.incomingIds()
  }

  hasIncoming(packetId: number): boolean {
    return this.session.hasIncoming(packetId)
  }

  addIncoming(packetId: number): void {
    this.session.addIncoming(packetId)
  }

  removeIncoming(packetId: number): void {
    this.session.removeIncoming(packetId)
  }
}
