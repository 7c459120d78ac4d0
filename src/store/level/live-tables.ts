import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { logRecords } from './log-file.ts'
import { Varints } from './varints.ts'

// Tags of a version edit (leveldb, db/version_edit.cc); each is followed by what it stands for.
const COMPARATOR = 1
const LOG_NUMBER = 2
const NEXT_FILE = 3
const LAST_SEQUENCE = 4
const COMPACT_POINTER = 5
const DELETED_FILE = 6
const NEW_FILE = 7
const PREVIOUS_LOG = 9

/**
 * Numbers of the tables that belong to a LevelDB folder; undefined: that cannot be read. Others are what an interrupted
 * compaction has left, half written or done with: LevelDB deletes them when it opens the folder.
 */
export async function liveTables(folder: string): Promise<Set<number> | undefined> {
  try {
    const current = (await readFile(join(folder, 'CURRENT'), 'utf8')).trim()
    const live = new Set<number>()
    for (const edit of logRecords(await readFile(join(folder, current)))) applyEdit(edit, live)
    return live
  } catch {
    // What is wrong with these files is told on its own.
    return undefined
  }
}

/** Throws RangeError where the edit cannot be read. */
function applyEdit(edit: Buffer, live: Set<number>): void {
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
      case PREVIOUS_LOG:
        read.next()
        break
      case COMPACT_POINTER:
        read.next()
        skipText()
        break
      case DELETED_FILE:
        read.next()
        live.delete(read.next())
        break
      case NEW_FILE:
        read.next()
        live.add(read.next())
        read.next()
        skipText()
        skipText()
        break
      default:
        throw new RangeError(`a version edit has the unknown tag ${tag}`)
    }
  }
}
