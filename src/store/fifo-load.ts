import type { Message } from '../message/message.ts'
import { Block, BLOCK_SPAN_MAX } from './block.ts'
import { decodeData, type StoredEntry } from './block-data.ts'
import { blockDataKey, blockKey, bodyKey, entrySeq, keyAfter } from './keys.ts'
import { decodeMessage } from './message-record.ts'
import type { Store } from './store.ts'

interface ReadBlock {
  readonly key: Buffer
  readonly block: Block
  /** Undefined: it is missing. */
  data: Buffer | undefined
}

// What a page of the smallest blocks costs is about what reading one large block does.
const PAGE_BLOCKS = 64

/**
 * Reads whole blocks of a FIFO, with fromSeq <= seq <= toSeq, until they have `limit` entries or `bytesMax` bytes, and
 * the bodies they refer to; none: there are no more.
 */
export async function loadEntries(
  store: Store,
  fifoId: number,
  fromSeq: number,
  toSeq: number,
  limit: number,
  bytesMax: number,
): Promise<StoredEntry[]> {
  // The block that has `fromSeq` begins at most so far in front of it.
  let from = blockKey(fifoId, Math.max(fromSeq - BLOCK_SPAN_MAX + 1, 0))
  const to = blockKey(fifoId, toSeq + 1)
  for (;;) {
    const rows = await store.scan(from, to, PAGE_BLOCKS, bytesMax)
    const last = rows.at(-1)
    if (last === undefined) return []
    const blocks = choose(store, fifoId, rows, fromSeq, limit, bytesMax)
    from = keyAfter(blocks.at(-1)?.key ?? last[0])
    await readData(store, fifoId, blocks)
    const entries = decode(store, fifoId, blocks, fromSeq, toSeq)
    if (entries.length === 0) continue
    await readBodies(store, entries)
    return entries
  }
}

function choose(
  store: Store,
  fifoId: number,
  rows: readonly [key: Buffer, value: Buffer][],
  fromSeq: number,
  limit: number,
  bytesMax: number,
): ReadBlock[] {
  const blocks: ReadBlock[] = []
  let count = 0
  let bytes = 0
  for (const [key, value] of rows) {
    if (count >= limit || bytes >= bytesMax) break
    let block: Block
    try {
      block = Block.decode(entrySeq(key), value)
    } catch (error) {
      store.log.error({ fifoId, key: key.toString('hex'), err: error }, 'queued messages cannot be read: left out')
      continue
    }
    if (block.lastSeq < fromSeq) continue
    blocks.push({ key, block, data: block.inside })
    count += block.liveCount
    bytes += block.dataBytes
  }
  return blocks
}

async function readData(store: Store, fifoId: number, blocks: readonly ReadBlock[]): Promise<void> {
  const apart = blocks.filter(({ block }) => block.dataBytes > 0 && block.inside === undefined)
  if (apart.length === 0) return
  const found = await store.getMany(apart.map(({ block }) => blockDataKey(fifoId, block.firstSeq)))
  for (const [i, read] of apart.entries()) read.data = found[i]
}

function decode(
  store: Store,
  fifoId: number,
  blocks: readonly ReadBlock[],
  fromSeq: number,
  toSeq: number,
): StoredEntry[] {
  const entries: StoredEntry[] = []
  for (const { block, data } of blocks) {
    const failed = (error: unknown): void =>
      store.log.error({ fifoId, block: block.firstSeq, err: error }, 'a queued message cannot be read: left out')
    for (const entry of decodeData(block, data, fromSeq, failed)) if (entry.seq <= toSeq) entries.push(entry)
  }
  return entries
}

async function readBodies(store: Store, entries: readonly StoredEntry[]): Promise<void> {
  if (entries.every(({ bodyId }) => bodyId === 0)) return
  const bodies = await loadBodies(store, entries)
  for (const entry of entries) {
    if (entry.bodyId === 0 || entry.record === undefined) continue
    entry.message = bodies.get(entry.bodyId)
    if (entry.message !== undefined) continue
    store.log.error({ seq: entry.seq, bodyId: entry.bodyId }, 'a queued message has lost its body: left out')
    entry.record = undefined
  }
}

async function loadBodies(store: Store, entries: readonly StoredEntry[]): Promise<Map<number, Message>> {
  const found = new Map<number, Message>()
  const missing = new Set<number>()
  for (const { bodyId } of entries) {
    if (bodyId === 0 || found.has(bodyId)) continue
    const message = store.bodies.find(bodyId)
    if (message === undefined) missing.add(bodyId)
    else found.set(bodyId, message)
  }
  if (missing.size === 0) return found
  const bodyIds = [...missing]
  const values = await store.getMany(bodyIds.map(bodyKey))
  for (const [i, bodyId] of bodyIds.entries()) {
    const value = values[i]
    if (value === undefined) continue
    try {
      found.set(bodyId, decodeMessage(value))
    } catch (error) {
      store.log.error({ bodyId, err: error }, 'a stored message cannot be read')
    }
  }
  return found
}
