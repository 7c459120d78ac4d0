import { NumberMap } from '../../base/number-map.ts'
import { queueNameOf } from '../../message/queue-topic.ts'
import type { QueueDelivery } from '../../queue/queue-delivery.ts'
import { QueueError } from '../../queue/queue-error.ts'
import type { Connection } from './connection.ts'
import type { MqttContext } from './context.ts'
import { QueueConsumption } from './queue-consumption.ts'
import type { Session } from './session.ts'
import type { ClientSubscription } from './subscription-record.ts'

/** Packet identifiers from here on are those of queues; below are those of the session's own messages. */
export const QUEUE_PACKET_IDS = 0x8000
const PACKET_ID_MAX = 0xffff

/**
 * The queues that one session consumes from while it is connected. What it has not answered, of them and of its own
 * messages together, stays within the client's Receive Maximum.
 */
export class QueueConsumptions {
  private readonly context: MqttContext
  private readonly session: Session
  private readonly byFilter = new Map<string, QueueConsumption>()
  // Answered ones may be among them, of a queue that was left or deleted: their identifiers are the client's until it
  // acknowledges.
  private readonly inflight = new NumberMap<QueueDelivery>()
  /** Those that found the window full, in turn. */
  private waiting: QueueConsumption[] = []
  private lastPacketId = PACKET_ID_MAX
  private waitsForStore = false
  private waitsForOutbox = false

  constructor(context: MqttContext, session: Session) {
    this.context = context
    this.session = session
  }

  get inflightCount(): number {
    return this.inflight.size
  }

  /** A connection took the session over: it consumes from what the session subscribed to earlier. */
  attach(): void {
    for (const subscription of [...(this.session.subscriptions?.values() ?? [])]) {
      if (queueNameOf(subscription.requested) === undefined) continue
      try {
        this.consume(subscription, true)
      } catch (error) {
        if (!(error instanceof QueueError)) throw error
        this.drop(subscription.requested, error.message)
      }
    }
  }

  /** The connection ended: what is unanswered is ready again; `neverFlushed`: as of `Outgoing.detach`. */
  detach(neverFlushed: number): void {
    for (const delivery of this.inflight.values()) {
      if (delivery.entry.sentWith === neverFlushed) delivery.sent = false
    }
    for (const consumption of this.byFilter.values()) consumption.consumer.close()
    this.byFilter.clear()
    this.inflight.clear()
    this.waiting = []
  }

  /** Throws QueueError where this client may not consume. Nothing is sent before it has `begun`. */
  consume(subscription: ClientSubscription, begun = false): void {
    const { requested } = subscription
    const { connection } = this.session
    if (connection === undefined || this.byFilter.has(requested)) return
    const queue = this.context.broker.queues.engine.queue(queueNameOf(requested) ?? '', connection)
    this.byFilter.set(requested, new QueueConsumption(this, connection, queue, subscription, begun))
  }

  /** SUBSCRIBE on the same filter again: for what is sent from now on. */
  change(subscription: ClientSubscription): void {
    this.byFilter.get(subscription.requested)?.change(subscription)
  }

  /** SUBACK is out. */
  begin(): void {
    for (const consumption of this.byFilter.values()) {
      if (consumption.begun) continue
      consumption.begun = true
      consumption.consumer.resume()
    }
  }

  /** UNSUBSCRIBE: what is unanswered is ready again. */
  leave(requested: string): void {
    const consumption = this.byFilter.get(requested)
    if (consumption === undefined) return
    this.byFilter.delete(requested)
    this.waiting = this.waiting.filter((each) => each !== consumption)
    consumption.consumer.close()
  }

  /** The queue was deleted. */
  gone(requested: string): void {
    if (this.byFilter.has(requested)) this.drop(requested, 'the queue was deleted')
  }

  /** PUBACK; from 0x80 on the reason code rejects the message. What is not known is no fault. */
  acknowledge(packetId: number, reasonCode: number): void {
    const delivery = this.inflight.get(packetId)
    if (delivery === undefined) return
    const wasFull = this.isFull
    this.inflight.delete(packetId)
    this.session.connection?.announceAck(delivery.message, packetId, false)
    // The place goes to others first: otherwise one full queue would keep all places for ever.
    if (wasFull) {
      this.session.outgoing.pump()
      if (this.waiting.length > 1 || this.waiting[0]?.consumer !== delivery.consumer) this.roomAgain()
    }
    if (reasonCode >= 0x80) delivery.reject()
    else delivery.ack()
  }

  /** There are places in the window again: in turn, as many as there are. */
  roomAgain(): void {
    while (!this.isFull) {
      const next = this.waiting.shift()
      if (next === undefined) return
      next.waits = false
      next.consumer.resume()
    }
  }

  /** The socket took everything, or the connection is ready. */
  resume(): void {
    for (const { consumer } of this.byFilter.values()) consumer.resume()
  }

  /** For the store: a commit is done. */
  committed(): void {
    this.waitsForStore = false
    this.resume()
  }

  /** Whether a consumption could send one more message now. If not, it is woken when it can. */
  mayTake(consumption: QueueConsumption): boolean {
    const { connection } = this.session
    if (connection?.connected !== true || connection.closed || !consumption.begun) return false
    if (connection.outbox.isFull) {
      this.resumeAfterFlush(connection)
      return false
    }
    const { commit } = this.context.broker.store
    if (consumption.queue.stores && commit.congested) {
      if (!this.waitsForStore) commit.wait(this)
      this.waitsForStore = true
      return false
    }
    if (consumption.isUnanswered || !this.isFull) return true
    if (!consumption.waits) this.waiting.push(consumption)
    consumption.waits = true
    return false
  }

  /** A delivery is in flight: the packet identifier it goes out with. */
  take(delivery: QueueDelivery): number {
    let packetId = this.lastPacketId
    do packetId = packetId === PACKET_ID_MAX ? QUEUE_PACKET_IDS : packetId + 1
    while (this.inflight.has(packetId))
    this.lastPacketId = packetId
    this.inflight.set(packetId, delivery)
    return packetId
  }

  /** It was not sent. */
  forget(packetId: number): void {
    this.inflight.delete(packetId)
  }

  private get isFull(): boolean {
    const { inflightCount, window } = this.session.outgoing
    return this.inflight.size + inflightCount >= window
  }

  private drop(requested: string, reason: string): void {
    this.session.unsubscribe(requested)
    const fields = { clientId: this.session.clientId, filter: requested, reason }
    this.context.broker.log.warn(fields, 'a client consumes no longer from a queue')
  }

  // What is full only because of this turn is not told of by the socket when the kernel takes all of it at once.
  private resumeAfterFlush({ outbox }: Connection): void {
    if (!outbox.isDirty || this.waitsForOutbox) return
    this.waitsForOutbox = true
    setImmediate(() => {
      this.waitsForOutbox = false
      this.resume()
    })
  }
}
