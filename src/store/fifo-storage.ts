import { decodeAmqpPart } from '../message/amqp-part.ts'
import { EMPTY, Message } from '../message/message.ts'
import type { Block } from './block.ts'
import type { StoredEntry } from './block-data.ts'
import type { EntryList } from './entry-list.ts'
import { type EntryOwner, FifoEntry } from './fifo-entry.ts'
import { FifoBlocks } from './fifo-blocks.ts'
import { FifoHead, type LowestSeq } from './fifo-head.ts'
import type { RecoveredFifo } from './fifo-recovery.ts'
import type { Store } from './store.ts'

/** What a settled entry has for a message. */
export const SETTLED_MESSAGE = new Message('', EMPTY, 0, false)

/** What of a FIFO may keep blocks in memory. */
export interface PinHost {
  readonly inFlight: EntryList
  readonly windowBytes: number
}

const PINNED_WINDOWS = 4
const PINNED_BYTES_MIN = 64 * 1024

/** The way of one FIFO's entries to the disk and back: block, shared body, head. */
export class FifoStorage {
  readonly head: FifoHead
  readonly blocks: FifoBlocks
  /** Entries with a lower number may have been handed out before the start. */
  readonly sentBelow: number
  private readonly store: Store
  private readonly queue: EntryOwner & LowestSeq

  constructor(
    store: Store,
    fifoId: number,
    queue: EntryOwner & LowestSeq,
    recovered: RecoveredFifo | undefined,
    nextSeq: number,
  ) {
    this.store = store
    this.queue = queue
    this.head = new FifoHead(fifoId, recovered?.head)
    this.blocks = new FifoBlocks(store, fifoId, this.head, queue)
    this.sentBelow = recovered === undefined ? 0 : Math.min(recovered.head.sentBelow, nextSeq)
  }

  /** The entry is new: it is written with the forming epoch. */
  write(entry: FifoEntry): void {
    const { message } = entry
    message.references++
    entry.epoch = this.store.commit.formingEpoch
    message.commitEpoch = entry.epoch
    this.blocks.hold(entry)
  }

  /** The entry is done with: it leaves the disk, if it is there, and memory. */
  erase(entry: FifoEntry): void {
    const { block } = entry
    if (block !== undefined) {
      this.blocks.kill(block, entry)
      if (entry.bodyId !== 0) this.store.bodies.release(entry.bodyId, this.store.commit)
    }
    this.forget(entry)
  }

  /** Only the mark is to be kept of the entry. */
  settle(entry: FifoEntry, mark: number): void {
    const { block } = entry
    if (block !== undefined) {
      entry.epoch = this.store.commit.formingEpoch
      this.blocks.settle(block, entry, mark)
      if (entry.bodyId !== 0) this.store.bodies.release(entry.bodyId, this.store.commit)
      entry.bodyId = 0
    }
    if (!entry.settled) this.release(entry.message)
  }

  /** An entry of a block was read from disk; undefined: it cannot be used. */
  admit(stored: StoredEntry, block: Block): FifoEntry | undefined {
    const { record, bodyId } = stored
    if (record === undefined) return undefined
    const found = stored.message ?? SETTLED_MESSAGE
    const message = bodyId === 0 ? found : this.store.bodies.admit(bodyId, found)
    const entry = new FifoEntry(this.queue, stored.seq, message, record.mark, record.identifiers, stored.bytes)
    entry.settled = record.settled
    entry.redelivered = entry.seq < this.sentBelow
    entry.bodyId = bodyId
    this.blocks.enter(block, entry)
    if (!record.settled) message.references++
    return entry
  }

  /** The entry leaves memory. */
  forget(entry: FifoEntry): void {
    if (entry.block !== undefined) this.blocks.leave(entry.block)
    if (!entry.settled) this.release(entry.message)
  }

  /**
   * Entries that were read or written are views into their blocks' data: those that were handed out and stay get bytes of their
   * own once they keep much more in memory than the window, or each would keep a whole block.
   */
  unpin(host: PinHost): void {
    const { blocks } = this
    if (blocks.viewBytes <= PINNED_WINDOWS * Math.max(host.windowBytes, PINNED_BYTES_MIN)) return
    const copied = new Map<Block, number>()
    for (let entry = host.inFlight.first; entry !== undefined; entry = entry.next) {
      const { block } = entry
      if (block === undefined || block.viewBytes === 0) continue
      ownBytes(entry.message)
      copied.set(block, (copied.get(block) ?? 0) + 1)
    }
    for (const [block, count] of copied) if (count === block.residents) blocks.unview(block)
  }

  private release(message: Message): void {
    if (--message.references === 0 && message.bodyId !== 0) this.store.bodies.evict(message)
  }
}

function ownBytes(message: Message): void {
  message.own()
  const { amqp } = message
  if (amqp !== undefined) message.amqp = decodeAmqpPart(Buffer.from(amqp.record))
}
