import { isUtf8 } from 'node:buffer'

// From here on, the native check is faster than the loop, in spite of the view that it needs.
const NATIVE_BYTES = 96

/**
 * True when the bytes from `start` to `end` are well-formed UTF-8 (no surrogates, no overlong form, MQTT-1.5.4-1)
 * without U+0000 (MQTT-1.5.4-2). A byte order mark is a character like others (MQTT-1.5.4-3).
 */
export function isValidUtf8(buffer: Buffer, start: number, end: number): boolean {
  if (end - start < NATIVE_BYTES) {
    for (let index = start; index < end; index++) {
      const byte = buffer[index]!
      if (byte === 0) return false
      if (byte >= 0x80) return isValidView(buffer.subarray(index, end))
    }
    return true
  }
  return isValidView(buffer.subarray(start, end))
}

function isValidView(bytes: Buffer): boolean {
  return isUtf8(bytes) && bytes.indexOf(0) === -1
}

/** The string in bytes that are known to be valid UTF-8. */
export function utf8Text(buffer: Buffer, start: number, end: number): string {
  return buffer.toString('utf8', start, end)
}

/** The string in bytes that are known to be below 0x80: cheaper than UTF-8, which has to look at each of them. */
export function asciiText(buffer: Buffer, start: number, end: number): string {
  return buffer.toString('latin1', start, end)
}
