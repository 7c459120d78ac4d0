import { blockEntries, contents, isWhole } from './table-block.ts'
import { Varints } from './varints.ts'

/** A block of a LevelDB table whose checksum is wrong: `bytes[typeAt]` follows its data. */
export interface DamagedBlock {
  readonly offset: number
  readonly typeAt: number
}

/** What is wrong with a table file; empty: nothing. `unreadable`: nothing in it can be found by its index. */
export interface TableDamage {
  readonly unreadable: string | undefined
  readonly blocks: readonly DamagedBlock[]
}

export interface BlockPlace {
  readonly offset: number
  readonly size: number
}

const FOOTER_BYTES = 48
const MAGIC_LOW = 0x8b80fb57
const MAGIC_HIGH = 0xdb477524

/**
 * Checks every block of a table (leveldb, doc/table_format.md). LevelDB itself looks at checksums only when it is asked
 * to, and a damaged payload would be handed out as if it were whole.
 */
export function checkTable(bytes: Buffer): TableDamage {
  const blocks: DamagedBlock[] = []
  try {
    const index = readIndex(bytes)
    if (typeof index === 'string') return { unreadable: index, blocks }
    const { metaIndex, data } = index
    for (const { offset, size } of [metaIndex, ...data]) {
      if (!isWhole(bytes, offset, size)) blocks.push({ offset, typeAt: offset + size })
    }
    return { unreadable: undefined, blocks }
  } catch (error) {
    return { unreadable: `its index cannot be read (${(error as Error).message})`, blocks }
  }
}

/** Where the blocks of a table are; a text: why that is not known. Throws RangeError where that cannot be read. */
export function readIndex(bytes: Buffer): { metaIndex: BlockPlace; data: BlockPlace[] } | string {
  const footer = bytes.length - FOOTER_BYTES
  if (footer < 0) return 'it is cut off'
  if (bytes.readUInt32LE(footer + 40) !== MAGIC_LOW || bytes.readUInt32LE(footer + 44) !== MAGIC_HIGH) {
    return 'its end is missing or damaged'
  }
  const handles = new Varints(bytes, footer)
  const metaIndex = { offset: handles.next(), size: handles.next() }
  const index = { offset: handles.next(), size: handles.next() }
  if (!isWhole(bytes, index.offset, index.size)) return 'its index is damaged'
  const data: BlockPlace[] = []
  for (const { value } of blockEntries(contents(bytes, index.offset, index.size))) {
    const handle = new Varints(value, 0)
    data.push({ offset: handle.next(), size: handle.next() })
  }
  return { metaIndex, data }
}
