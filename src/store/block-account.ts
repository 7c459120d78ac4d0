import type { Backend } from './backend.ts'
import { Block } from './block.ts'
import { blockOfData, decodeData, type StoredEntry } from './block-data.ts'
import {
  BLOCK_KEY_BYTES,
  blockDataKey,
  blockKey,
  entrySeq,
  KIND_BLOCK,
  keyAfter,
  kindKey,
  numberOfKey,
} from './keys.ts'
import { damaged, type Verdict } from './verdict.ts'

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
  /** Bodies to which some entry refers. */
  readonly referred = new Set<number>()
  private readonly heads: ReadonlyMap<number, number>
  private readonly bodies: ReadonlySet<number>
  private readonly owners: ReadonlySet<number>
  private readonly findings = new Map<string, Finding | string>()
  /** Data that some block has need of. */
  private readonly needed = new Set<string>()

  /** `heads`: the number from which on a FIFO may have entries; Infinity: it was deleted. */
  constructor(heads: ReadonlyMap<number, number>, bodies: ReadonlySet<number>, owners: ReadonlySet<number>) {
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
    if (this.needed.has(key.toString('latin1'))) return { state: 'good', kind: name, why: '', count: 0 }
    if (key.length !== BLOCK_KEY_BYTES) return damaged(name, 'its key has the wrong length')
    const finding = this.findings.get(blockKey(numberOfKey(key), entrySeq(key)).toString('latin1'))
    if (finding !== undefined && typeof finding !== 'string') {
      return { ...damaged(name, 'no message in it can be read'), count: 0 }
    }
    const saved = this.owners.has(numberOfKey(key)) ? blockOfData(entrySeq(key), data, this.bodies) : undefined
    if (saved === undefined) return damaged(name, 'nobody knows which of the messages in it are still there')
    const headSeq = this.heads.get(numberOfKey(key))
    const verdict = { ...damaged(name, 'what of it was acknowledged is not known'), count: saved.liveCount, saved }
    return headSeq === undefined ? { ...verdict, headless: numberOfKey(key) } : verdict
  }

  private examine(key: Buffer, value: Buffer, data: Buffer | undefined): void {
    const name = key.toString('latin1')
    try {
      if (key.length !== BLOCK_KEY_BYTES) throw new Error('its key has the wrong length')
      const block = Block.decode(entrySeq(key), value)
      const finding = this.read(block, block.inside ?? data)
      this.findings.set(name, finding)
      if (finding.rest.dataBytes > 0 && block.inside === undefined) {
        this.needed.add(dataKeyOf(key).toString('latin1'))
      }
    } catch (error) {
      this.findings.set(name, (error as Error).message)
    }
  }

  private read(block: Block, data: Buffer | undefined): Finding {
    let why = ''
    const failed = (error: unknown): void => {
      why ||= (error as Error).message
    }
    const entries = decodeData(block, data, block.firstSeq, failed)
    const kept = entries.filter((entry) => this.isWhole(entry, failed))
    const bytes = kept.reduce((sum, entry) => sum + entry.bytes, 0)
    const lost = entries.length - kept.length
    if (lost === 0 && bytes === block.liveBytes) return { why, block, lost, rest: block }
    if (lost === 0) failed(new Error('its sizes differ'))
    const rest = new Block(block.firstSeq, block.span)
    for (const { seq, bytes, record } of kept) {
      rest.add(seq, bytes)
      if (record?.settled === true) rest.settle(seq, record.mark, bytes)
    }
    rest.hasReferences = block.hasReferences
    if (!rest.isBare && rest.liveCount > 0) {
      rest.dataBytes = block.dataBytes
      rest.inside = block.inside
    }
    return { why, block, lost: Math.max(lost, 1), rest }
  }

  private isWhole({ record, bodyId }: StoredEntry, failed: (error: unknown) => void): boolean {
    if (record === undefined) return false
    if (bodyId === 0) return true
    this.referred.add(bodyId)
    if (this.bodies.has(bodyId)) return true
    failed(new Error('its message is missing'))
    return false
  }
}

function dataKeyOf(key: Buffer): Buffer {
  return blockDataKey(numberOfKey(key), entrySeq(key))
}
