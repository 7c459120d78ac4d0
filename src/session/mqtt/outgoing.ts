import { NumberMap } from '../../base/number-map.ts'
import type { Message } from '../../message/message.ts'
import type { QoS } from '../../message/qos.ts'
import type { SharedGroup } from '../../router/shared-group.ts'
import type { Fifo } from '../../store/fifo.ts'
import type { FifoEntry } from '../../store/fifo-entry.ts'
import { AckByte } from '../../wire/mqtt/acknowledgement.ts'
import type { Connection } from './connection.ts'
import type { MqttContext } from './context.ts'
import { deliver } from './deliver.ts'
import { markOf, packetIdOf, QOS_MASK, RELEASED, RETAIN } from './entry-mark.ts'
import { dropSurplus, pushIntoFull } from './queue-overflow.ts'
import { returnShared } from './return-shared.ts'
import type { Session } from './session.ts'

/** Why nothing is being sent at the moment. */
export type PauseReason = 'idle' | 'offline' | 'window full' | 'outbox full' | 'memory full' | 'store wait'

/** `packetId` is 0 for what was not sent on this connection. */
export interface QueuedEntry {
  readonly entry: FifoEntry
  readonly packetId: number
}

/**
 * What a session has to send at QoS 1 and 2: its queue, the window of what is in flight, and the reason why it pauses.
 * Woken by: a new message, an acknowledgement, a socket that drains, a commit, a connection.
 */
export class Outgoing {
  pause: PauseReason = 'offline'
  private readonly context: MqttContext
  private readonly session: Session
  private readonly stored: boolean
  private queue: Fifo | undefined
  private inflight: NumberMap<FifoEntry> | undefined
  /** Entries that came through a shared group, to be given back if this client leaves before acknowledging. */
  private shared: Map<FifoEntry, SharedGroup> | undefined
  private connection: Connection | undefined
  /** How many messages may be unacknowledged, those of queues among them. */
  window = 0
  private waitsForCommit = false

  constructor(context: MqttContext, session: Session, stored: boolean) {
    this.context = context
    this.session = session
    this.stored = stored
  }

  /** Messages that are queued or in flight. */
  get count(): number {
    return this.queue?.count ?? 0
  }

  get inflightCount(): number {
    return this.inflight?.size ?? 0
  }

  /** Can send one more message at once. If not, `pump` is called when it can. */
  get ready(): boolean {
    const { connection, queue } = this
    if (connection?.connected !== true || connection.outbox.isFull || this.inflightCount >= this.ownWindow) return false
    if (queue === undefined) return true
    if (queue.readyCount > 0 || queue.loading) return false
    return !this.context.broker.store.queueMemory.holdsBack(queue.unacknowledgedBytes)
  }

  /** See `GroupMember.hasRoomFor`. */
  hasRoomFor(message: Message, isHeld: boolean): boolean {
    const queue = this.queue ?? this.use(this.context.sessions.openQueue(this.session, this.stored))
    if (!isHeld) return queue.hasRoomFor(message)
    // Or what was taken while the limits were higher would wait for ever.
    return queue.count === 0 || queue.fits(message)
  }

  /** The queue that the store held for this session. */
  restore(queue: Fifo): void {
    this.use(queue)
  }

  offer(message: Message, qos: QoS, retain: boolean, identifiers: readonly number[], group?: SharedGroup): void {
    const queue = this.queue ?? this.use(this.context.sessions.openQueue(this.session, this.stored))
    const mark = markOf(qos, retain, group?.id ?? 0)
    // What comes through a group may be with nobody else any more, and the group has asked whether there is room.
    let entry =
      group === undefined ? queue.push(message, mark, identifiers) : queue.pushPastLimits(message, mark, identifiers)
    entry ??= pushIntoFull(this.context.broker, queue, message, mark, identifiers)
    if (entry === undefined) {
      this.session.connection?.warnOnce('queue full')
      return
    }
    // Exactly once holds over a crash only when the message is on disk before the subscriber sees it.
    if (qos === 2 && message.commitEpoch > entry.epoch) entry.epoch = message.commitEpoch
    if (group !== undefined) {
      this.shared ??= new Map()
      this.shared.set(entry, group)
      // Into the window, however large: what goes to disk before it is sent comes back as another entry.
      queue.peek()
    }
    this.pump()
  }

  /** A connection took the session over; `window` is how many messages may be unacknowledged. */
  attach(connection: Connection, window: number): void {
    this.connection = connection
    this.window = window
    this.inflight?.clear()
    if (this.queue === undefined) return
    this.queue.attended = true
    this.queue.rewind()
  }

  /**
   * The connection ended. What came through a shared group goes to another member, and what was to go out with the
   * flush `neverFlushed` counts as not sent.
   */
  detach(neverFlushed: number): void {
    this.connection = undefined
    if (this.queue !== undefined) this.queue.attended = false
    this.pause = 'offline'
    for (const entry of this.inflight?.values() ?? []) {
      if (entry.sentWith !== neverFlushed || entry.settled) continue
      this.inflight?.delete(packetIdOf(entry))
      this.queue?.release(entry, entry.redelivered)
    }
    if (this.shared !== undefined) for (const group of new Set(this.shared.values())) this.giveBack(group)
  }

  /**
   * Returns to a group what this session has not acknowledged. What was sent at QoS 2 stays (MQTT-4.8.2-4), and while
   * the client is connected so does all that was sent: UNSUBSCRIBE does not stop it (MQTT-3.10.4-3).
   */
  giveBack(group: SharedGroup): void {
    if (this.shared === undefined || this.queue === undefined) return
    const messages: Message[] = []
    for (const [entry, from] of this.shared) {
      if (from !== group) continue
      this.shared.delete(entry)
      if (entry.gone) continue
      const wasSent = this.inflight?.get(packetIdOf(entry)) === entry
      if (wasSent && (this.connection !== undefined || (entry.mark & QOS_MASK) === 2)) continue
      messages.push(entry.message)
      if (wasSent) this.inflight?.delete(packetIdOf(entry))
      this.queue.ack(entry)
    }
    if (messages.length > 0) group.reoffer(messages, this.session)
  }

  /** Drops every message that is in memory, whether it waits or is in flight. */
  clear(): void {
    const { queue } = this
    if (queue === undefined) return
    for (const entry of this.inflight?.values() ?? []) queue.ack(entry)
    this.inflight?.clear()
    this.shared?.clear()
    for (let entry = queue.next(); entry !== undefined; entry = queue.next()) queue.ack(entry)
    this.session.queues?.roomAgain()
  }

  /** The broker stops: the queue notes what was sent. */
  close(): void {
    this.queue?.close()
  }

  /** What is queued or in flight and in memory, oldest first. */
  *entries(): Generator<QueuedEntry> {
    if (this.queue === undefined) return
    for (const entry of this.queue.entries()) {
      const packetId = packetIdOf(entry)
      yield { entry, packetId: this.inflight?.get(packetId) === entry ? packetId : 0 }
    }
  }

  /** Queues a message for nobody but this session; undefined: there is no room. */
  push(message: Message, qos: QoS): FifoEntry | undefined {
    const queue = this.queue ?? this.use(this.context.sessions.openQueue(this.session, this.stored))
    return queue.push(message, qos)
  }

  /** As if PUBREC had come. */
  release(entry: FifoEntry): void {
    this.queue?.settle(entry, entry.mark | RELEASED)
  }

  remove(entry: FifoEntry): void {
    this.shared?.delete(entry)
    this.inflight?.delete(packetIdOf(entry))
    this.queue?.ack(entry)
    this.session.queues?.roomAgain()
  }

  /** See `returnShared`. */
  async returnShared(groupOf: (id: number) => SharedGroup | undefined): Promise<void> {
    if (this.queue === undefined || this.queue.count === 0) return
    await returnShared(this.queue, this.session, this.context.broker.config.limits.inflightMessagesMax, groupOf)
  }

  destroy(): void {
    this.queue?.destroy()
    this.queue = undefined
    this.inflight = undefined
    this.shared = undefined
  }

  /** Sends what may be sent now. */
  pump(): void {
    const { connection, queue } = this
    if (connection === undefined || !connection.connected) return
    if (queue !== undefined) {
      this.inflight ??= new NumberMap()
      for (;;) {
        // What is sent now is deleted from the store soon, and that would only add to what waits for the disk.
        if (this.stored && this.context.broker.store.commit.congested) {
          this.waitForStore()
          return
        }
        if (this.inflight.size >= this.ownWindow) {
          this.pause = 'window full'
          return
        }
        if (connection.outbox.isFull) {
          this.pause = 'outbox full'
          return
        }
        if (this.context.broker.store.queueMemory.holdsBack(queue.unacknowledgedBytes)) {
          this.pause = 'memory full'
          return
        }
        const entry = queue.peek()
        if (entry === undefined) {
          this.pause = queue.loading ? 'store wait' : 'idle'
          break
        }
        if (!this.sendNext(connection, queue, this.inflight, entry)) return
      }
    } else this.pause = 'idle'
    this.session.drainGroups()
  }

  /** PUBACK. False: no such message is in flight. */
  acknowledge(packetId: number): boolean {
    const entry = this.inflight?.get(packetId)
    if (entry === undefined || (entry.mark & QOS_MASK) !== 1) return false
    this.complete(packetId, entry)
    return true
  }

  /** PUBREC. False: no such message is in flight, and none is released now. */
  receive(packetId: number, reasonCode: number): boolean {
    const entry = this.inflight?.get(packetId)
    if (entry === undefined || (entry.mark & QOS_MASK) !== 2) return false
    if (reasonCode >= 0x80) {
      this.complete(packetId, entry)
      return true
    }
    if (!entry.settled) {
      this.shared?.delete(entry)
      this.queue?.settle(entry, entry.mark | RELEASED)
    }
    // MQTT-4.3.3-6: once PUBREL is out, PUBLISH must never be sent again, so the store has to know first.
    this.connection?.replies.ack(AckByte.pubrel, packetId, entry.epoch)
    return true
  }

  /** PUBCOMP. False: no released message has this packet identifier. */
  finish(packetId: number): boolean {
    const entry = this.inflight?.get(packetId)
    if (entry === undefined || !entry.settled) return false
    this.complete(packetId, entry)
    return true
  }

  /** The epoch that an entry waits for is durable. */
  committed(): void {
    this.waitsForCommit = false
    this.pump()
  }

  private waitForStore(): void {
    this.pause = 'store wait'
    if (this.waitsForCommit) return
    this.waitsForCommit = true
    this.context.broker.store.commit.wait(this)
  }

  private complete(packetId: number, entry: FifoEntry): void {
    this.inflight?.delete(packetId)
    this.shared?.delete(entry)
    if (this.connection !== undefined) this.connection.announceAck(entry.message, packetId, entry.settled)
    this.queue?.ack(entry)
    // What waits in queues goes first, as this does when a message of a queue is acknowledged.
    this.session.queues?.roomAgain()
    this.pump()
  }

  /** What queues leave of the window. */
  private get ownWindow(): number {
    return this.window - (this.session.queues?.inflightCount ?? 0)
  }

  /** False: the entry has to wait, and `pause` says for what. */
  private sendNext(connection: Connection, queue: Fifo, inflight: NumberMap<FifoEntry>, entry: FifoEntry): boolean {
    const { broker } = this.context
    const qos = (entry.mark & QOS_MASK) as QoS
    if (qos === 2 && entry.epoch > broker.store.commit.committedEpoch && !entry.redelivered) {
      this.waitForStore()
      return false
    }
    const packetId = packetIdOf(entry)
    if (inflight.has(packetId)) {
      this.pause = 'window full'
      return false
    }
    queue.next()
    const { message } = entry
    if (entry.settled || (entry.mark & RELEASED) !== 0) {
      inflight.set(packetId, entry)
      connection.replies.ack(AckByte.pubrel, packetId, entry.epoch)
      return true
    }
    // Once sent it is the client's to acknowledge, expired or not.
    if (message.expiresAtMs !== 0 && !entry.redelivered && message.expiresAtMs <= broker.clock.now()) {
      broker.counters.messagesExpired++
      this.shared?.delete(entry)
      queue.ack(entry)
      return true
    }
    inflight.set(packetId, entry)
    entry.sentWith = connection.outbox.nextFlush
    const dup = entry.redelivered
    const retain = (entry.mark & RETAIN) !== 0
    // MQTT-3.1.2-25: what is too large for this client counts as delivered.
    if (!deliver(connection, message, qos, retain, dup, packetId, entry.identifiers)) {
      inflight.delete(packetId)
      this.shared?.delete(entry)
      queue.ack(entry)
    }
    return true
  }

  private use(queue: Fifo): Fifo {
    this.queue = queue
    queue.attended = this.connection !== undefined
    queue.onReady = () => {
      dropSurplus(this.context.broker, queue)
      this.pump()
    }
    return queue
  }
}
