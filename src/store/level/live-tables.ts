import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { damagedRecords, logRecords } from './log-file.ts'
import { Varints } from './varints.ts'

/** What a LevelDB database consists of, as its MANIFEST says. */
export interface DatabaseVersion {
  /**
   * Bytes of each table by its number. Others are what an interrupted compaction has left, half written or done with:
   * LevelDB deletes them when it opens the folder.
   */
  readonly tables: ReadonlyMap<number, number>
  /** The first log whose changes are not in tables; 0: there has been none. */
  readonly logNumber: number
  readonly previousLogNumber: number
}

/** A file without which nothing else of the database is found. */
export interface VersionDamage {
  readonly file: string
  readonly what: string
}

export const TABLE_PATTERN = /\.(ldb|sst)$/
export const LOG_PATTERN = /\.log$/

// Tags of a version edit (leveldb, db/version_edit.cc); each is followed by what it stands for.
const COMPARATOR = 1
const LOG_NUMBER = 2
const NEXT_FILE = 3
const LAST_SEQUENCE = 4
const COMPACT_POINTER = 5
const DELETED_FILE = 6
const NEW_FILE = 7
const PREVIOUS_LOG = 9

/** `names`: what is in the folder. */
export async function readVersion(folder: string, names: readonly string[]): Promise<DatabaseVersion | VersionDamage> {
  const missing = 'is missing, so that nothing of the database is found'
  let file = 'CURRENT'
  try {
    if (!names.includes(file)) return { file, what: missing }
    const manifest = /^(MANIFEST-\d+)\n$/.exec(await readFile(join(folder, file), 'latin1'))?.[1]
    if (manifest === undefined) return { file, what: 'does not name a MANIFEST' }
    file = manifest
    if (!names.includes(file)) return { file, what: missing }
    const bytes = await readFile(join(folder, file))
    const damaged = damagedRecords(bytes)
    if (damaged.length > 0) return { file, what: `damaged records (at byte ${damaged.join(', ')})` }
    const version = new VersionReader()
    for (const edit of logRecords(bytes)) version.apply(edit)
    // LevelDB writes all three before CURRENT names the file.
    return version.isComplete ? version : { file, what: 'its end is missing' }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (!(error instanceof RangeError) && code !== 'EIO' && code !== 'ENOENT') throw error
    return { file, what: `cannot be read: ${(error as Error).message}` }
  }
}

/** Tables and logs that the MANIFEST names and that are not there. */
export function missingFiles(names: readonly string[], { tables, logNumber }: DatabaseVersion): string[] {
  const there = new Set(names.filter((name) => TABLE_PATTERN.test(name)).map(numberOfFile))
  const missing = [...tables.keys()].filter((number) => !there.has(number)).map((number) => fileOf(number, 'ldb'))
  // A log is made before the MANIFEST names it, and deleted only after that names a later one.
  if (logNumber !== 0 && !names.some((name) => LOG_PATTERN.test(name) && numberOfFile(name) === logNumber)) {
    missing.push(fileOf(logNumber, 'log'))
  }
  return missing.sort()
}

/**
 * Numbers of the tables that may hold something; undefined: that cannot be read. Where a file is missing these are all
 * there are too, as the end of the MANIFEST may be lost.
 */
export async function liveTables(folder: string): Promise<Set<number> | undefined> {
  const names = await readdir(folder)
  const version = await readVersion(folder, names)
  if ('file' in version) return undefined
  const live = new Set(version.tables.keys())
  if (missingFiles(names, version).length === 0) return live
  for (const name of names) if (TABLE_PATTERN.test(name)) live.add(numberOfFile(name))
  return live
}

export function numberOfFile(name: string): number {
  return Number.parseInt(name, 10) || 0
}

function fileOf(number: number, extension: string): string {
  return `${String(number).padStart(6, '0')}.${extension}`
}

class VersionReader implements DatabaseVersion {
  readonly tables = new Map<number, number>()
  previousLogNumber = 0
  private readonly numbers = new Map<number, number>()

  get logNumber(): number {
    return this.numbers.get(LOG_NUMBER) ?? 0
  }

  get isComplete(): boolean {
    return [LOG_NUMBER, NEXT_FILE, LAST_SEQUENCE].every((tag) => this.numbers.has(tag))
  }

  /** Throws RangeError where the edit cannot be read. */
  apply(edit: Buffer): void {
    const read = new Varints(edit, 0)
    const skipText = (): void => {
      const length = read.next()
      read.at += length
    }
    while (read.at < edit.length) {
      const tag = read.next()
      switch (tag) {
        case COMPARATOR:
          skipText()
          break
        case LOG_NUMBER:
        case NEXT_FILE:
        case LAST_SEQUENCE:
          this.numbers.set(tag, read.next())
          break
        case PREVIOUS_LOG:
          this.previousLogNumber = read.next()
          break
        case COMPACT_POINTER:
          read.next()
          skipText()
          break
        case DELETED_FILE:
          read.next()
          this.tables.delete(read.next())
          break
        case NEW_FILE: {
          read.next()
          const number = read.next()
          this.tables.set(number, read.next())
          skipText()
          skipText()
          break
        }
        default:
          throw new RangeError(`a version edit has the unknown tag ${tag}`)
      }
    }
  }
}
