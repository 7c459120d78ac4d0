/** Undoes Snappy's block format (google/snappy, format_description.txt). Throws RangeError for what is none. */
export function unsnappy(bytes: Buffer): Buffer {
  let at = 0
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = byteAt(bytes, at++)
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  // Nothing of LevelDB's that goes through here comes near it.
  if (length > 256 * 1024 * 1024) throw new RangeError('too large')
  const out = Buffer.alloc(length)
  let end = 0
  while (at < bytes.length) {
    const tag = byteAt(bytes, at++)
    const kind = tag & 3
    if (kind === 0) {
      let size = tag >>> 2
      if (size >= 60) {
        const width = size - 59
        size = bytes.readUIntLE(at, width)
        at += width
      }
      size++
      if (at + size > bytes.length || end + size > length) throw new RangeError('literal too long')
      bytes.copy(out, end, at, at + size)
      at += size
      end += size
      continue
    }
    const size = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const distance =
      kind === 1 ? ((tag >>> 5) << 8) | byteAt(bytes, at) : kind === 2 ? bytes.readUInt16LE(at) : bytes.readUInt32LE(at)
    at += kind === 1 ? 1 : kind === 2 ? 2 : 4
    if (distance === 0 || distance > end || end + size > length) throw new RangeError('copy out of place')
    for (let i = 0; i < size; i++, end++) out[end] = out[end - distance] as number
  }
  if (end !== length) throw new RangeError('too short')
  return out
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new RangeError('cut off')
  return byte
}
