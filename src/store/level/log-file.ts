import { maskedChecksum } from './checksum.ts'

const BLOCK_BYTES = 32 * 1024
const HEADER_BYTES = 7
const FULL = 1
const FIRST = 2
const LAST = 4

/**
 * Where records of a LevelDB log are damaged (leveldb, doc/log_format.md). A record that the end of the file cuts off is
 * no damage: the process ended while it was written, and nothing of it was acknowledged.
 */
export function damagedRecords(bytes: Buffer): number[] {
  const found: number[] = []
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
    const blockEnd = Math.min(block + BLOCK_BYTES, bytes.length)
    let at = block
    while (at + HEADER_BYTES <= blockEnd) {
      const length = bytes.readUInt16LE(at + 4)
      const end = at + HEADER_BYTES + length
      if (length === 0 && bytes[at + 6] === 0) {
        if (!isZero(bytes, at, blockEnd)) found.push(at)
        break
      }
      if (end > blockEnd) {
        if (blockEnd < bytes.length) found.push(at)
        break
      }
      if (bytes.readUInt32LE(at) !== maskedChecksum(bytes, at + 6, end)) {
        // LevelDB drops the rest of the block: lengths in it are not to be trusted.
        found.push(at)
        break
      }
      at = end
    }
  }
  return found
}

/** The records of a log whose end may be cut off. Throws RangeError where one before it is damaged. */
export function* logRecords(bytes: Buffer): Generator<Buffer> {
  if (damagedRecords(bytes).length > 0) throw new RangeError('a log is damaged')
  let parts: Buffer[] = []
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES)
    const length = bytes.readUInt16LE(at + 4)
    const type = bytes[at + 6] ?? 0
    const end = at + HEADER_BYTES + length
    if (left < HEADER_BYTES || type === 0) {
      at += left
      continue
    }
    if (end > bytes.length) return
    if (type === FULL || type === FIRST) parts = []
    parts.push(bytes.subarray(at + HEADER_BYTES, end))
    if (type === FULL || type === LAST) yield Buffer.concat(parts)
    at = end
  }
}

function isZero(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}
