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
 * Topics below `$SYS/` are the broker's own figures and are never written.
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
  /** Topics, properties and payloads. */
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
      if (present === undefined) return true
      this.drop(topic, present)
    } else {
      const growth = sizeOf(message) - (present === undefined ? 0 : sizeOf(present))
      if (present === undefined && this.tree.size >= this.messagesMax) return false
      if (growth > 0 && this.bytes + growth > this.bytesMax) return false
      this.keep(topic, message.own())
    }
    if (!topic.startsWith('$SYS/')) {
      this.write(topic, message.payload.length === 0 ? undefined : message)
      if (this.store.durability !== 'memory') message.commitEpoch = this.store.commit.formingEpoch
    }
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

  private keep(topic: string, message: Message): void {
    const present = this.tree.get(topic)
    this.bytes += sizeOf(message) - (present === undefined ? 0 : sizeOf(present))
    this.tree.set(topic, message)
    if (message.expiresAtMs > 0) this.expiring.add(topic)
    else this.expiring.delete(topic)
  }

  private drop(topic: string, message: Message): void {
    this.bytes -= sizeOf(message)
    this.tree.delete(topic)
    this.expiring.delete(topic)
  }

  private write(topic: string, message: Message | undefined): void {
    if (this.changed.size === 0) this.store.commit.mark(this)
    this.changed.set(topic, message)
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

function sizeOf(message: Message): number {
  return Buffer.byteLength(message.topic) + message.properties.length + message.payload.length
}
