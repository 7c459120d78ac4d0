import { blockEntries, contents, isWhole } from './table-block.ts'
import { Varints } from './varints.ts'

/** What is wrong with a table file; empty: nothing. `unreadable`: nothing in it can be found by its index. */
export interface TableDamage {
  readonly unreadable: string | undefined
  /** Where those begin of which the checksum is wrong. */
  readonly blocks: readonly number[]
}

export interface BlockPlace {
  readonly offset: number
  readonly size: number
}

export const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')

/**
 * Checks every block of a table (leveldb, doc/table_format.md). LevelDB itself looks at checksums only when it is asked
 * to, and a damaged payload would be handed out as if it were whole.
 */
export function checkTable(bytes: Buffer): TableDamage {
  const blocks: number[] = []
  try {
    const index = readIndex(bytes)
    if (typeof index === 'string') return { unreadable: index, blocks }
    const { metaIndex, data } = index
    for (const { offset, size } of [metaIndex, ...filtersOf(bytes, metaIndex), ...data]) {
      if (!isWhole(bytes, offset, size)) blocks.push(offset)
    }
    return { unreadable: undefined, blocks }
  } catch (error) {
    return { unreadable: `its index cannot be read (${(error as Error).message})`, blocks }
  }
}

/** Where the blocks of a table are; a text: why that is not known. Throws RangeError where that cannot be read. */
export function readIndex(bytes: Buffer): { metaIndex: BlockPlace; data: BlockPlace[] } | string {
  if (bytes.length < FOOTER_BYTES) return 'it is cut off'
  const footer = readFooter(bytes.subarray(-FOOTER_BYTES))
  if (footer === undefined) return 'its end is missing or damaged'
  const { metaIndex, index } = footer
  if (!isWhole(bytes, index.offset, index.size)) return 'its index is damaged'
  return { metaIndex, data: placesIn(bytes, index) }
}

/** The last `FOOTER_BYTES` of a table; undefined: they are no such end. Throws RangeError where they cannot be read. */
export function readFooter(footer: Buffer): { metaIndex: BlockPlace; index: BlockPlace } | undefined {
  if (!footer.subarray(-MAGIC.length).equals(MAGIC)) return undefined
  const handles = new Varints(footer, 0)
  return { metaIndex: nextPlace(handles), index: nextPlace(handles) }
}

// By a damaged filter LevelDB would not find keys that are there.
function filtersOf(bytes: Buffer, metaIndex: BlockPlace): BlockPlace[] {
  return isWhole(bytes, metaIndex.offset, metaIndex.size) ? placesIn(bytes, metaIndex) : []
}

/** The blocks that an index block leads to. */
function placesIn(bytes: Buffer, { offset, size }: BlockPlace): BlockPlace[] {
  return Array.from(blockEntries(contents(bytes, offset, size)), ({ value }) => nextPlace(new Varints(value, 0)))
}

function nextPlace(handles: Varints): BlockPlace {
  return { offset: handles.next(), size: handles.next() }
}
