import type { Message } from '../../message/message.ts'
import { queueNameOf } from '../../message/queue-topic.ts'
import type { Delivery, FrameRun } from '../../router/destination.ts'
import type { GroupMember, SharedDelivery, SharedGroup } from '../../router/shared-group.ts'
import { incomingKey, sessionKey, subscriptionKey } from '../../store/keys.ts'
import type { Connection } from './connection.ts'
import type { MqttContext } from './context.ts'
import { deliver, deliverFrames } from './deliver.ts'
import { Outgoing } from './outgoing.ts'
import { QUEUE_PACKET_IDS, QueueConsumptions } from './queue-consumptions.ts'
import { encodeSession } from './session-record.ts'
import { type ClientSubscription, encodeSubscription, subscriptionBytes } from './subscription-record.ts'

/** Session Expiry Interval that means "never" (MQTT 5, section 3.1.2.11.2). */
export const NEVER_EXPIRES = 0xffffffff

/**
 * What the broker knows of a client beyond its connection (MQTT 5, section 4.1). A session that ends with its
 * connection is the same object; it is just never written.
 */
export class Session implements GroupMember {
  readonly clientId: string
  /** Number of its keys in the store, and of its queue. */
  readonly number: number
  /** Outlives its connection. */
  readonly durable: boolean
  readonly outgoing: Outgoing
  /** Once it has subscribed to a queue. */
  queues: QueueConsumptions | undefined
  connection: Connection | undefined
  expirySeconds: number
  /** Wall time at which the connection ended; 0: connected. */
  disconnectedAtMs = 0
  subscriptions: Map<string, ClientSubscription> | undefined
  /** What they count against the limits. */
  subscriptionBytes = 0
  /** Subscribed in the process to what aedes tells of clients. */
  seesLifeSigns = false
  private readonly context: MqttContext
  /** Written to the store: durable, and there is a disk. */
  private readonly stored: boolean
  private incoming: Set<number> | undefined
  private groups: Set<SharedGroup> | undefined
  private isDraining = false

  constructor(context: MqttContext, clientId: string, number: number, expirySeconds: number) {
    this.context = context
    this.clientId = clientId
    this.number = number
    this.expirySeconds = expirySeconds
    this.durable = expirySeconds > 0
    this.stored = this.durable && context.broker.store.durability !== 'memory'
    this.outgoing = new Outgoing(context, this, this.stored)
  }

  get stores(): boolean {
    return this.stored
  }

  /** The commit that makes the session's latest change durable; 0: it is not stored. */
  get changeEpoch(): number {
    return this.stored ? this.context.broker.store.commit.formingEpoch : 0
  }

  /** Packet identifiers of QoS 2 messages that were received and not yet released. */
  get incomingCount(): number {
    return this.incoming?.size ?? 0
  }

  get ready(): boolean {
    return this.outgoing.ready
  }

  /** Wall time at which the session ends if the client does not come back; Infinity: never. */
  get endsAtMs(): number {
    if (this.expirySeconds === NEVER_EXPIRES) return Number.POSITIVE_INFINITY
    return this.disconnectedAtMs + this.expirySeconds * 1000
  }

  hasRoomFor(message: Message, isHeld: boolean): boolean {
    return this.outgoing.hasRoomFor(message, isHeld)
  }

  offer(message: Message, delivery: Delivery): void {
    if (delivery.noLocal && message.publisher === this.clientId) return // MQTT-3.8.3-3
    if (delivery.own !== undefined && message.publisher === this.clientId) delivery = delivery.own
    if (message.isLifeSign && !this.seesLifeSigns) return
    const qos = message.qos < delivery.qos ? message.qos : delivery.qos
    // MQTT-3.3.1-12, MQTT-3.3.1-13
    const retain = delivery.retainAsPublished && message.retain
    if (qos > 0) {
      this.outgoing.offer(message, qos, retain, delivery.identifiers, (delivery as Partial<SharedDelivery>).group)
      return
    }
    this.sendNow(message, retain, delivery.identifiers)
  }

  /** Sends a message at QoS 0, or drops it: nothing of that QoS waits for a client that is gone or slow. */
  sendNow(message: Message, retain: boolean, identifiers: readonly number[]): void {
    const { connection } = this
    if (connection === undefined) return
    if (!connection.connected) {
      connection.replays.addLive(message, retain, identifiers)
      return
    }
    if (connection.outbox.isFull) {
      connection.dropped(1)
      return
    }
    deliver(connection, message, 0, retain, false, 0, identifiers)
  }

  offerFrames(run: FrameRun, delivery: Delivery): boolean {
    const { connection } = this
    if (connection === undefined) return true
    if (!connection.connected) return false
    if (delivery.noLocal && run.publisher === this.clientId) return true
    if (delivery.identifiers.length > 0 || delivery.own !== undefined) return false
    return deliverFrames(connection, run)
  }

  save(): void {
    if (!this.stored) return
    this.context.broker.store.commit.put(sessionKey(this.clientId), encodeSession(this))
  }

  /** Adds a subscription or replaces the one on the same filter; true: it is new. */
  subscribe(subscription: ClientSubscription): boolean {
    const isNew = this.restoreSubscription(subscription)
    if (this.stored) {
      const key = subscriptionKey(this.clientId, subscription.requested)
      this.context.broker.store.commit.put(key, encodeSubscription(subscription))
    }
    return isNew
  }

  /** As `subscribe`, for a subscription that is in the store already. */
  restoreSubscription(subscription: ClientSubscription): boolean {
    this.subscriptions ??= new Map()
    const isKnown = this.subscriptions.has(subscription.requested)
    if (!isKnown) this.countSubscription(subscription.requested, 1)
    this.subscriptions.set(subscription.requested, subscription)
    const { router } = this.context.broker
    const { filter, shareName } = subscription
    if (queueNameOf(filter) !== undefined) {
      this.consumptions.change(subscription)
      return !isKnown
    }
    if (shareName === '') return router.subscribe(filter, this, subscription)
    const isNew = router.subscribeShared(shareName, filter, this, subscription)
    const group = router.sharedGroup(shareName, filter)
    if (group !== undefined) {
      this.groups ??= new Set()
      this.groups.add(group)
    }
    return isNew
  }

  /** `requested` as in SUBSCRIBE; false: there was no such subscription. */
  unsubscribe(requested: string): boolean {
    const subscription = this.subscriptions?.get(requested)
    if (subscription === undefined) return false
    this.subscriptions?.delete(requested)
    this.countSubscription(requested, -1)
    const { router, store } = this.context.broker
    const { filter, shareName } = subscription
    if (queueNameOf(filter) !== undefined) this.queues?.leave(requested)
    else if (shareName === '') router.unsubscribe(filter, this)
    else {
      const group = router.sharedGroup(shareName, filter)
      if (group !== undefined) {
        this.outgoing.giveBack(group)
        this.groups?.delete(group)
      }
      router.unsubscribeShared(shareName, filter, this)
    }
    if (this.stored) store.commit.del(subscriptionKey(this.clientId, requested))
    return true
  }

  private countSubscription(requested: string, sign: 1 | -1): void {
    const bytes = sign * subscriptionBytes(requested)
    this.subscriptionBytes += bytes
    this.context.sessions.subscriptionBytes += bytes
  }

  /** Has a shared subscription. */
  get isMember(): boolean {
    return (this.groups?.size ?? 0) > 0
  }

  /** Lets the groups hand over what waited for a member with room. */
  drainGroups(): void {
    // Each message that a group hands over ends here too: once more in each would be as deep as the window is wide.
    if (this.groups === undefined || this.isDraining) return
    this.isDraining = true
    try {
      for (const group of this.groups) if (group.backlogCount > 0) group.drain(this)
    } finally {
      this.isDraining = false
    }
  }

  /** The socket took everything. */
  drained(): void {
    const { connection } = this
    if (connection?.connected !== true) return
    connection.replays.run()
    this.outgoing.pump()
    this.queues?.resume()
  }

  /** The queues that it consumes from. */
  get consumptions(): QueueConsumptions {
    this.queues ??= new QueueConsumptions(this.context, this)
    return this.queues
  }

  /** PUBACK. */
  acknowledge(packetId: number, reasonCode: number): void {
    if (packetId < QUEUE_PACKET_IDS) this.outgoing.acknowledge(packetId)
    else this.queues?.acknowledge(packetId, reasonCode)
  }

  incomingIds(): Iterable<number> {
    return this.incoming ?? []
  }

  hasIncoming(packetId: number): boolean {
    return this.incoming?.has(packetId) ?? false
  }

  addIncoming(packetId: number): void {
    this.restoreIncoming(packetId)
    if (this.stored) this.context.broker.store.commit.put(incomingKey(this.number, packetId), NO_VALUE)
  }

  /** As `addIncoming`, for an identifier that is in the store already. */
  restoreIncoming(packetId: number): void {
    this.incoming ??= new Set()
    this.incoming.add(packetId)
  }

  /** False: no such packet identifier is known. */
  removeIncoming(packetId: number): boolean {
    if (this.incoming?.delete(packetId) !== true) return false
    if (this.stored) this.context.broker.store.commit.del(incomingKey(this.number, packetId))
    return true
  }

  /** Ends the session: nothing of it stays, in memory or on disk. */
  destroy(): void {
    for (const requested of [...(this.subscriptions?.keys() ?? [])]) this.unsubscribe(requested)
    for (const packetId of [...(this.incoming ?? [])]) this.removeIncoming(packetId)
    this.outgoing.destroy()
    if (this.stored) this.context.broker.store.commit.del(sessionKey(this.clientId))
  }
}

const NO_VALUE = Buffer.alloc(0)
