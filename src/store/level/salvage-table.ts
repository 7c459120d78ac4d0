import { type BlockEntry, blockEntries, contents, isWhole, sizeOfBlockAt, TRAILER_BYTES } from './table-block.ts'
import { type BlockPlace, readIndex } from './table-file.ts'
import { Varints } from './varints.ts'

/** A change as LevelDB numbers them: of those to one key the highest counts. `value` undefined: the key is deleted. */
export interface Change {
  readonly key: Buffer
  readonly value: Buffer | undefined
  readonly sequence: number
}

/** Bytes of a table of which nothing could be read, and the last key before them and the first behind. */
export interface TableGap {
  readonly start: number
  readonly end: number
  readonly before: Buffer | undefined
  readonly after: Buffer | undefined
}

const CHANGE_BYTES = 8
const DELETION = 0
const PUT = 1
const FILTER_NAME = 'filter.'

/**
 * Hands out what stands in blocks with a right checksum, and answers where there are others. Where the index is lost,
 * the blocks are found without it: they stand one behind the other, and each can be read to its end.
 */
export function salvageTable(bytes: Buffer, each: (change: Change) => void): TableGap[] {
  const gaps: TableGap[] = []
  let last: Buffer | undefined
  let gap: { start: number; end: number } | undefined
  const close = (after: Buffer | undefined): void => {
    if (gap !== undefined) gaps.push({ ...gap, before: last, after })
    gap = undefined
  }
  for (const { start, end, entries } of soundBlocks(bytes)) {
    const changes = entries === undefined ? [] : changesOf(entries)
    const first = changes[0]
    if (first === undefined) {
      gap = { start: gap?.start ?? start, end }
      continue
    }
    close(first.key)
    for (const change of changes) each(change)
    last = changes.at(-1)?.key
  }
  close(undefined)
  return gaps
}

interface Stretch {
  readonly start: number
  readonly end: number
  /** Undefined: cannot be read. */
  readonly entries: BlockEntry[] | undefined
}

function soundBlocks(bytes: Buffer): Iterable<Stretch> {
  let index: ReturnType<typeof readIndex>
  try {
    index = readIndex(bytes)
  } catch {
    return blocksWithoutIndex(bytes)
  }
  return typeof index === 'string' ? blocksWithoutIndex(bytes) : index.data.map((place) => readBlock(bytes, place))
}

function readBlock(bytes: Buffer, { offset, size }: BlockPlace): Stretch {
  const end = offset + size + TRAILER_BYTES
  try {
    if (isWhole(bytes, offset, size)) {
      return { start: offset, end, entries: [...blockEntries(contents(bytes, offset, size))] }
    }
  } catch {
    // Not a block, whatever its checksum says.
  }
  return { start: offset, end, entries: undefined }
}

function* blocksWithoutIndex(bytes: Buffer): Generator<Stretch> {
  let lost = 0
  let at = 0
  while (at < bytes.length) {
    const size = sizeOfBlockAt(bytes, at)
    const block = size === undefined ? undefined : readBlock(bytes, { offset: at, size })
    if (block?.entries === undefined) {
      at++
      continue
    }
    const dataEnd = dataEndOf(bytes, block.entries, lost, at)
    const lostEnd = dataEnd ?? at
    if (lost < lostEnd) yield { start: lost, end: lostEnd, entries: undefined }
    if (dataEnd !== undefined) return
    yield block
    at = block.end
    lost = at
  }
  if (lost < bytes.length) yield { start: lost, end: bytes.length, entries: undefined }
}

/**
 * Where the data ends, if this block is one of those that stand behind it: the names of other blocks, or the index, whose
 * entries look like data but say where that is. `from`: where the last data block ended.
 */
function dataEndOf(bytes: Buffer, entries: readonly BlockEntry[], from: number, at: number): number | undefined {
  const first = entries[0]
  if (first === undefined) return at
  const handles = entries.map(({ value }) => handleOf(value))
  const filter = handles[0]
  if (first.key.toString('latin1', 0, FILTER_NAME.length) === FILTER_NAME) {
    return filter === undefined ? at : Math.max(from, Math.min(filter.offset, at))
  }
  let next = 0
  for (const handle of handles) {
    if (handle === undefined || handle.offset !== next) return undefined
    next = handle.offset + handle.size + TRAILER_BYTES
  }
  if (next > bytes.length || next > at) return undefined
  return Math.max(from, next)
}

function handleOf(value: Buffer): BlockPlace | undefined {
  try {
    const read = new Varints(value, 0)
    const place = { offset: read.next(), size: read.next() }
    return read.at === value.length ? place : undefined
  } catch {
    return undefined
  }
}

/** Empty: something in it is no change. */
function changesOf(entries: readonly BlockEntry[]): Change[] {
  const changes: Change[] = []
  for (const { key, value } of entries) {
    const end = key.length - CHANGE_BYTES
    const kind = key[end]
    if (end < 0 || (kind !== DELETION && kind !== PUT)) return []
    const sequence = key.readUIntLE(end + 1, 6) + (key[end + 7] ?? 0) * 2 ** 48
    changes.push({ key: key.subarray(0, end), value: kind === DELETION ? undefined : value, sequence })
  }
  return changes
}
