import { EMPTY } from '../message/message.ts'
import type { ChangeSink } from './batch.ts'
import { Block, BLOCK_SPAN_MAX } from './block.ts'
import { DATA_HEADER_BYTES, encodeData, entryDataBytes } from './block-data.ts'
import type { FifoEntry } from './fifo-entry.ts'
import { blockDataKey, blockKey } from './keys.ts'

// Large enough that what a record costs is shared by many entries, small enough that a few of them pin little.
const DATA_BYTES_MAX = 32 * 1024
// A lone entry of at most this size is one record, not two.
const INSIDE_BYTES_MAX = 1024

/**
 * Puts the entries from `from` on, ascending by number, into one block, as many as it holds, and that into the batch;
 * answers where the next one begins. What is gone is left out. `prepare` is called before an entry's size is looked at.
 */
export function packBlock(
  entries: readonly FifoEntry[],
  from: number,
  fifoId: number,
  prepare: (entry: FifoEntry) => void,
  batch: ChangeSink,
): { readonly block: Block | undefined; readonly next: number } {
  let first = from
  while (entries[first]?.gone === true) first++
  const start = entries[first]
  if (start === undefined) return { block: undefined, next: first }
  let bytes = DATA_HEADER_BYTES
  let { seq: lastSeq } = start
  let next = first
  for (; next < entries.length; next++) {
    const entry = entries[next] as FifoEntry
    if (entry.gone) continue
    if (entry.seq - start.seq >= BLOCK_SPAN_MAX) break
    if (!entry.settled) {
      prepare(entry)
      const more = entryDataBytes(entry)
      if (next > first && bytes + more > DATA_BYTES_MAX) break
      bytes += more
    }
    lastSeq = entry.seq
  }
  const block = new Block(start.seq, lastSeq - start.seq + 1)
  for (let i = first; i < next; i++) place(entries[i] as FifoEntry, block)
  put(block, fifoId, bytes === DATA_HEADER_BYTES ? undefined : encodeData(entries, first, next, bytes, block), batch)
  return { block, next }
}

function place(entry: FifoEntry, block: Block): void {
  if (entry.gone) return
  block.add(entry.seq, entry.bytes)
  if (entry.settled) block.settle(entry.seq, entry.mark, entry.bytes)
  if (entry.bodyId !== 0) block.hasReferences = true
  entry.block = block
  block.residents++
}

function put(block: Block, fifoId: number, data: Buffer | undefined, batch: ChangeSink): void {
  block.dataBytes = data?.length ?? 0
  if (data !== undefined && block.liveCount === 1 && data.length <= INSIDE_BYTES_MAX) block.inside = data
  else if (data !== undefined) batch.put(blockDataKey(fifoId, block.firstSeq), data)
  batch.put(blockKey(fifoId, block.firstSeq), block.encode())
  // It is written again only when the entry is settled, and then without.
  if (block.inside !== undefined) block.inside = EMPTY
}
