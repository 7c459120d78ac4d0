import { BLOCK_BYTES, FIRST, FULL, HEADER_BYTES, headerAt, isSoundTo, LAST, MIDDLE } from './log-record.ts'

// What a disk writes as a whole, or not at all.
const SECTOR_BYTES = 512

/**
 * A part of a log (leveldb, doc/log_format.md) within one of its blocks. `cut`: the end of the file is in it. `wrong`: no
 * part can be read there, nor behind it up to `end`, as lengths are not to be trusted.
 */
interface Part {
  readonly at: number
  readonly end: number
  readonly type: number
  readonly state: 'whole' | 'cut' | 'wrong'
}

/**
 * Where records of a LevelDB log are damaged. A torn end is no damage: the process or the power ended while a record was
 * written, which nothing was told that waits for it. The end is torn when no record begins behind what cannot be read,
 * and that is cut off by the end of the file or has sectors of zeros, which file systems leave in the place of what was
 * not yet on disk.
 */
export function damagedRecords(bytes: Buffer, mayBeTorn = true): number[] {
  const found: number[] = []
  const torn: number[] = []
  let begun: number | undefined
  // Parts of a record whose beginning has been told already.
  let isLost = false
  for (const { at, end, type, state } of parts(bytes)) {
    if (state !== 'whole') {
      if (state === 'cut' || hasZeroSector(bytes, at, end)) torn.push(begun ?? at)
      else found.push(at)
      if (torn.length > 0 && hasRecordWithin(bytes, at, end)) found.push(...torn.splice(0))
      begun = undefined
      isLost = true
    } else if (type === FULL || type === FIRST) {
      if (begun !== undefined) found.push(begun)
      found.push(...torn.splice(0))
      begun = type === FIRST ? at : undefined
      isLost = false
    } else if (type === MIDDLE || type === LAST) {
      if (begun === undefined && !isLost) found.push(at)
      if (begun === undefined) isLost = type === MIDDLE
      if (type === LAST) begun = undefined
    } else {
      found.push(at)
      begun = undefined
      isLost = true
    }
  }
  if (begun !== undefined) torn.push(begun)
  if (!mayBeTorn) found.push(...torn)
  return [...new Set(found)].sort((a, b) => a - b)
}

/** Whether anything was written to this log for certain. */
export function hasRecord(bytes: Buffer): boolean {
  for (const { type, state } of parts(bytes)) if (state === 'whole' && (type === FULL || type === FIRST)) return true
  return false
}

/** The records of a log whose end may be torn. Throws RangeError where one before it is damaged. */
export function* logRecords(bytes: Buffer): Generator<Buffer> {
  if (damagedRecords(bytes).length > 0) throw new RangeError('a log is damaged')
  let gathered: Buffer[] | undefined
  for (const { at, end, type, state } of parts(bytes)) {
    if (state !== 'whole') return
    if (type === FULL || type === FIRST) gathered = []
    gathered?.push(bytes.subarray(at + HEADER_BYTES, end))
    if (type === FULL || type === LAST) yield Buffer.concat(gathered ?? [])
  }
}

function* parts(bytes: Buffer): Generator<Part> {
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
    const blockEnd = block + BLOCK_BYTES
    const there = Math.min(blockEnd, bytes.length)
    let at = block
    while (at + HEADER_BYTES <= there) {
      const { type, end } = headerAt(bytes, at)
      if (end > there) {
        yield { at, end: there, type, state: end <= blockEnd ? 'cut' : 'wrong' }
        at = blockEnd
      } else if (isSoundTo(bytes, at, end)) {
        yield { at, end, type, state: 'whole' }
        at = end
      } else {
        yield { at, end: there, type, state: 'wrong' }
        at = blockEnd
      }
    }
    // The last bytes of a block, where no header has room, are padding.
    if (at < there && at + HEADER_BYTES <= blockEnd) yield { at, end: there, type: 0, state: 'cut' }
  }
}

/** Whether a record begins anywhere in this part of a block. */
function hasRecordWithin(bytes: Buffer, start: number, blockEnd: number): boolean {
  for (let at = start + 1; at + HEADER_BYTES <= blockEnd; at++) {
    const { type, end } = headerAt(bytes, at)
    if (type !== FULL && type !== FIRST) continue
    if (end > at + HEADER_BYTES && end <= blockEnd && isSoundTo(bytes, at, end)) return true
  }
  return false
}

/** Whether a sector in it is zero, or what the end leaves of one. */
function hasZeroSector(bytes: Buffer, start: number, end: number): boolean {
  const first = Math.floor(start / SECTOR_BYTES) * SECTOR_BYTES
  for (let sector = first; sector < end; sector += SECTOR_BYTES) {
    const sectorEnd = Math.min(sector + SECTOR_BYTES, end)
    if (sector < start && sectorEnd < end) continue
    if (isZero(bytes, Math.max(sector, start), sectorEnd)) return true
  }
  return false
}

function isZero(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}
