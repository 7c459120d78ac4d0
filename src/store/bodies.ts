import type { Message } from '../message/message.ts'
import type { ChangeSink } from './batch.ts'
import { bodyKey } from './keys.ts'
import { encodeMessage } from './message-record.ts'
import type { NumberSource } from './number-source.ts'
import type { SpaceReclaim } from './space-reclaim.ts'

/**
 * Messages that several FIFOs hold are stored once. Counts how many stored entries refer to each body, and finds
 * the one Message in memory again, so that a thousand queues that load it share it.
 */
export class Bodies {
  private readonly numbers: NumberSource
  private readonly reclaim: SpaceReclaim
  private readonly references = new Map<number, number>()
  private readonly resident = new Map<number, Message>()

  constructor(numbers: NumberSource, reclaim: SpaceReclaim) {
    this.numbers = numbers
    this.reclaim = reclaim
  }

  get size(): number {
    return this.references.size
  }

  /** One more stored entry refers to the message; the first writes the body into the same batch. */
  retain(message: Message, batch: ChangeSink): number {
    // A message that is pushed again after all had acknowledged it still has the number of the body that is gone.
    if (message.bodyId === 0 || !this.references.has(message.bodyId)) {
      message.bodyId = this.numbers.next(batch)
      batch.put(bodyKey(message.bodyId), encodeMessage(message))
      this.resident.set(message.bodyId, message)
    }
    this.references.set(message.bodyId, (this.references.get(message.bodyId) ?? 0) + 1)
    return message.bodyId
  }

  /** The start has found an entry that refers to the body. */
  recovered(bodyId: number): void {
    this.references.set(bodyId, (this.references.get(bodyId) ?? 0) + 1)
  }

  /** An entry that referred to the body is deleted; the last one takes the body along. */
  release(bodyId: number, changes: ChangeSink): void {
    const left = (this.references.get(bodyId) ?? 0) - 1
    if (left > 0) {
      this.references.set(bodyId, left)
      return
    }
    this.reclaim.bodyDeleted(bodyId, this.resident.get(bodyId)?.payload.length ?? 0)
    this.references.delete(bodyId)
    this.resident.delete(bodyId)
    changes.del(bodyKey(bodyId))
  }

  isReferenced(bodyId: number): boolean {
    return this.references.has(bodyId)
  }

  find(bodyId: number): Message | undefined {
    return this.resident.get(bodyId)
  }

  /** A body was read from disk: from now on it is shared. */
  admit(bodyId: number, message: Message): Message {
    const present = this.resident.get(bodyId)
    if (present !== undefined) return present
    message.bodyId = bodyId
    this.resident.set(bodyId, message)
    return message
  }

  /** No entry in memory holds the message any more. */
  evict(message: Message): void {
    this.resident.delete(message.bodyId)
  }
}
