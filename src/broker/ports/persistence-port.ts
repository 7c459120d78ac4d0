import { Readable } from 'node:stream'
import type { Message } from '../../message/message.ts'
import { fromAedesPacket, type LoosePacket } from '../aedes-packet.ts'
import type { PortSession, RetainedPort, SessionPort, WillPort } from './state.ts'
import {
  type GivenPacket,
  packetOfMessage,
  packetOfWill,
  portSubscription,
  type StoredPacket,
  type StoredSubscription,
  type StoredWill,
  storedSubscription,
} from './stored-packet.ts'
import { IncomingPackets } from './incoming-packets.ts'
import { QueuedPackets } from './queued-packets.ts'

export interface PersistenceState {
  readonly retained: RetainedPort
  readonly sessions: SessionPort
  readonly wills: WillPort
}

interface ClientReference {
  readonly id: string
}

/** Names of brokers that are alive, as `Aedes.brokers` has them. */
type LiveBrokers = Readonly<Record<string, unknown>>

/**
 * The broker's state with the face of aedes-persistence 11, for hooks and plugins that call `broker.persistence`.
 * What it reads and changes is the real thing; Sluice itself does not go through here.
 *
 * A packet that was handed in comes back with the fields it had, for as long as it is in memory.
 */
export class PersistencePort {
  private readonly state: PersistenceState
  private readonly queued: QueuedPackets
  private readonly received: IncomingPackets
  private readonly retainedAs = new WeakMap<Message, LoosePacket>()
  private readonly willAs = new WeakMap<Message, StoredWill>()
  private owner: { readonly id: string } = { id: '' }

  constructor(state: PersistenceState) {
    this.state = state
    this.queued = new QueuedPackets(state.sessions, () => this.owner.id)
    this.received = new IncomingPackets(state.sessions)
  }

  get broker(): { readonly id: string } {
    return this.owner
  }

  /** aedes wants an AsyncFunction here, by its constructor's name. */
  async setup(broker: { readonly id: string }): Promise<void> {
    this.owner = broker
  }

  /** Rejects when the limits for retained messages are reached. */
  async storeRetained(packet: LoosePacket): Promise<void> {
    const message = fromAedesPacket({ ...packet, retain: true }, packet.clientId ?? '', Date.now())
    if (!this.state.retained.set(message)) throw new Error('no room for another retained message')
    this.retainedAs.set(message, { ...packet })
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter])
  }

  /** Each message once, also where several filters match it. */
  createRetainedStreamCombi(filters: readonly string[]): Readable {
    const found = new Set<Message>()
    for (const filter of filters) for (const message of this.state.retained.match(filter)) found.add(message)
    return Readable.from(
      Array.from(found, (message) => this.retainedAs.get(message) ?? packetOfMessage(message, this.owner.id)),
    )
  }

  async addSubscriptions(client: ClientReference, subscriptions: readonly StoredSubscription[]): Promise<void> {
    const session = this.state.sessions.open(client.id)
    for (const subscription of subscriptions) session.subscribe(portSubscription(subscription))
  }

  async removeSubscriptions(client: ClientReference, filters: readonly string[]): Promise<void> {
    const session = this.state.sessions.find(client.id)
    if (session?.durable) for (const filter of filters) session.unsubscribe(filter)
  }

  async cleanSubscriptions(client: ClientReference): Promise<void> {
    const filters = (await this.subscriptionsByClient(client)).map((subscription) => subscription.topic)
    await this.removeSubscriptions(client, filters)
  }

  async subscriptionsByClient(client: ClientReference | undefined): Promise<StoredSubscription[]> {
    const session = client === undefined ? undefined : this.state.sessions.find(client.id)
    return session?.durable ? Array.from(session.subscriptions(), storedSubscription) : []
  }

  /** One row for each filter that matches, wildcards first; without those at QoS 0, which are not queued for. */
  async subscriptionsByTopic(topic: string): Promise<(StoredSubscription & ClientReferenceRow)[]> {
    const rows: (StoredSubscription & ClientReferenceRow)[] = []
    for (const [session, subscription] of this.state.sessions.matching(topic)) {
      if (!session.durable || subscription.qos === 0) continue
      rows.push({ clientId: session.clientId, ...storedSubscription(subscription) })
    }
    return rows.sort((a, b) => Number(a.topic === topic) - Number(b.topic === topic))
  }

  /** Sessions that outlive their connection and have subscriptions, and how many of these are above QoS 0. */
  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    let subsCount = 0
    let clientsCount = 0
    for (const session of this.durableSessions()) {
      let count = 0
      for (const subscription of session.subscriptions()) {
        count++
        if (subscription.qos > 0) subsCount++
      }
      if (count > 0) clientsCount++
    }
    return { subsCount, clientsCount }
  }

  getClientList(filter: string): Readable {
    const has = (session: PortSession): boolean => {
      for (const subscription of session.subscriptions()) if (subscription.requested === filter) return true
      return false
    }
    return Readable.from([...this.durableSessions()].filter(has).map((session) => session.clientId))
  }

  /** Rejects when the session's queue is full. */
  async outgoingEnqueue(subscription: ClientReferenceRow, packet: GivenPacket): Promise<void> {
    await this.queued.enqueue(subscription.clientId, packet)
  }

  async outgoingEnqueueCombi(subscriptions: readonly ClientReferenceRow[], packet: GivenPacket): Promise<void> {
    for (const { clientId } of subscriptions) await this.queued.enqueue(clientId, packet)
  }

  outgoingStream(client: ClientReference): Readable {
    return Readable.from(this.queued.list(client.id))
  }

  /** Rejects when no such packet is queued. */
  async outgoingUpdate(client: ClientReference, packet: StoredPacket): Promise<void> {
    await this.queued.update(client.id, packet)
  }

  /** The packet that was removed, or undefined. */
  async outgoingClearMessageId(
    client: ClientReference,
    packet: Pick<StoredPacket, 'messageId'>,
  ): Promise<StoredPacket | undefined> {
    return this.queued.remove(client.id, packet.messageId)
  }

  async incomingStorePacket(client: ClientReference, packet: StoredPacket): Promise<void> {
    this.received.store(client.id, packet)
  }

  /** Rejects when there is none. */
  async incomingGetPacket(client: ClientReference, packet: Pick<StoredPacket, 'messageId'>): Promise<StoredPacket> {
    return this.received.get(client.id, packet.messageId)
  }

  /** Rejects when there is none. */
  async incomingDelPacket(client: ClientReference, packet: Pick<StoredPacket, 'messageId'>): Promise<void> {
    this.received.delete(client.id, packet.messageId)
  }

  async cleanIncoming(client: ClientReference): Promise<void> {
    this.received.clean(client.id)
  }

  async putWill(client: ClientReference, packet: StoredWill): Promise<void> {
    packet.clientId = client.id
    packet.brokerId = this.owner.id
    const message = fromAedesPacket(packet, client.id, Date.now())
    this.willAs.set(message, packet)
    this.state.wills.put(client.id, { message, delaySeconds: 0, expirySeconds: undefined })
  }

  async getWill(client: ClientReference): Promise<StoredWill | undefined> {
    const will = this.state.wills.get(client.id)
    if (will === undefined) return undefined
    return this.willAs.get(will.message) ?? packetOfWill(will, client.id, this.owner.id)
  }

  async delWill(client: ClientReference): Promise<StoredWill | undefined> {
    const packet = await this.getWill(client)
    this.state.wills.delete(client.id)
    return packet
  }

  /**
   * The wills of brokers that are not alive. Where names of live ones are given this broker counts as one of them, so
   * that aedes' sweep never publishes what `Wills` is about to.
   */
  streamWill(brokers?: LiveBrokers): Readable {
    return Readable.from(this.willsOf(brokers))
  }

  /** Nothing to do: the state belongs to the broker. */
  async destroy(): Promise<void> {}

  private async *willsOf(brokers: LiveBrokers | undefined): AsyncGenerator<StoredWill, void, undefined> {
    for (const id of [...this.state.wills.clientIds()]) {
      const will = await this.getWill({ id })
      if (will === undefined) continue
      const brokerId = will.brokerId ?? this.owner.id
      if (brokers === undefined || (brokerId !== this.owner.id && !Object.hasOwn(brokers, brokerId))) yield will
    }
  }

  private *durableSessions(): Generator<PortSession, void, undefined> {
    for (const session of this.state.sessions.sessions()) if (session.durable) yield session
  }
}

interface ClientReferenceRow {
  readonly clientId: string
}
