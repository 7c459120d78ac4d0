import type { Message } from '../../message/message.ts'
import type { QoS } from '../../message/qos.ts'
import type { Will } from '../will-record.ts'

// What the persistence port needs of the broker's real state. `compose` hands in who has it.

/** `broker/retained` is one. */
export interface RetainedPort {
  /** Keeps the message, or forgets the topic's when the payload is empty. False: it would go beyond the limits. */
  set(message: Message): boolean
  match(filter: string): Iterable<Message>
}

/** `broker/wills` is one. */
export interface WillPort {
  get(clientId: string): Will | undefined
  put(clientId: string, will: Will): void
  delete(clientId: string): void
  /** Clients with a will. */
  clientIds(): Iterable<string>
}

/** A subscription as the client made it. */
export interface PortSubscription {
  /** As in SUBSCRIBE, `$share/name/` included. */
  readonly requested: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: 0 | 1 | 2
  /** 0: none. */
  readonly identifier: number
}

/** One message of a session's queue, waiting or in flight. */
export interface PortEntry {
  /** The same object for the same entry, for as long as it is in memory. */
  readonly key: object
  /** Meaningless once released. */
  readonly message: Message
  /** 0: not sent on this connection. */
  readonly packetId: number
  /** PUBREC was received: PUBREL is what remains to be sent. */
  readonly released: boolean
}

/** What a client left with the broker. The same object for the same session. */
export interface PortSession {
  readonly clientId: string
  /** Outlives its connection. aedes stores nothing but received packet identifiers for the others. */
  readonly durable: boolean
  subscriptions(): Iterable<PortSubscription>
  /** Adds a subscription, or replaces the one on the same filter. */
  subscribe(subscription: PortSubscription): void
  unsubscribe(requested: string): void
  /** Oldest first, those in flight included; where part of it is on disk, read from there. */
  queue(): Iterable<PortEntry> | AsyncIterable<PortEntry>
  /** Queues a message as if it had been published, and gives the entry's key; undefined: the queue is full. */
  enqueue(message: Message): object | undefined
  /** PUBREC was received. */
  release(entry: PortEntry): void
  remove(entry: PortEntry): void
  /** Packet identifiers of received QoS 2 messages that PUBREL is awaited for. */
  incoming(): Iterable<number>
  hasIncoming(packetId: number): boolean
  addIncoming(packetId: number): void
  removeIncoming(packetId: number): void
}

/** `session/mqtt` has one over its registry. */
export interface SessionPort {
  sessions(): Iterable<PortSession>
  find(clientId: string): PortSession | undefined
  /** The client's session, made as for a client of version 3.1.1 with clean session 0 where there is none. */
  open(clientId: string): PortSession
  /** Subscriptions that match a topic, not those of shared groups. */
  matching(topic: string): Iterable<readonly [session: PortSession, subscription: PortSubscription]>
}
