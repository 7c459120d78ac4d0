import type { Message } from '../message/message.ts'
import type { Block } from './block.ts'
import type { EntryList } from './entry-list.ts'

/** The FIFO that holds an entry. */
export interface EntryOwner {
  readonly fifoId: number
}

/** One message in one FIFO. Everything that is readonly here is stable over a restart. */
export class FifoEntry {
  /** Rises by push, is never used twice in one FIFO, and may have gaps. From 1. */
  readonly seq: number
  /** After `settle` an empty message without a topic. */
  message: Message
  /** Free for the owner, stored with the entry: 32 bits. To change it later use `settle`. */
  readonly identifiers: readonly number[]
  mark: number
  /** Commit that makes the entry durable; 0: it never will be, or was already at the start. */
  epoch = 0
  /** Free for the owner, not stored: which turn's writing the entry was sent with. */
  sentWith = -1
  /** True when it may have been handed out before: to be delivered with DUP or as redelivered. */
  redelivered = false
  /** True after `settle`. */
  settled = false
  /** Acknowledged, dropped, or sent back to disk before it was handed out: nothing can be done with it any more. */
  gone = false
  /** Size that counts against the limits. */
  bytes: number

  /** Below: for `store/fifo` alone. */
  readonly owner: EntryOwner
  list: EntryList | undefined = undefined
  previous: FifoEntry | undefined = undefined
  next: FifoEntry | undefined = undefined
  /** Under which body the message was written; 0: with the entry. */
  bodyId = 0
  /** With which others it was written; undefined: it was not. */
  block: Block | undefined = undefined

  constructor(
    owner: EntryOwner,
    seq: number,
    message: Message,
    mark: number,
    identifiers: readonly number[],
    bytes: number,
  ) {
    this.owner = owner
    this.seq = seq
    this.message = message
    this.mark = mark
    this.identifiers = identifiers
    this.bytes = bytes
  }
}

// About what an entry costs in memory and on disk beside the bytes of its message.
export const ENTRY_BYTES = 64

/** What a message counts against the byte limits of a FIFO. */
export function entrySize(message: Message): number {
  const amqpBytes = message.amqp === undefined ? 0 : message.amqp.recordBytes
  return ENTRY_BYTES + message.topic.length + message.properties.length + message.payload.length + amqpBytes
}

export const SETTLED_BYTES = ENTRY_BYTES
