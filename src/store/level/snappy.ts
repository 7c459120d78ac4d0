// Nothing of LevelDB's that goes through here comes near it.
const LENGTH_MAX = 256 * 1024 * 1024

/** Undoes Snappy's block format (google/snappy, format_description.txt). Throws RangeError for what is none. */
export function unsnappy(bytes: Buffer): Buffer {
  const start = readLength(bytes, 0)
  if (start === undefined) throw new RangeError('too large')
  const out = Buffer.alloc(start.length)
  if (walk(bytes, start.at, start.length, out) !== bytes.length) throw new RangeError('not what Snappy writes')
  return out
}

/** Where the Snappy block that begins at `start` ends: it says itself how much is in it; undefined: there is none. */
export function snappyEnd(bytes: Buffer, start: number): number | undefined {
  const first = readLength(bytes, start)
  return first === undefined ? undefined : walk(bytes, first.at, first.length, undefined)
}

function readLength(bytes: Buffer, start: number): { length: number; at: number } | undefined {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * 128 ** i
    if (byte < 0x80) return length > LENGTH_MAX ? undefined : { length, at: start + i + 1 }
  }
  return undefined
}

/**
 * Goes through the elements until they have made `length` bytes; answers where the last one ends. Throws nothing: a search
 * for blocks comes here for each byte of a file.
 */
function walk(bytes: Buffer, start: number, length: number, out: Buffer | undefined): number | undefined {
  let at = start
  let made = 0
  while (made < length) {
    const tag = bytes[at++]
    if (tag === undefined) return undefined
    const kind = tag & 3
    if (kind === 0) {
      let size = tag >>> 2
      if (size >= 60) {
        const width = size - 59
        if (at + width > bytes.length) return undefined
        size = bytes.readUIntLE(at, width)
        at += width
      }
      size++
      if (at + size > bytes.length || made + size > length) return undefined
      if (out !== undefined) bytes.copy(out, made, at, at + size)
      at += size
      made += size
      continue
    }
    const size = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const width = kind === 1 ? 1 : kind === 2 ? 2 : 4
    if (at + width > bytes.length) return undefined
    const distance = (kind === 1 ? (tag >>> 5) << 8 : 0) + bytes.readUIntLE(at, width)
    at += width
    if (distance === 0 || distance > made || made + size > length) return undefined
    if (out !== undefined) for (let i = made; i < made + size; i++) out[i] = out[i - distance] as number
    made += size
  }
  return at
}
