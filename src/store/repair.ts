import { accountFor, type RecordKinds } from './account.ts'
import { emptyReport, fileDamage, innermostMessage, note, noteDamage, noteFiles, type StoreReport } from './check.ts'
import type { Block } from './block.ts'
import { encodeHead, SENT_UNKNOWN } from './fifo-head.ts'
import type { FileDamage } from './level/folder-damage.ts'
import { FolderView } from './level/folder-view.ts'
import { NewStore } from './level/new-store.ts'
import { explain } from './level/folder-errors.ts'
import { databaseOf } from './level/open-folder.ts'
import { blockKey, entrySeq, headKey, numberOfKey, readU48, writeU48 } from './keys.ts'
import { KIND_BLOCK, KIND_BLOCK_DATA, KIND_BODY, KIND_HEAD } from './keys.ts'
import { NumberSource } from './number-source.ts'

// Numbers that were given and whose records are lost must not be given again.
const NUMBERS_SPARED = 1 << 20

/**
 * Saves what can be read of a store into a new folder and reports the rest. The original is not changed. Throws a
 * SluiceError when a broker has the store, or the new folder is not empty.
 */
export async function repairFolder(path: string, to: string, kinds: RecordKinds): Promise<StoreReport> {
  const report = emptyReport()
  const database = await databaseOf(path)
  const files = await fileDamage(path, database)
  noteFiles(report, files)
  const view = await openView(path, database, files, report)
  try {
    const store = await NewStore.create(to)
    try {
      await save(view, store, kinds, report)
    } catch (error) {
      await store.abandon()
      throw error
    }
    await store.finish()
  } finally {
    await view.close()
  }
  return report
}

/** As the database lists its tables where nothing is damaged, else from the tables alone. */
async function openView(
  path: string,
  database: string,
  files: readonly FileDamage[],
  report: StoreReport,
): Promise<FolderView> {
  if (files.length === 0) {
    try {
      return await FolderView.open(database, files, false)
    } catch (error) {
      const explained = explain(path, error)
      if (explained.code === 'STORE_LOCKED') throw explained
      noteDamage(report, `database: it cannot be opened: ${innermostMessage(error)}`)
    }
  }
  try {
    return await FolderView.open(database, files, true)
  } catch (error) {
    throw explain(path, error)
  }
}

interface Span {
  first: number
  last: number
}

const NUMBERED: ReadonlySet<number | undefined> = new Set([KIND_HEAD, KIND_BODY, KIND_BLOCK, KIND_BLOCK_DATA])

async function save(view: FolderView, store: NewStore, kinds: RecordKinds, report: StoreReport): Promise<void> {
  const spans = new Map<number, Span>()
  let highest = 0
  let reserved = 0
  await accountFor(view.backend, kinds, async (key, value, verdict) => {
    note(report, key, verdict)
    if (NUMBERED.has(key[0])) highest = Math.max(highest, numberOfKey(key))
    const { headless, saved } = verdict
    if (headless !== undefined) widen(spans, headless, saved, entrySeq(key))
    if (saved !== undefined) {
      await store.put(blockKey(numberOfKey(key), entrySeq(key)), saved.encode())
      if (key[0] === KIND_BLOCK_DATA) await store.put(key, value)
      return
    }
    if (verdict.state === 'damaged') return
    if (key.equals(NumberSource.key)) reserved = readU48(value, 0)
    else await store.put(key, value)
  })
  for (const [fifo, { first, last }] of spans) {
    const head = { headSeq: first, reservedSeq: last + NUMBERS_SPARED, sentBelow: SENT_UNKNOWN, doomed: false }
    await store.put(headKey(fifo), encodeHead(head))
    noteDamage(report, `queues: the head of queue ${fifo} was made again, and its messages are saved`)
  }
  const next = Buffer.alloc(6)
  writeU48(next, reserved > highest ? reserved : highest + NUMBERS_SPARED, 0)
  await store.put(NumberSource.key, next)
}

/** The head that is missing has to cover these entries. */
function widen(spans: Map<number, Span>, fifo: number, block: Block | undefined, firstSeq: number): void {
  const lastSeq = block?.lastSeq ?? firstSeq
  const span = spans.get(fifo)
  if (span === undefined) spans.set(fifo, { first: firstSeq, last: lastSeq })
  else span.last = Math.max(span.last, lastSeq)
}
