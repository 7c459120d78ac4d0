import { maskedChecksum } from './checksum.ts'
import { unsnappy } from './snappy.ts'
import { Varints } from './varints.ts'

/** A block of a LevelDB table whose checksum is wrong: `bytes[typeAt]` follows its data. */
export interface DamagedBlock {
  readonly offset: number
  readonly typeAt: number
}

/** What is wrong with a table file; empty: nothing. `unreadable`: nothing in it can be found. */
export interface TableDamage {
  readonly unreadable: string | undefined
  readonly blocks: readonly DamagedBlock[]
}

const FOOTER_BYTES = 48
const MAGIC_LOW = 0x8b80fb57
const MAGIC_HIGH = 0xdb477524
const TRAILER_BYTES = 5
const SNAPPY = 1

/**
 * Checks every block of a table (leveldb, doc/table_format.md). LevelDB itself looks at checksums only when it is asked
 * to, and a damaged payload would be handed out as if it were whole.
 */
export function checkTable(bytes: Buffer): TableDamage {
  const blocks: DamagedBlock[] = []
  try {
    const footer = bytes.length - FOOTER_BYTES
    if (footer < 0) return { unreadable: 'it is cut off', blocks }
    if (bytes.readUInt32LE(footer + 40) !== MAGIC_LOW || bytes.readUInt32LE(footer + 44) !== MAGIC_HIGH) {
      return { unreadable: 'its end is missing or damaged', blocks }
    }
    const handles = new Varints(bytes, footer)
    const metaIndex = { offset: handles.next(), size: handles.next() }
    const index = { offset: handles.next(), size: handles.next() }
    if (!isWhole(bytes, index.offset, index.size)) return { unreadable: 'its index is damaged', blocks }
    if (!isWhole(bytes, metaIndex.offset, metaIndex.size)) blocks.push(damaged(metaIndex.offset, metaIndex.size))
    for (const { offset, size } of indexEntries(contents(bytes, index.offset, index.size))) {
      if (!isWhole(bytes, offset, size)) blocks.push(damaged(offset, size))
    }
    return { unreadable: undefined, blocks }
  } catch (error) {
    return { unreadable: `its index cannot be read (${(error as Error).message})`, blocks }
  }
}

function damaged(offset: number, size: number): DamagedBlock {
  return { offset, typeAt: offset + size }
}

function isWhole(bytes: Buffer, offset: number, size: number): boolean {
  const end = offset + size
  if (end + TRAILER_BYTES > bytes.length) return false
  return bytes.readUInt32LE(end + 1) === maskedChecksum(bytes, offset, end + 1)
}

function contents(bytes: Buffer, offset: number, size: number): Buffer {
  const block = bytes.subarray(offset, offset + size)
  return bytes[offset + size] === SNAPPY ? unsnappy(block) : block
}

function* indexEntries(block: Buffer): Generator<{ offset: number; size: number }> {
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - 4 * restarts
  const read = new Varints(block, 0)
  while (read.at < end) {
    read.next()
    const keyBytes = read.next()
    const valueBytes = read.next()
    read.at += keyBytes
    const value = new Varints(block, read.at)
    yield { offset: value.next(), size: value.next() }
    read.at += valueBytes
  }
}
