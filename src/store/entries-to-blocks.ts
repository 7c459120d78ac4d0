import { EMPTY, Message } from '../message/message.ts'
import type { Backend } from './backend.ts'
import { Batch } from './batch.ts'
import { packBlock } from './block-packing.ts'
import { decodeEntry } from './entry-record.ts'
import { FifoEntry } from './fifo-entry.ts'
import { KIND_ENTRY, keyAfter, kindKey, numberOfKey, readU48 } from './keys.ts'

const PAGE = 1_000
// Kind, FIFO u48, sequence number u48, body u48, size u32.
const KEY_BYTES = 23
const NO_MESSAGE = new Message('', EMPTY, 0, false)
const nothing = (): void => {}

/**
 * Format 1 has a record for each entry of a FIFO, format 2 blocks of them. What cannot be read is left out, as the older
 * version would have done; the backup has it. Each page is one batch, so that it goes on where it was interrupted.
 */
export async function entriesToBlocks(backend: Backend): Promise<void> {
  let from = kindKey(KIND_ENTRY)
  for (;;) {
    const rows = await backend.scan(from, kindKey(KIND_ENTRY + 1), PAGE)
    const last = rows.at(-1)
    if (last === undefined) return
    const batch = new Batch()
    for (const [fifoId, entries] of readEntries(rows)) {
      for (let at = 0; at < entries.length; ) at = packBlock(entries, at, fifoId, nothing, batch).next
    }
    for (const [key] of rows) batch.del(key)
    await new Promise<void>((resolve, reject) => {
      backend.write(batch, (error) => (error === undefined ? resolve() : reject(error)))
    })
    from = keyAfter(last[0])
  }
}

function readEntries(rows: readonly [key: Buffer, value: Buffer][]): Map<number, FifoEntry[]> {
  const found = new Map<number, FifoEntry[]>()
  for (const [key, value] of rows) {
    const entry = readEntry(key, value)
    if (entry === undefined) continue
    const fifoId = numberOfKey(key)
    const entries = found.get(fifoId)
    if (entries === undefined) found.set(fifoId, [entry])
    else entries.push(entry)
  }
  return found
}

function readEntry(key: Buffer, value: Buffer): FifoEntry | undefined {
  if (key.length !== KEY_BYTES) return undefined
  const bodyId = readU48(key, 13)
  try {
    const { mark, identifiers, settled, message } = decodeEntry(value)
    if (message === undefined && bodyId === 0 && !settled) return undefined
    const owner = { fifoId: numberOfKey(key) }
    const entry = new FifoEntry(owner, readU48(key, 7), message ?? NO_MESSAGE, mark, identifiers, key.readUInt32BE(19))
    entry.settled = settled
    entry.bodyId = bodyId
    return entry
  } catch {
    return undefined
  }
}
