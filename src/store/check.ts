import { SluiceError } from '../base/errors.ts'
import { accountFor, type RecordKinds } from './account.ts'
import { nameOfKey } from './key-names.ts'
import { type FileDamage, findFileDamage } from './level/folder-damage.ts'
import { FolderView } from './level/folder-view.ts'
import { explain } from './level/folder-errors.ts'
import { databaseOf } from './level/open-folder.ts'
import type { Verdict } from './verdict.ts'

export interface KindCount {
  good: number
  /** A crash can leave these; the next start deletes them. */
  leftover: number
  damaged: number
}

/** What a store holds, and what of it is damaged. */
export interface StoreReport {
  readonly kinds: Map<string, KindCount>
  /** One line for each damaged file or record, up to DAMAGE_LINES. */
  readonly damage: string[]
  damageCount: number
}

const DAMAGE_LINES = 1_000

export function emptyReport(): StoreReport {
  return { kinds: new Map(), damage: [], damageCount: 0 }
}

export function noteDamage(report: StoreReport, line: string): void {
  report.damageCount++
  if (report.damage.length < DAMAGE_LINES) report.damage.push(line)
}

/** Counts a key, and names it where it is damaged. */
export function note(report: StoreReport, key: Buffer, verdict: Verdict): void {
  let count = report.kinds.get(verdict.kind)
  if (count === undefined) {
    count = { good: 0, leftover: 0, damaged: 0 }
    report.kinds.set(verdict.kind, count)
  }
  count[verdict.state] += verdict.count ?? 1
  count.good += verdict.goodCount ?? 0
  if (verdict.state === 'damaged') noteDamage(report, `${verdict.kind}: ${nameOfKey(key)}: ${verdict.why}`)
}

/**
 * Compares the checksums of all files and accounts for every key, without changing anything. Throws a SluiceError when
 * a broker has the store, or there is none.
 */
export async function checkFolder(path: string, kinds: RecordKinds): Promise<StoreReport> {
  const report = emptyReport()
  const database = await databaseOf(path)
  const files = await fileDamage(path, database)
  noteFiles(report, files)
  // LevelDB would make a new database.
  if (files.some(({ file }) => file === '' || file === 'CURRENT')) return report
  let view: FolderView
  try {
    view = await FolderView.open(database)
  } catch (error) {
    const explained = explain(path, error)
    if (error instanceof SluiceError || explained.code === 'STORE_LOCKED') throw explained
    noteDamage(report, `database: it cannot be opened: ${innermostMessage(error)}`)
    return report
  }
  try {
    await accountFor(view.backend, kinds, (key, _value, verdict) => note(report, key, verdict))
  } catch (error) {
    noteDamage(report, `database: it cannot be read to its end: ${innermostMessage(view.explain(error))}`)
  } finally {
    await view.close()
  }
  return report
}

export async function fileDamage(path: string, database: string): Promise<FileDamage[]> {
  try {
    return await findFileDamage(database)
  } catch (cause) {
    throw new SluiceError('STORE_NOT_READABLE', `${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

export function noteFiles(report: StoreReport, files: readonly FileDamage[]): void {
  for (const { file, what } of files) noteDamage(report, `${file === '' ? 'folder db' : `file db/${file}`}: ${what}`)
}

export function innermostMessage(error: unknown): string {
  if (error instanceof Error && error.cause !== undefined) return innermostMessage(error.cause)
  return error instanceof Error ? error.message : String(error)
}
