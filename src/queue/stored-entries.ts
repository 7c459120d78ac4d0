import type { Message } from '../message/message.ts'
import { loadEntries } from '../store/fifo-load.ts'
import type { Store } from '../store/store.ts'

/** A message as it lies on disk. */
export interface WaitingEntry {
  readonly seq: number
  readonly message: Message
  readonly mark: number
  readonly identifiers: readonly number[]
}

const SEQ_MAX = 2 ** 47
const PAGE = 1_000
const PAGE_BYTES = 1024 * 1024

/** What is committed of a FIFO, from a number on, in pages; what is handed out is among it. Nothing changes by it. */
export async function* storedEntries(store: Store, fifoId: number, fromSeq = 0): AsyncGenerator<WaitingEntry> {
  for (let from = fromSeq; ; ) {
    const rows = await loadEntries(store, fifoId, from, SEQ_MAX, PAGE, PAGE_BYTES)
    for (const { seq, message, record } of rows) {
      from = seq + 1
      if (message !== undefined && record !== undefined) {
        yield { seq, message, mark: record.mark, identifiers: record.identifiers }
      }
    }
    if (rows.length === 0) return
  }
}
