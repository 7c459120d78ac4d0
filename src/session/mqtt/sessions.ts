import type { Broker } from '../../broker/broker.ts'
import { parseSharedFilter } from '../../message/filter.ts'
import { QUEUE_PREFIX } from '../../message/queue-topic.ts'
import { Fifo } from '../../store/fifo.ts'
import {
  KIND_INCOMING,
  KIND_SESSION,
  KIND_SUBSCRIPTION,
  kindKey,
  parseIncomingKey,
  parseSubscriptionKey,
  stringOfKey,
} from '../../store/keys.ts'
import { scanPrefix } from '../../store/scan-prefix.ts'
import type { Connection } from './connection.ts'
import type { MqttContext } from './context.ts'
import { Expiry } from './expiry.ts'
import { announceUnsubscribed } from './life-signs.ts'
import { QueueEntrance } from './queue-entrance.ts'
import { NEVER_EXPIRES, Session } from './session.ts'
import { decodeSession } from './session-record.ts'
import { type ClientSubscription, decodeSubscription } from './subscription-record.ts'

// What of a session's queue stays in memory; the rest waits on disk.
const QUEUE_WINDOW_BYTES = 1024 * 1024

/** The session that a connection took up. */
export interface TakenUp {
  readonly session: Session
  /** Session Present of CONNACK. */
  readonly present: boolean
  /** The commit that CONNACK has to wait for; 0: none. */
  readonly epoch: number
}

/** All sessions by client identifier, connected or not. */
export class Sessions {
  /** What the subscriptions of all sessions count against their limit. */
  subscriptionBytes = 0
  private readonly broker: Broker
  private readonly context: MqttContext
  private readonly byId = new Map<string, Session>()
  private readonly expiry: Expiry<Session>

  constructor(context: MqttContext) {
    this.context = context
    this.broker = context.broker
    context.broker.router.reserve(QUEUE_PREFIX, (topic) => new QueueEntrance(context.broker, topic))
    this.expiry = new Expiry(context.broker.clock, (session) => {
      this.broker.counters.sessionsExpired++
      this.end(session)
    })
  }

  get count(): number {
    return this.byId.size
  }

  get queuedCount(): number {
    let count = 0
    for (const session of this.byId.values()) count += session.outgoing.count
    return count
  }

  get(clientId: string): Session | undefined {
    return this.byId.get(clientId)
  }

  all(): Iterable<Session> {
    return this.byId.values()
  }

  hasRoomFor(clientId: string): boolean {
    return this.byId.size < this.broker.config.limits.sessionsMax || this.byId.has(clientId)
  }

  /** Brings back the stored sessions with their subscriptions and what they had in flight. */
  async recover(): Promise<void> {
    const { store, clock } = this.broker
    const now = clock.now()
    const byNumber = new Map<number, Session>()
    for await (const [key, value] of scanPrefix(store, kindKey(KIND_SESSION))) {
      const { number, expirySeconds, disconnectedAtMs } = decodeSession(value)
      const session = new Session(this.context, stringOfKey(key), number, expirySeconds)
      session.disconnectedAtMs = disconnectedAtMs
      if (disconnectedAtMs === 0) {
        // The broker that crashed did not see the connection end. Written, or one that crashes again and again would
        // begin the session's time anew each time.
        session.disconnectedAtMs = now
        if (expirySeconds !== NEVER_EXPIRES) session.save()
      }
      session.outgoing.restore(this.openQueue(session, true))
      this.byId.set(session.clientId, session)
      byNumber.set(number, session)
      this.expireLater(session)
    }
    for await (const [key, value] of scanPrefix(store, kindKey(KIND_SUBSCRIPTION))) {
      const { clientId, filter } = parseSubscriptionKey(key)
      const shared = parseSharedFilter(filter)
      const subscription = decodeSubscription(filter, shared?.filter ?? filter, shared?.shareName ?? '', value)
      this.byId.get(clientId)?.restoreSubscription(subscription)
    }
    for await (const [key] of scanPrefix(store, kindKey(KIND_INCOMING))) {
      const { sessionNumber, packetId } = parseIncomingKey(key)
      byNumber.get(sessionNumber)?.restoreIncoming(packetId)
    }
    const groups = new Map([...this.broker.router.sharedGroups()].map((group) => [group.id, group]))
    if (groups.size === 0) return
    for (const session of this.byId.values()) {
      if (session.isMember) await session.outgoing.returnShared((id) => (id === 0 ? undefined : groups.get(id)))
    }
  }

  /** The queue of a session; `stored` brings back what is on disk. */
  openQueue(session: Session, stored: boolean): Fifo {
    const { queuedMessagesMax, queuedBytesMax } = this.broker.config.limits
    return new Fifo(this.broker.store, session.number, {
      durable: stored,
      messagesMax: queuedMessagesMax,
      bytesMax: queuedBytesMax,
      windowBytes: QUEUE_WINDOW_BYTES,
    })
  }

  /** Gives a connection its session, after taking it from any other (MQTT 5, section 3.1.2.4 and MQTT-3.1.4-3). */
  connect(connection: Connection, cleanStart: boolean, expirySeconds: number): TakenUp {
    const { id } = connection
    this.byId.get(id)?.connection?.takeOver()
    let epoch = 0
    let session = this.byId.get(id)
    // MQTT-4.1.0-2: expired, though the round that ends it is still to come.
    const isExpired = session?.connection === undefined && (session?.endsAtMs ?? 0) <= this.broker.clock.now()
    if (session !== undefined && isExpired) this.broker.counters.sessionsExpired++
    if (session !== undefined && (cleanStart || isExpired)) {
      epoch = session.changeEpoch
      this.end(session)
      session = undefined
    }
    const present = session !== undefined
    if (session === undefined) session = this.create(id, expirySeconds)
    else {
      this.expiry.cancel(session)
      // MQTT-3.1.3-9: back in time, so the delayed will is not sent.
      this.broker.wills.delete(id)
      session.expirySeconds = expirySeconds
    }
    session.connection = connection
    session.disconnectedAtMs = 0
    session.save()
    return { session, present, epoch: Math.max(epoch, session.changeEpoch) }
  }

  private create(clientId: string, expirySeconds: number): Session {
    const { store } = this.broker
    const stored = expirySeconds > 0 && store.durability !== 'memory'
    const session = new Session(this.context, clientId, stored ? store.numbers.next(store.commit) : 0, expirySeconds)
    this.byId.set(clientId, session)
    return session
  }

  /** A session of a client that is not connected, as if one of version 3.1.1 had left it. */
  open(clientId: string): Session {
    const session = this.create(clientId, this.broker.config.limits.sessionExpirySecondsMax)
    session.disconnectedAtMs = this.broker.clock.now()
    session.save()
    this.expireLater(session)
    return session
  }

  /** The subscriptions of sessions that match a topic, those through shared groups left out. */
  *subscriptionsMatching(topic: string): Iterable<readonly [Session, ClientSubscription]> {
    for (const { destination, subscription } of this.broker.router.subscribersOf(topic)) {
      if (destination instanceof Session) yield [destination, subscription as ClientSubscription]
    }
  }

  /**
   * A connection ended; `withWill`: not by a DISCONNECT that deletes the will; `neverFlushed`: the flush that did not
   * take place any more.
   */
  disconnected(session: Session, withWill: boolean, neverFlushed: number): void {
    const { wills, clock } = this.broker
    const connection = session.connection as Connection
    const { clientId, expirySeconds } = session
    session.outgoing.detach(neverFlushed)
    session.connection = undefined
    session.queues?.detach(neverFlushed)
    session.disconnectedAtMs = clock.now()
    connection.connected = false
    if (withWill) {
      wills.connectionLost(clientId, expirySeconds === NEVER_EXPIRES ? Number.POSITIVE_INFINITY : expirySeconds * 1000)
    } else wills.delete(clientId)
    if (expirySeconds > 0) {
      session.save()
      this.expireLater(session)
      return
    }
    const filters = [...(session.subscriptions?.keys() ?? [])]
    this.end(session)
    announceUnsubscribed(connection, filters)
  }

  close(): void {
    for (const session of this.byId.values()) session.outgoing.close()
    this.expiry.close()
  }

  private expireLater(session: Session): void {
    if (session.expirySeconds !== NEVER_EXPIRES) this.expiry.schedule(session, session.endsAtMs)
  }

  private end(session: Session): void {
    this.expiry.cancel(session)
    this.byId.delete(session.clientId)
    this.broker.wills.sessionEnded(session.clientId)
    session.destroy()
  }
}
