import type { ChangeSink } from './batch.ts'
import { Block, BLOCK_SPAN_MAX } from './block.ts'
import { referencesOf } from './block-data.ts'
import type { Bodies } from './bodies.ts'
import { decodeHead, type HeadRecord } from './fifo-head.ts'
import {
  blockDataKey,
  blockKey,
  bodyKey,
  entrySeq,
  KIND_BODY,
  KIND_HEAD,
  keyAfter,
  kindKey,
  numberOfKey,
} from './keys.ts'

/** What the start found of one FIFO. All of it is still on disk only. */
export interface RecoveredFifo {
  readonly head: HeadRecord
  readonly count: number
  readonly bytes: number
  /** Of the first and the last entry; 0 when there is none. */
  readonly firstSeq: number
  readonly lastSeq: number
}

/** The part of a store that recovery reads. */
export interface Scanner {
  scan(from: Buffer, to: Buffer, limit: number): Promise<[key: Buffer, value: Buffer][]>
  scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]>
  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]>
}

const PAGE = 10_000
// Data of blocks at once: 32 KiB each.
const PAGE_DATA = 64
// More FIFOs at once would only queue up for the threads that read.
const CONCURRENT = 8

/**
 * Reads the heads, then the blocks of each FIFO from its head on: number and size of the entries, and how many refer to
 * each shared body. Data is read only where there are references, so that a million messages are counted at once.
 */
export async function recoverFifos(store: Scanner, bodies: Bodies): Promise<Map<number, RecoveredFifo>> {
  const found = new Map<number, RecoveredFifo>()
  let from = kindKey(KIND_HEAD)
  const to = kindKey(KIND_HEAD + 1)
  for (;;) {
    const heads = await store.scan(from, to, PAGE)
    const last = heads.at(-1)
    if (last === undefined) return found
    const left = heads.values()
    const walk = async (): Promise<void> => {
      for (const [key, value] of left) {
        const fifoId = numberOfKey(key)
        found.set(fifoId, await countEntries(store, fifoId, decodeHead(value), bodies))
      }
    }
    await Promise.all(Array.from({ length: CONCURRENT }, walk))
    from = keyAfter(last[0])
  }
}

async function countEntries(store: Scanner, fifoId: number, head: HeadRecord, bodies: Bodies): Promise<RecoveredFifo> {
  let count = 0
  let bytes = 0
  let firstSeq = 0
  let lastSeq = 0
  for await (const blocks of blockPages(store, fifoId, head.headSeq)) {
    for (const block of blocks) {
      lastSeq = block.lastSeq
      if (count === 0) firstSeq = block.liveSeqs()[0] ?? block.firstSeq
      count += block.liveCount
      bytes += block.liveBytes
    }
    for (const bodyId of await bodiesOf(store, fifoId, blocks)) bodies.recovered(bodyId)
  }
  return { head, count, bytes, firstSeq, lastSeq }
}

/** The blocks of a FIFO from the one on that may have `fromSeq`. */
export async function* blockPages(store: Scanner, fifoId: number, fromSeq: number): AsyncGenerator<Block[]> {
  let from = blockKey(fifoId, Math.max(fromSeq - BLOCK_SPAN_MAX + 1, 0))
  const to = blockKey(fifoId + 1, 0)
  for (;;) {
    const rows = await store.scan(from, to, PAGE)
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.map(([key, value]) => Block.decode(entrySeq(key), value))
    from = keyAfter(last[0])
  }
}

/** The bodies to which live entries of these blocks refer, as often as they do. */
export async function bodiesOf(store: Scanner, fifoId: number, blocks: readonly Block[]): Promise<number[]> {
  const referring = blocks.filter((block) => block.hasReferences && block.dataBytes > 0)
  const bodyIds: number[] = []
  for (let from = 0; from < referring.length; from += PAGE_DATA) {
    const page = referring.slice(from, from + PAGE_DATA)
    const apart = page.filter(({ inside }) => inside === undefined)
    const found = await store.getMany(apart.map(({ firstSeq }) => blockDataKey(fifoId, firstSeq)))
    for (const block of page) {
      const data = block.inside ?? found[apart.indexOf(block)]
      if (data !== undefined) bodyIds.push(...referencesOf(block, data))
    }
  }
  return bodyIds
}

/** Deletes bodies to which no entry refers; answers how many there were. */
export async function sweepBodies(store: Scanner, bodies: Bodies, changes: ChangeSink): Promise<number> {
  let swept = 0
  let from = kindKey(KIND_BODY)
  const to = kindKey(KIND_BODY + 1)
  for (;;) {
    const keys = await store.scanKeys(from, to, PAGE)
    for (const key of keys) {
      if (bodies.isReferenced(numberOfKey(key))) continue
      changes.del(bodyKey(numberOfKey(key)))
      swept++
    }
    const last = keys.at(-1)
    if (last === undefined) return swept
    from = keyAfter(last)
  }
}
