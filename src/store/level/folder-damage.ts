import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type DatabaseVersion,
  LOG_PATTERN,
  missingFiles,
  numberOfFile,
  readVersion,
  TABLE_PATTERN,
} from './live-tables.ts'
import { damagedRecords, hasRecord } from './log-file.ts'
import { checkTable } from './table-file.ts'
import { damageOfIndex } from './table-index.ts'

export interface FileDamage {
  /** Empty: the folder itself. */
  readonly file: string
  readonly what: string
}

// 4 GiB: beyond it, reading something of each table takes a slow disk longer than a start may.
const INDEXES_MAX = 4096
const LANES = 8

/** Compares every checksum in the files that belong to a LevelDB folder; changes nothing. */
export function findFileDamage(folder: string): Promise<FileDamage[]> {
  return findDamage(folder, true)
}

/**
 * What LevelDB would take for nothing when it opens the folder, and then delete: what is in logs and in tables that are
 * missing or cannot be read. Of tables only what finds the rest of them is read.
 */
export function findDamageOfStart(folder: string): Promise<FileDamage[]> {
  return findDamage(folder, false)
}

/** The files there are, and how large each is. */
export async function sizesIn(folder: string): Promise<string> {
  const names = (await namesIn(folder)) ?? []
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      ({ size }) => `${name} ${size}`,
      () => name,
    ),
  )
  return (await Promise.all(sizes)).join('\n')
}

async function findDamage(folder: string, readsAll: boolean): Promise<FileDamage[]> {
  const names = await namesIn(folder)
  if (names === undefined) return [damage('', 'is missing')]
  const version = await readVersion(folder, names)
  if ('file' in version) {
    const found = [damage(version.file, version.what)]
    if (!readsAll) return found
    // Whatever is there may be needed.
    found.push(
      ...(await damagedLogs(
        folder,
        names.filter((name) => LOG_PATTERN.test(name)),
      )),
    )
    found.push(
      ...(await damagedTables(
        folder,
        names.filter((name) => TABLE_PATTERN.test(name)),
      )),
    )
    return found
  }
  const found = missing(names, version)
  found.push(
    ...(await damagedLogs(
      folder,
      names.filter((name) => isLiveLog(name, version)),
    )),
  )
  const live = names.filter((name) => TABLE_PATTERN.test(name) && version.tables.has(numberOfFile(name)))
  found.push(...(readsAll ? await damagedTables(folder, live) : await damagedIndexes(folder, live, version)))
  return found
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return (await readdir(folder)).sort((a, b) => numberOfFile(a) - numberOfFile(b) || (a < b ? -1 : 1))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** What is not there, and then what else the MANIFEST does not know: its end may be lost. */
function missing(names: readonly string[], version: DatabaseVersion): FileDamage[] {
  const files = missingFiles(names, version)
  if (files.length === 0) return []
  const unknown = names.filter((name) => TABLE_PATTERN.test(name) && !version.tables.has(numberOfFile(name)))
  return [
    ...files.map((file) => damage(file, 'is missing')),
    ...unknown.map((file) => damage(file, 'is not known to the MANIFEST, of which the end may be missing')),
  ]
}

function isLiveLog(name: string, { logNumber, previousLogNumber }: DatabaseVersion): boolean {
  if (!LOG_PATTERN.test(name)) return false
  const number = numberOfFile(name)
  return number >= logNumber || number === previousLogNumber
}

/** In the order in which they were written: only the end of the last one can be torn. */
async function damagedLogs(folder: string, files: readonly string[]): Promise<FileDamage[]> {
  const found: FileDamage[] = []
  let isLast = true
  for (const file of files.toReversed()) {
    await examine(file, found, async () => {
      const bytes = await readFile(join(folder, file))
      const records = damagedRecords(bytes, isLast)
      if (records.length > 0) found.unshift(damage(file, `${count(records.length, 'damaged record', records)}`))
      if (hasRecord(bytes)) isLast = false
    })
  }
  return found
}

async function damagedTables(folder: string, files: readonly string[]): Promise<FileDamage[]> {
  const found: FileDamage[] = []
  for (const file of files) {
    await examine(file, found, async () => {
      const { unreadable, blocks } = checkTable(await readFile(join(folder, file)))
      if (unreadable !== undefined) found.push(damage(file, `cannot be read: ${unreadable}`))
      else if (blocks.length > 0) found.push(damage(file, count(blocks.length, 'damaged block', blocks)))
    })
  }
  return found
}

async function damagedIndexes(
  folder: string,
  files: readonly string[],
  { tables }: DatabaseVersion,
): Promise<FileDamage[]> {
  const found: FileDamage[] = []
  if (files.length > INDEXES_MAX) return found
  const left = files.values()
  const lane = async (): Promise<void> => {
    for (const file of left) {
      await examine(file, found, async () => {
        const what = await damageOfIndex(join(folder, file), tables.get(numberOfFile(file)) ?? 0)
        if (what !== undefined) found.push(damage(file, what))
      })
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return found.sort((a, b) => numberOfFile(a.file) - numberOfFile(b.file))
}

/** What the disk cannot read any more is damaged as well, and so is what has gone since the folder was listed. */
async function examine(file: string, found: FileDamage[], work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EIO' && code !== 'ENOENT') throw error
    found.push(damage(file, `cannot be read: ${(error as Error).message}`))
  }
}

function damage(file: string, what: string): FileDamage {
  return { file, what }
}

function count(number: number, noun: string, places: readonly number[]): string {
  return `${number} ${noun}${number === 1 ? '' : 's'} (at byte ${places.slice(0, 8).join(', ')})`
}
