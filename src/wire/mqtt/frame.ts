/** Largest remaining length, in bytes (MQTT 5, section 1.5.5). */
export const REMAINING_LENGTH_MAX = 0x0fffffff

/** `readRemainingLength`: more bytes are needed. */
export const LENGTH_INCOMPLETE = -1
/** `readRemainingLength`: no valid length begins here. */
export const LENGTH_MALFORMED = -2

/**
 * Reads a remaining length without allocating. `offset` is where it begins, the byte after the first one of the frame;
 * `end` is where the bytes at hand end.
 *
 * Returns `LENGTH_INCOMPLETE` (-1), `LENGTH_MALFORMED` (-2: a fifth byte, or more bytes than the value needs,
 * MQTT-1.5.5-1), or length and width in one number that fits 31 bits: `packedLength(result)` bytes follow the
 * `packedWidth(result)` bytes of the length itself. So for a frame at `start`:
 *
 *     const packed = readRemainingLength(buffer, start + 1, end)
 *     if (packed < 0) …
 *     const bodyStart = start + 1 + packedWidth(packed)
 *     const frameEnd = bodyStart + packedLength(packed)
 */
export function readRemainingLength(buffer: Buffer, offset: number, end: number): number {
  if (offset >= end) return LENGTH_INCOMPLETE
  const first = buffer[offset]!
  if (first < 0x80) return first << 2
  let length = first & 0x7f
  for (let index = 1; index < 4; index++) {
    if (offset + index >= end) return LENGTH_INCOMPLETE
    const byte = buffer[offset + index]!
    length |= (byte & 0x7f) << (7 * index)
    if (byte < 0x80) return byte === 0 ? LENGTH_MALFORMED : (length << 2) | index
  }
  return LENGTH_MALFORMED
}

/** The value that `readRemainingLength` read. */
export function packedLength(packed: number): number {
  return packed >> 2
}

/** How many bytes it took, 1 to 4. */
export function packedWidth(packed: number): number {
  return (packed & 3) + 1
}

/** Bytes that a variable byte integer takes, 1 to 4. */
export function lengthWidth(length: number): number {
  if (length < 0x80) return 1
  if (length < 0x4000) return 2
  return length < 0x200000 ? 3 : 4
}

/** Writes a variable byte integer (section 1.5.5) and returns the offset after it. */
export function writeLength(target: Buffer, offset: number, length: number): number {
  let rest = length
  while (rest >= 0x80) {
    target[offset++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[offset++] = rest
  return offset
}

/** Bytes of a whole frame whose body has this length. Throws RangeError when no frame can be that long. */
export function frameBytes(bodyBytes: number): number {
  if (bodyBytes > REMAINING_LENGTH_MAX) throw new RangeError(`an MQTT packet cannot hold ${bodyBytes} bytes`)
  return 1 + lengthWidth(bodyBytes) + bodyBytes
}
