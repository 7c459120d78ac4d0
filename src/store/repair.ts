import { access, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SluiceError } from '../base/errors.ts'
import { accountFor, type RecordKinds } from './account.ts'
import type { Backend } from './backend.ts'
import { BLOCK_SPAN_MAX } from './block.ts'
import { checkFolder, emptyReport, fileDamage, innermostMessage } from './check.ts'
import { noteDamage, noteFiles, type StoreReport } from './check.ts'
import { decodeHead, encodeHead, SENT_UNKNOWN } from './fifo-head.ts'
import { nameOfRecord } from './key-names.ts'
import { blockKey, entrySeq, headKey, NUMBER_KEY_BYTES, numberOfKey, readU48, writeU48 } from './keys.ts'
import { KIND_BLOCK, KIND_BLOCK_DATA, KIND_BODY, KIND_ENTRY, KIND_HEAD, kindKey } from './keys.ts'
import type { FileDamage } from './level/folder-damage.ts'
import { explain, isOfDisk } from './level/folder-errors.ts'
import { FolderView } from './level/folder-view.ts'
import { DATABASE_FOLDER, FORMAT_FILE, FORMAT_VERSION } from './level/format-file.ts'
import { NewStore, targetFailed } from './level/new-store.ts'
import { databaseOf } from './level/open-folder.ts'
import { Salvage } from './level/salvage.ts'
import { describeLosses, lostBlocks } from './losses.ts'
import { NumberSource } from './number-source.ts'
import type { Verdict } from './verdict.ts'

// Numbers that were given and whose records are lost must not be given again.
const NUMBERS_SPARED = 1 << 20
const MESSAGES = 'queued messages'
const NAMES_MAX = 8

/**
 * Saves what can be read of a store into a new folder and reports the rest. The original is not changed. In the report
 * `good` and `leftover` are in the new folder, and `damaged` is not. Throws a SluiceError when a broker has the store,
 * or the new folder is not empty or cannot be written to; then nothing of it is left.
 */
export async function repairFolder(path: string, to: string, kinds: RecordKinds): Promise<StoreReport> {
  const report = emptyReport()
  const { database, isFormatKnown } = await findDatabase(path, report)
  const files = await fileDamage(path, database)
  noteFiles(report, files)
  if (files.some(({ file }) => file === '')) {
    throw new SluiceError('STORE_DAMAGED', `${database} is missing, so that nothing can be saved; restore a backup`)
  }
  const store = await NewStore.create(to)
  try {
    const source = await openSource(path, database, store, files, kinds, report)
    try {
      if (!isFormatKnown) await checkRecords(path, source.backend, kinds)
      await new Rescue(source, store, kinds, report).run()
    } catch (error) {
      throw isOfDisk(error) ? explain(path, error) : error
    } finally {
      await source.close()
    }
    await store.finish()
  } catch (error) {
    await store.abandon()
    throw error
  }
  await countSaved(report, to, kinds)
  return report
}

/** A store whose FORMAT is damaged is read as one of the present format. */
async function findDatabase(path: string, report: StoreReport): Promise<{ database: string; isFormatKnown: boolean }> {
  try {
    return { database: await databaseOf(path), isFormatKnown: true }
  } catch (error) {
    const database = join(resolve(path), DATABASE_FOLDER)
    const isDamaged =
      error instanceof SluiceError && (error.code === 'STORE_FOREIGN_FOLDER' || error.code === 'STORE_DAMAGED')
    if (!isDamaged || !(await isDatabase(database))) throw error
    const isThere = await access(join(resolve(path), FORMAT_FILE)).then(
      () => true,
      () => false,
    )
    const what = isThere ? 'does not name a store format' : 'is missing'
    noteDamage(report, `file ${FORMAT_FILE}: ${what}; everything was read as format ${FORMAT_VERSION}`)
    return { database, isFormatKnown: false }
  }
}

async function isDatabase(folder: string): Promise<boolean> {
  const names: string[] = await readdir(folder).catch(() => [])
  return names.some((name) => name === 'CURRENT' || /^MANIFEST-|\.(ldb|sst|log)$/.test(name))
}

/** Throws a SluiceError unless these are records of the present format. */
async function checkRecords(path: string, backend: Backend, kinds: RecordKinds): Promise<void> {
  const [older] = await backend.scanKeys(kindKey(KIND_ENTRY), kindKey(KIND_ENTRY + 1), 1)
  if (older !== undefined) {
    throw new SluiceError(
      'STORE_OLDER_VERSION',
      `${path} has records of format 1, and its ${FORMAT_FILE} is missing or damaged; write 'sluice store 1' into that ` +
        'file of a copy, and start the broker once on the copy, which migrates it',
    )
  }
  let known = 0
  let others = 0
  await accountFor(backend, kinds, (_key, _value, { state }) => void (state === 'damaged' ? others++ : known++))
  if (known > 0 || others === 0) return
  throw new SluiceError('STORE_FOREIGN_FOLDER', `${path} holds no Sluice store: no record in its database can be read`)
}

interface Source {
  readonly backend: Backend
  /** Of damaged files, where there are some. */
  readonly lost?: Awaited<ReturnType<typeof lostBlocks>>
  readonly isDamaged: boolean
  close(): Promise<void>
}

/** As the database lists its tables where nothing is damaged, else from what can be read of the files. */
async function openSource(
  path: string,
  database: string,
  store: NewStore,
  files: readonly FileDamage[],
  kinds: RecordKinds,
  report: StoreReport,
): Promise<Source> {
  if (files.length === 0) {
    try {
      const view = await FolderView.open(database)
      return { backend: view.backend, isDamaged: false, close: () => view.close() }
    } catch (error) {
      const explained = explain(path, error)
      if (explained.code !== 'STORE_DAMAGED') throw explained
      noteDamage(report, `database: it cannot be opened: ${innermostMessage(error)}`)
    }
  }
  try {
    const damaged = new Set(files.map(({ file }) => file))
    const salvage = await Salvage.open(database, join(store.folder, 'salvage'), damaged)
    for (const line of describeLosses(salvage.losses, kinds)) noteDamage(report, line)
    const lost = await lostBlocks(salvage.losses, salvage.backend)
    return { backend: salvage.backend, lost, isDamaged: true, close: () => salvage.close() }
  } catch (error) {
    const explained = explain(path, error)
    throw explained.code === 'STORE_NOT_WRITABLE' ? targetFailed(store.folder, error) : explained
  }
}

/** What the heads of a FIFO have to cover. */
interface Span {
  first: number
  last: number
  messages: number
}

/** Copies what is good, and counts what is lost. */
class Rescue {
  private readonly source: Source
  private readonly store: NewStore
  private readonly kinds: RecordKinds
  private readonly report: StoreReport
  /** Blocks by their FIFO: of one whose head is lost, and of each where files are damaged. */
  private readonly headless = new Map<number, Span>()
  private readonly spans = new Map<number, number>()
  private readonly heads = new Map<number, Buffer>()
  /** Messages of FIFOs whose owner is not there. */
  private readonly ownerless = new Map<number, number>()
  private readonly dropped = new Set<number>()
  private records = 0
  private highest = 0
  private reserved = 0

  constructor(source: Source, store: NewStore, kinds: RecordKinds, report: StoreReport) {
    this.source = source
    this.store = store
    this.kinds = kinds
    this.report = report
  }

  async run(): Promise<void> {
    await accountFor(this.source.backend, this.kinds, (key, value, verdict) => this.take(key, value, verdict))
    await this.writeHeads()
    if (this.records === 0 && this.report.damageCount > 0) {
      const [first] = this.report.damage
      throw new SluiceError('STORE_DAMAGED', `nothing of the store can be saved (${first}); restore a backup`)
    }
    this.tellLost()
    const { highest, reserved } = this
    const next = Buffer.alloc(6)
    // Where files are damaged, an older record may have come to light.
    const isCertain = reserved > highest && !this.source.isDamaged
    writeU48(next, isCertain ? reserved : Math.max(reserved, highest) + NUMBERS_SPARED, 0)
    await this.store.put(NumberSource.key, next)
  }

  private async take(key: Buffer, value: Buffer, verdict: Verdict): Promise<void> {
    this.records++
    const kind = key[0]
    const isNumbered = kind === KIND_HEAD || kind === KIND_BODY || kind === KIND_BLOCK || kind === KIND_BLOCK_DATA
    if (isNumbered && key.length >= NUMBER_KEY_BYTES) this.highest = Math.max(this.highest, numberOfKey(key))
    if (verdict.ownerless !== undefined) return this.dropOwnerless(verdict.ownerless, verdict)
    if (verdict.state === 'damaged') this.noteDamaged(key, verdict)
    if (kind === KIND_BLOCK || kind === KIND_BLOCK_DATA) return this.takeBlock(key, value, verdict)
    if (verdict.state === 'damaged') return
    if (kind === KIND_HEAD) {
      if (verdict.state === 'good') this.heads.set(numberOfKey(key), value)
    } else if (key.equals(NumberSource.key)) this.reserved = readU48(value, 0)
    else await this.store.put(key, value)
  }

  private async takeBlock(key: Buffer, value: Buffer, { state, headless, saved }: Verdict): Promise<void> {
    if (state === 'damaged' && saved === undefined) return
    const [fifo, seq] = [numberOfKey(key), entrySeq(key)]
    if (state === 'leftover') this.dropped.add(fifo)
    if (this.dropped.has(fifo)) return
    this.spans.set(fifo, Math.max(this.spans.get(fifo) ?? 0, seq + BLOCK_SPAN_MAX))
    if (headless !== undefined && saved !== undefined) this.widen(headless, seq, saved.lastSeq, saved.liveCount)
    if (saved !== undefined) await this.store.put(blockKey(fifo, seq), saved.encode())
    if (saved === undefined || key[0] === KIND_BLOCK_DATA) await this.store.put(key, value)
  }

  private noteDamaged(key: Buffer, { kind, why, count, goodCount, headless, saved }: Verdict): void {
    // Its messages are saved, and it is told once for the queue.
    if (headless !== undefined && goodCount === undefined && key[0] === KIND_BLOCK) return
    if (saved === undefined || goodCount !== undefined) this.countLost(kind, count ?? 1)
    const lost = goodCount === undefined ? '' : `${count} lost, ${goodCount} saved: `
    noteDamage(this.report, `${nameOfRecord(key, this.kinds)}: ${lost}${why}`)
  }

  private countLost(kind: string, count: number): void {
    const counts = this.report.kinds.get(kind) ?? { good: 0, leftover: 0, damaged: 0 }
    counts.damaged += count
    this.report.kinds.set(kind, counts)
  }

  private dropOwnerless(fifo: number, { count, goodCount }: Verdict): void {
    this.dropped.add(fifo)
    this.ownerless.set(fifo, (this.ownerless.get(fifo) ?? 0) + (count ?? 1) + (goodCount ?? 0))
  }

  /** The head that is missing has to cover these entries. */
  private widen(fifo: number, firstSeq: number, lastSeq: number, messages: number): void {
    const span = this.headless.get(fifo) ?? { first: firstSeq, last: lastSeq, messages: 0 }
    span.last = Math.max(span.last, lastSeq)
    span.messages += messages
    this.headless.set(fifo, span)
  }

  private async writeHeads(): Promise<void> {
    for (const [fifo, value] of this.heads) {
      if (this.dropped.has(fifo)) continue
      await this.store.put(headKey(fifo), this.source.isDamaged ? this.cautiousHead(fifo, value) : value)
    }
    for (const [fifo, { first, last, messages }] of this.headless) {
      const head = { headSeq: first, reservedSeq: last + NUMBERS_SPARED, sentBelow: SENT_UNKNOWN, doomed: false }
      await this.store.put(headKey(fifo), encodeHead(head))
      noteDamage(
        this.report,
        `queues: the head of queue ${fifo} was made again, and its messages are saved: ${messages}`,
      )
    }
  }

  /** The last record of a head may be lost, and an older one says less. */
  private cautiousHead(fifo: number, value: Buffer): Buffer {
    const head = decodeHead(value)
    const reservedSeq = Math.max(head.reservedSeq, this.spans.get(fifo) ?? 0) + NUMBERS_SPARED
    return encodeHead({ ...head, reservedSeq, sentBelow: SENT_UNKNOWN })
  }

  private tellLost(): void {
    for (const { fifo, block } of this.source.lost ?? []) {
      this.countLost(MESSAGES, block.liveCount)
      const numbers = `from number ${block.firstSeq} to ${block.lastSeq}`
      noteDamage(this.report, `${MESSAGES}: as it seems, ${block.liveCount} of queue ${fifo} (${numbers}) are lost`)
    }
    // A crash can leave these; only where something is damaged are they a loss.
    if (this.report.damageCount === 0) return
    const messages = [...this.ownerless.values()].reduce((sum, each) => sum + each, 0)
    if (messages === 0) return
    this.countLost(MESSAGES, messages)
    const fifos = [...this.ownerless.keys()]
    const more = fifos.length > NAMES_MAX ? `, and ${fifos.length - NAMES_MAX} more` : ''
    noteDamage(
      this.report,
      `${MESSAGES}: ${messages} are lost with the session, shared subscription or queue that they waited for ` +
        `(of queue ${fifos.slice(0, NAMES_MAX).join(', ')}${more})`,
    )
  }
}

/** What is there is counted where it is. */
async function countSaved(report: StoreReport, to: string, kinds: RecordKinds): Promise<void> {
  const lost = new Map(report.kinds)
  const saved = await checkFolder(to, kinds)
  report.kinds.clear()
  for (const [kind, { good, leftover }] of saved.kinds) {
    report.kinds.set(kind, { good, leftover, damaged: lost.get(kind)?.damaged ?? 0 })
  }
  for (const [kind, counts] of lost) if (!report.kinds.has(kind)) report.kinds.set(kind, counts)
  for (const line of saved.damage) noteDamage(report, `in the new folder: ${line}`)
}
