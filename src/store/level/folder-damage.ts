import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { liveTables } from './live-tables.ts'
import { damagedRecords } from './log-file.ts'
import { checkTable, type DamagedBlock } from './table-file.ts'

export interface FileDamage {
  readonly file: string
  readonly what: string
  /** Blocks of a table that is readable otherwise. */
  readonly blocks: readonly DamagedBlock[]
}

export const TABLE_PATTERN = /\.(ldb|sst)$/

/** Compares every checksum in the files that belong to a LevelDB folder; changes nothing. */
export async function findFileDamage(folder: string): Promise<FileDamage[]> {
  const found: FileDamage[] = []
  const names = (await readdir(folder)).sort()
  const hasData = names.some((name) => TABLE_PATTERN.test(name) || name.startsWith('MANIFEST-'))
  if (!names.includes('CURRENT') && hasData) {
    found.push({ file: 'CURRENT', what: 'is missing, so that nothing of the database is found', blocks: [] })
  }
  const live = await liveTables(folder)
  for (const file of names) {
    if (TABLE_PATTERN.test(file)) {
      if (live?.has(Number.parseInt(file, 10)) === false) continue
      const { unreadable, blocks } = checkTable(await readFile(join(folder, file)))
      if (unreadable !== undefined) found.push({ file, what: `cannot be read: ${unreadable}`, blocks: [] })
      else if (blocks.length > 0) {
        const offsets = blocks.slice(0, 8).map(({ offset }) => offset)
        found.push({ file, what: `${count(blocks.length, 'damaged block')} (at byte ${offsets.join(', ')})`, blocks })
      }
    } else if (file.endsWith('.log') || file.startsWith('MANIFEST-')) {
      const records = damagedRecords(await readFile(join(folder, file)))
      if (records.length === 0) continue
      const what = `${count(records.length, 'damaged record')} (at byte ${records.slice(0, 8).join(', ')})`
      found.push({ file, what, blocks: [] })
    }
  }
  return found
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
