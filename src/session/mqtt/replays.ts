import { Message } from '../../message/message.ts'
import type { Connection } from './connection.ts'
import { deliver } from './deliver.ts'
import type { ClientSubscription } from './subscription-record.ts'

interface Live {
  readonly message: Message
  readonly retain: boolean
  readonly identifiers: readonly number[]
}

interface RetainedBatch {
  readonly topics: readonly string[]
  readonly subscription: ClientSubscription
  at: number
}

const BEFORE_CONNACK_MAX = 1000
// About what one of them takes here; the topic's text is the retained message's.
const TOPIC_BYTES = 8

/**
 * What one connection is to get at QoS 0 as soon as there is room for it, in order: retained messages for its new
 * subscriptions, and what came while CONNACK was on its way. Retained messages wait by their topics, so that what is
 * sent is what is retained then, and memory is not.
 */
export class Replays {
  private readonly connection: Connection
  private waiting: (Live | RetainedBatch)[] = []
  private count = 0

  constructor(connection: Connection) {
    this.connection = connection
  }

  /** A message for a client whose CONNACK is on its way: nothing may go out before it. */
  addLive(message: Message, retain: boolean, identifiers: readonly number[]): void {
    if (this.count >= BEFORE_CONNACK_MAX) return
    this.waiting.push({ message: message.own(), retain, identifiers })
    this.change(1)
  }

  /** The topics with a retained message that a new subscription gets at QoS 0. */
  addRetained(topics: readonly string[], subscription: ClientSubscription): void {
    const { connection } = this
    const { connectionMemory, config } = connection.broker
    const room = config.limits.retainedMessagesMax - this.count
    // Room for one look at everything; a client that asks again and never reads gets no more.
    const kept = connectionMemory.hasRoomFor(topics.length * TOPIC_BYTES) ? topics.slice(0, Math.max(0, room)) : []
    if (kept.length < topics.length) connection.dropped(topics.length - kept.length)
    if (kept.length === 0) return
    this.waiting.push({ topics: kept, subscription, at: 0 })
    this.change(kept.length)
  }

  /** Sends for as long as the outbox has room; called again when it drains. */
  run(): void {
    const { connection, waiting } = this
    let done = 0
    while (done < waiting.length && !connection.outbox.isFull && !connection.closed) {
      const next = waiting[done] as Live | RetainedBatch
      this.change(-1)
      if (!('topics' in next)) {
        deliver(connection, next.message, 0, next.retain, false, 0, next.identifiers)
        done++
        continue
      }
      this.sendRetained(next.topics[next.at++] as string, next.subscription)
      if (next.at === next.topics.length) done++
    }
    if (done > 0) waiting.splice(0, done)
  }

  /** The connection is over; nothing at QoS 0 waits for another one. */
  close(): void {
    this.waiting = []
    this.change(-this.count)
  }

  private sendRetained(topic: string, { qos, noLocal, identifier }: ClientSubscription): void {
    const { connection } = this
    const { broker } = connection
    const retained = broker.retained.get(topic)
    if (retained === undefined || (noLocal && retained.publisher === connection.id)) return
    // Replaced since by one that this subscription was sent at its own QoS.
    if (retained.qos > 0 && qos > 0) return
    broker.counter++
    deliver(connection, copyOf(retained), 0, true, false, 0, identifier === 0 ? [] : [identifier])
  }

  private change(count: number): void {
    this.connection.broker.connectionMemory.change(this.count * TOPIC_BYTES, (this.count + count) * TOPIC_BYTES)
    this.count += count
  }
}

/** A copy, so that frames encoded for one client do not stay with the retained message. */
export function copyOf({ topic, payload, qos, properties, expiresAtMs, publisher }: Message): Message {
  return new Message(topic, payload, qos, true, properties, expiresAtMs, publisher)
}
