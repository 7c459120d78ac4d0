import type { Message } from '../message/message.ts'
import type { Backend } from './backend.ts'
import { Block } from './block.ts'
import { blockOfData, decodeData, type StoredEntry } from './block-data.ts'
import {
  BLOCK_KEY_BYTES,
  blockKey,
  entrySeq,
  KIND_BLOCK,
  KIND_BLOCK_DATA,
  keyAfter,
  kindKey,
  numberOfKey,
} from './keys.ts'
import { damaged, good, type Verdict } from './verdict.ts'

interface Finding {
  /** Empty: nothing is wrong. */
  readonly why: string
  readonly block: Block
  /** Entries that cannot be read. */
  readonly lost: number
  /** What is left without them. */
  readonly rest: Block
}

// Blocks at once, with their data.
const PAGE = 64
const DELETED = Number.POSITIVE_INFINITY

/** Says of the blocks of all FIFOs, and of their data, whether they can be read and whom they belong to. */
export class BlockAccount {
  /** Bodies to which some entry refers that the next start keeps. */
  readonly referred = new Set<number>()
  private readonly heads: ReadonlyMap<number, number>
  private readonly bodies: ReadonlySet<number>
  private readonly owners: ReadonlySet<number>
  private readonly checkMessage: (message: Message) => void
  private readonly findings = new Map<string, Finding | string>()
  /** Data that some block has need of. */
  private readonly needed = new Set<string>()

  /**
   * `heads`: the number from which on a FIFO may have entries; Infinity: it was deleted. `checkMessage` throws for one
   * that could not be sent.
   */
  constructor(
    heads: ReadonlyMap<number, number>,
    bodies: ReadonlySet<number>,
    owners: ReadonlySet<number>,
    checkMessage: (message: Message) => void,
  ) {
    this.checkMessage = checkMessage
    this.heads = heads
    this.bodies = bodies
    this.owners = owners
  }

  /** Reads all blocks with their data: afterwards `referred` is known. */
  async gather(backend: Backend): Promise<void> {
    let from = kindKey(KIND_BLOCK)
    for (;;) {
      const rows = await backend.scan(from, kindKey(KIND_BLOCK + 1), PAGE)
      const last = rows.at(-1)
      if (last === undefined) return
      const data = await backend.getMany(rows.map(([key]) => dataKeyOf(key)))
      for (const [i, [key, value]] of rows.entries()) this.examine(key, value, data[i])
      from = keyAfter(last[0])
    }
  }

  judge(name: string, key: Buffer): Verdict {
    const verdict = this.judgeBlock(name, key)
    if (key.length !== BLOCK_KEY_BYTES) return verdict
    const fifo = numberOfKey(key)
    return this.owners.has(fifo) || this.heads.get(fifo) === DELETED ? verdict : { ...verdict, ownerless: fifo }
  }

  private judgeBlock(name: string, key: Buffer): Verdict {
    const finding = this.findings.get(key.toString('latin1'))
    if (finding === undefined || typeof finding === 'string') return damaged(name, finding ?? 'it was not read')
    const { why, block, lost, rest } = finding
    const fifo = numberOfKey(key)
    const headSeq = this.heads.get(fifo)
    const count = block.liveCount
    if (lost > 0) {
      const verdict = { state: 'damaged', kind: name, why, count: lost, goodCount: rest.liveCount } as const
      if (rest.liveCount === 0) return verdict
      const isHeadless = headSeq === undefined && this.owners.has(fifo)
      return isHeadless ? { ...verdict, saved: rest, headless: fifo } : { ...verdict, saved: rest }
    }
    if (headSeq === undefined) {
      const verdict = { ...damaged(name, 'the head of its queue is missing'), count }
      return this.owners.has(fifo) ? { ...verdict, headless: fifo, saved: block } : verdict
    }
    if (headSeq === DELETED || !this.owners.has(fifo)) {
      return { state: 'leftover', kind: name, why: 'of a deleted queue', count }
    }
    const isBehindHead = (block.liveSeqs()[0] ?? 0) >= headSeq
    return isBehindHead
      ? { state: 'good', kind: name, why: '', count }
      : { ...damaged(name, 'it is in front of the first of its queue'), count }
  }

  /** Data counts with its block; without one it tells itself what was in it, but not what of that was acknowledged. */
  judgeData(name: string, key: Buffer, data: Buffer): Verdict {
    if (this.needed.has(key.toString('latin1'))) {
      const { state, saved, why } = this.judgeBlock(name, blockKey(numberOfKey(key), entrySeq(key)))
      const isLost = state === 'damaged' && saved === undefined
      return { ...(isLost ? damaged(name, why) : good(name)), count: 0 }
    }
    if (key.length !== BLOCK_KEY_BYTES) return damaged(name, 'its key has the wrong length')
    const finding = this.findings.get(blockKey(numberOfKey(key), entrySeq(key)).toString('latin1'))
    if (finding !== undefined && typeof finding !== 'string') {
      return { ...damaged(name, 'no message in it can be read'), count: 0 }
    }
    const headSeq = this.heads.get(numberOfKey(key))
    const isOwned = this.owners.has(numberOfKey(key))
    const saved = isOwned ? blockOfData(entrySeq(key), data, this.bodies, headSeq) : undefined
    if (saved === undefined) return damaged(name, 'nobody knows which of the messages in it are still there')
    const verdict = { ...damaged(name, 'what of it was acknowledged is not known'), count: saved.liveCount, saved }
    return headSeq === undefined ? { ...verdict, headless: numberOfKey(key) } : verdict
  }

  private examine(key: Buffer, value: Buffer, data: Buffer | undefined): void {
    const name = key.toString('latin1')
    try {
      if (key.length !== BLOCK_KEY_BYTES) throw new Error('its key has the wrong length')
      const block = Block.decode(entrySeq(key), value)
      const fifo = numberOfKey(key)
      const isKept = this.owners.has(fifo) && this.heads.get(fifo) !== DELETED
      const finding = this.read(block, block.inside ?? (block.dataBytes > 0 ? data : undefined), isKept)
      this.findings.set(name, finding)
      if (finding.rest.dataBytes > 0 && block.inside === undefined) {
        this.needed.add(dataKeyOf(key).toString('latin1'))
      }
    } catch (error) {
      this.findings.set(name, (error as Error).message)
    }
  }

  /** `isKept`: the next start does not delete it. */
  private read(block: Block, data: Buffer | undefined, isKept: boolean): Finding {
    let why = ''
    const failed = (error: unknown): void => {
      why ||= (error as Error).message
    }
    const entries = decodeData(block, data, block.firstSeq, failed)
    const kept = entries.filter((entry) => this.isWhole(entry, isKept, failed))
    const bytes = kept.reduce((sum, entry) => sum + entry.bytes, 0)
    const lost = entries.length - kept.length
    const isMarked = block.hasReferences || kept.every(({ bodyId }) => bodyId === 0)
    if (lost === 0 && bytes === block.liveBytes && isMarked) return { why, block, lost, rest: block }
    if (lost === 0) failed(new Error(isMarked ? 'its sizes differ' : 'it does not say that it refers to bodies'))
    const rest = new Block(block.firstSeq, block.span)
    for (const { seq, bytes, record } of kept) {
      rest.add(seq, bytes)
      if (record?.settled === true) rest.settle(seq, record.mark, bytes)
    }
    rest.hasReferences = block.hasReferences || !isMarked
    if (!rest.isBare && rest.liveCount > 0) {
      rest.dataBytes = block.dataBytes
      rest.inside = block.inside
    }
    return { why, block, lost: Math.max(lost, 1), rest }
  }

  private isWhole(
    { record, bodyId, message }: StoredEntry,
    isKept: boolean,
    failed: (error: unknown) => void,
  ): boolean {
    if (record === undefined) return false
    if (bodyId === 0) return message === undefined || this.canBeSent(message, failed)
    if (isKept) this.referred.add(bodyId)
    if (this.bodies.has(bodyId)) return true
    failed(new Error('its message is missing'))
    return false
  }

  private canBeSent(message: Message, failed: (error: unknown) => void): boolean {
    try {
      this.checkMessage(message)
      return true
    } catch (error) {
      failed(error)
      return false
    }
  }
}

/** Of any key, also of one that is cut off. */
function dataKeyOf(key: Buffer): Buffer {
  const dataKey = Buffer.from(key)
  dataKey[0] = KIND_BLOCK_DATA
  return dataKey
}
