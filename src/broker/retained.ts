import type { Clock } from '../base/clock.ts'
import type { Message } from '../message/message.ts'
import { TopicTree } from '../router/topic-tree.ts'
import type { Batch } from '../store/batch.ts'
import { KIND_RETAINED, kindKey, retainedKey, stringOfKey } from '../store/keys.ts'
import { decodeMessage, encodeMessage } from '../store/message-record.ts'
import { scanPrefix } from '../store/scan-prefix.ts'
import type { Store } from '../store/store.ts'

const SWEEP_MS = 60_000

/**
 * The retained message of each topic: in memory, so that a wildcard look-up never scans the disk, and in the store.
 * Topics below `$SYS/` are the broker's own figures: never written, and no part of the limits.
 */
export class Retained {
  private readonly tree = new TopicTree<Message>()
  private readonly store: Store
  private readonly clock: Clock
  private readonly messagesMax: number
  private readonly bytesMax: number
  // What the next batch has to write: a message, or undefined for a deletion; the last change of a topic wins.
  private changed = new Map<string, Message | undefined>()
  private readonly expiring = new Set<string>()
  private sweep: unknown
  private ownCount = 0
  /** Commit of the latest change: as long as it is not durable, what is gone from memory may come back. */
  private changedEpoch = 0
  /** Topics, properties and payloads, without the broker's own. */
  bytes = 0

  constructor(store: Store, clock: Clock, limits: { messagesMax: number; bytesMax: number }) {
    this.store = store
    this.clock = clock
    this.messagesMax = limits.messagesMax
    this.bytesMax = limits.bytesMax
    this.sweepLater()
  }

  get count(): number {
    return this.tree.size
  }

  /** Reads what the store holds. */
  async recover(): Promise<void> {
    for await (const [key, value] of scanPrefix(this.store, kindKey(KIND_RETAINED))) {
      this.keep(stringOfKey(key), decodeMessage(value).own())
    }
  }

  /**
   * Keeps a message that has RETAIN set, or forgets the topic's when the payload is empty (MQTT-3.3.1-6).
   * Returns false when a new topic would go beyond the limits; nothing is changed then.
   */
  set(message: Message): boolean {
    const { topic } = message
    const present = this.tree.get(topic)
    if (message.payload.length === 0) {
      if (present !== undefined) {
        this.drop(topic, present)
        this.write(topic, undefined)
      }
    } else {
      if (!isOwn(topic) && !this.hasRoomFor(message, present)) return false
      this.keep(topic, message.own())
      this.write(topic, message)
    }
    if (this.changedEpoch > this.store.commit.committedEpoch && !isOwn(topic)) message.commitEpoch = this.changedEpoch
    return true
  }

  /** The topic's message, unless it has expired. */
  get(topic: string): Message | undefined {
    const message = this.tree.get(topic)
    return message !== undefined && this.isLive(message) ? message : undefined
  }

  /** All live messages that a filter matches, in the tree's order. */
  match(filter: string): Message[] {
    const found: Message[] = []
    this.tree.match(filter, (_topic, message) => {
      if (this.isLive(message)) found.push(message)
    })
    return found
  }

  writeTo(batch: Batch): void {
    for (const [topic, message] of this.changed) {
      if (message === undefined) batch.del(retainedKey(topic))
      else batch.put(retainedKey(topic), encodeMessage(message))
    }
    this.changed = new Map()
  }

  close(): void {
    this.clock.clear(this.sweep)
  }

  private hasRoomFor(message: Message, present: Message | undefined): boolean {
    const growth = sizeOf(message) - (present === undefined ? 0 : sizeOf(present))
    if (present === undefined && this.tree.size - this.ownCount >= this.messagesMax) return false
    return growth <= 0 || this.bytes + growth <= this.bytesMax
  }

  private keep(topic: string, message: Message): void {
    const present = this.tree.get(topic)
    if (!isOwn(topic)) this.bytes += sizeOf(message) - (present === undefined ? 0 : sizeOf(present))
    else if (present === undefined) this.ownCount++
    this.tree.set(topic, message)
    if (message.expiresAtMs > 0) this.expiring.add(topic)
    else this.expiring.delete(topic)
  }

  private drop(topic: string, message: Message): void {
    if (isOwn(topic)) this.ownCount--
    else this.bytes -= sizeOf(message)
    this.tree.delete(topic)
    this.expiring.delete(topic)
  }

  private write(topic: string, message: Message | undefined): void {
    if (isOwn(topic)) return
    const { commit, durability } = this.store
    if (this.changed.size === 0) commit.mark(this)
    this.changed.set(topic, message)
    if (durability !== 'memory') this.changedEpoch = commit.formingEpoch
  }

  private isLive(message: Message): boolean {
    return message.expiresAtMs === 0 || message.expiresAtMs > this.clock.now()
  }

  private sweepLater(): void {
    this.sweep = this.clock.after(SWEEP_MS, () => {
      for (const topic of this.expiring) {
        const message = this.tree.get(topic)
        if (message === undefined || this.isLive(message)) continue
        this.drop(topic, message)
        this.write(topic, undefined)
      }
      this.sweepLater()
    })
  }
}

function isOwn(topic: string): boolean {
  return topic.startsWith('$SYS/')
}

function sizeOf(message: Message): number {
  return Buffer.byteLength(message.topic) + message.properties.length + message.payload.length
}
