import { NumberMap } from '../base/number-map.ts'
import type { Batch } from './batch.ts'
import type { Block } from './block.ts'
import { packBlock } from './block-packing.ts'
import type { FifoEntry } from './fifo-entry.ts'
import type { FifoHead, LowestSeq } from './fifo-head.ts'
import type { Participant, Waiter } from './group-commit.ts'
import { blockDataKey, blockKey } from './keys.ts'
import type { Store } from './store.ts'

// About what a change of a block costs in a batch.
const BLOCK_CHANGE_BYTES = 128

/**
 * How the entries of one FIFO are grouped on disk. What was pushed during one epoch is written in blocks when that is
 * formed; what becomes of a block's entries is written once for each epoch, however many of them are acknowledged.
 *
 * A block is known here as long as entries of it are in memory, or a change of it is not durable: what is read from disk
 * meanwhile would not tell of it.
 */
export class FifoBlocks implements Participant, Waiter {
  /** Size of all data that entries in memory are views into. */
  viewBytes = 0
  private readonly store: Store
  private readonly fifoId: number
  private readonly head: FifoHead
  private readonly queue: LowestSeq
  private readonly known = new NumberMap<Block>()
  private pending: FifoEntry[] = []
  private touched: Block[] = []
  private readonly idle: Block[] = []
  private joined = false
  private frozen = false

  constructor(store: Store, fifoId: number, head: FifoHead, queue: LowestSeq) {
    this.store = store
    this.fifoId = fifoId
    this.head = head
    this.queue = queue
  }

  /** The entry is to be written with the forming epoch, unless it is gone by then. */
  hold(entry: FifoEntry): void {
    this.pending.push(entry)
    this.join(entry.bytes)
  }

  kill(block: Block, entry: FifoEntry): void {
    block.kill(entry.seq, entry.bytes)
    this.touch(block)
  }

  settle(block: Block, entry: FifoEntry, mark: number): void {
    block.settle(entry.seq, mark, entry.bytes)
    this.touch(block)
  }

  /** The entry leaves memory. */
  leave(block: Block): void {
    if (--block.residents > 0) return
    this.unview(block)
    const isDurable = !block.touched && block.epoch <= this.store.commit.committedEpoch
    if (isDurable && !this.frozen) this.known.delete(block.firstSeq)
    else this.rest(block)
  }

  /** A block was read from disk: what is known of it here is newer. */
  adopt(read: Block): Block {
    const block = this.known.get(read.firstSeq)
    if (block !== undefined) return block
    this.known.set(read.firstSeq, read)
    this.rest(read)
    return read
  }

  /** An entry was read into memory, as a view into the block's data. */
  enter(block: Block, entry: FifoEntry): void {
    entry.block = block
    block.residents++
    if (block.viewBytes > 0 || block.dataBytes === 0) return
    block.viewBytes = block.dataBytes
    this.viewBytes += block.viewBytes
  }

  /** No entry in memory is a view into the block's data any more. */
  unview(block: Block): void {
    this.viewBytes -= block.viewBytes
    block.viewBytes = 0
  }

  /** Nothing is forgotten until `thaw`: blocks are being read. */
  freeze(): void {
    this.frozen = true
  }

  thaw(): void {
    this.frozen = false
    this.prune(this.store.commit.committedEpoch)
  }

  /** For the group commit. */
  writeTo(batch: Batch): void {
    const { pending, touched } = this
    this.joined = false
    this.pending = []
    this.touched = []
    for (const block of touched) this.writeState(block, batch)
    for (let from = 0; from < pending.length; ) from = this.writeBlock(pending, from, batch)
  }

  /** For the group commit. */
  committed(epoch: number): void {
    if (!this.frozen) this.prune(epoch)
  }

  private join(bytes: number): void {
    const { commit } = this.store
    if (this.joined) {
      commit.add(bytes)
      return
    }
    this.joined = true
    commit.mark(this, bytes)
    commit.wait(this)
  }

  private touch(block: Block): void {
    if (block.touched) return
    block.touched = true
    block.epoch = this.store.commit.formingEpoch
    this.touched.push(block)
    this.join(BLOCK_CHANGE_BYTES)
  }

  private rest(block: Block): void {
    if (block.isIdle) return
    block.isIdle = true
    this.idle.push(block)
  }

  private prune(committedEpoch: number): void {
    const { idle } = this
    let kept = 0
    for (const block of idle) {
      if (block.residents === 0 && (block.touched || block.epoch > committedEpoch)) {
        idle[kept++] = block
        continue
      }
      block.isIdle = false
      if (block.residents === 0) this.known.delete(block.firstSeq)
    }
    idle.length = kept
  }

  private writeState(block: Block, batch: Batch): void {
    block.touched = false
    if (block.dataBytes > 0 && (block.liveCount === 0 || block.isBare)) {
      const isInside = block.inside !== undefined
      if (!isInside) batch.del(blockDataKey(this.fifoId, block.firstSeq))
      this.store.reclaim.dataDeleted(this.fifoId, block.firstSeq, block.dataBytes, isInside)
      block.dataBytes = 0
      block.inside = undefined
    }
    if (block.liveCount > 0) {
      batch.put(blockKey(this.fifoId, block.firstSeq), block.encode())
      return
    }
    batch.del(blockKey(this.fifoId, block.firstSeq))
    this.head.deleted(this.queue, batch)
  }

  /** Writes one block, which begins with the entry at `from` or behind it; answers where the next one begins. */
  private writeBlock(entries: readonly FifoEntry[], from: number, batch: Batch): number {
    const { block, next } = packBlock(entries, from, this.fifoId, (entry) => this.share(entry, batch), batch)
    if (block === undefined) return next
    this.head.reserve(block.lastSeq, this.queue, batch)
    block.epoch = this.store.commit.formingEpoch
    this.known.set(block.firstSeq, block)
    this.viewBytes += block.viewBytes
    return next
  }

  /** A message that several FIFOs hold is stored once. */
  private share(entry: FifoEntry, batch: Batch): void {
    const { message } = entry
    if (entry.bodyId !== 0 || (message.references <= 1 && message.bodyId === 0)) return
    entry.bodyId = this.store.bodies.retain(message.own(), batch)
  }
}
