import { maskedChecksum } from './checksum.ts'
import { snappyEnd, unsnappy } from './snappy.ts'
import { Varints } from './varints.ts'

/** What follows the data of a block: its type u8, and a checksum over both (leveldb, doc/table_format.md). */
export const TRAILER_BYTES = 5
const UNCOMPRESSED = 0
const SNAPPY = 1
// Every key of a table ends with the number of the change and its kind.
const KEY_BYTES_MIN = 8

export interface BlockEntry {
  readonly key: Buffer
  readonly value: Buffer
}

export function isWhole(bytes: Buffer, offset: number, size: number): boolean {
  const end = offset + size
  if (end + TRAILER_BYTES > bytes.length) return false
  return bytes.readUInt32LE(end + 1) === maskedChecksum(bytes, offset, end + 1)
}

/** The data of a block. Throws RangeError where it cannot be decompressed. */
export function contents(bytes: Buffer, offset: number, size: number): Buffer {
  const block = bytes.subarray(offset, offset + size)
  return bytes[offset + size] === SNAPPY ? unsnappy(block) : block
}

/**
 * The size of the block that begins at `offset`, without the index that says so, when its checksum is right; undefined:
 * there is none.
 */
export function sizeOfBlockAt(bytes: Buffer, offset: number): number | undefined {
  try {
    // Its first key shares no byte with one before; a Snappy block begins with its length, which is not 0.
    const isRaw = bytes[offset] === 0
    const end = isRaw ? endOfRaw(bytes, offset) : snappyEnd(bytes, offset)
    if (end === undefined || bytes[end] !== (isRaw ? UNCOMPRESSED : SNAPPY)) return undefined
    return isWhole(bytes, offset, end - offset) ? end - offset : undefined
  } catch {
    return undefined
  }
}

/** Goes over the entries up to the list of restarts, which begins with a 0, as no entry does: it would have no key. */
function endOfRaw(bytes: Buffer, offset: number): number | undefined {
  const read = new Varints(bytes, offset)
  let keyBytes = 0
  let entries = 0
  while (bytes[read.at] !== 0 || bytes[read.at + 1] !== 0) {
    const shared = read.next()
    const added = read.next()
    const valueBytes = read.next()
    if (shared > keyBytes || shared + added < KEY_BYTES_MIN) return undefined
    keyBytes = shared + added
    read.at += added + valueBytes
    if (read.at >= bytes.length) return undefined
    entries++
  }
  // The places of restarts grow faster than their number, so that the first that says it is the number.
  for (let count = 1; count <= Math.max(entries, 1); count++) {
    const at = read.at + 4 * count
    if (bytes.readUInt32LE(at) === count) return at + 4
  }
  return undefined
}

/** Throws RangeError where the block cannot be read to its end. */
export function* blockEntries(block: Buffer): Generator<BlockEntry> {
  if (block.length < 4) throw new RangeError('a block is cut off')
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - 4 * restarts
  const read = new Varints(block, 0)
  let key = Buffer.alloc(0)
  while (read.at < end) {
    const shared = read.next()
    const added = read.next()
    const valueBytes = read.next()
    const valueAt = read.at + added
    if (shared > key.length || valueAt + valueBytes > end) throw new RangeError('an entry is cut off')
    key = Buffer.concat([key.subarray(0, shared), block.subarray(read.at, valueAt)])
    read.at = valueAt + valueBytes
    yield { key, value: block.subarray(valueAt, read.at) }
  }
}
