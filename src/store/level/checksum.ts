// Eight bytes at a time, as a start reads whole logs: one table for each number of bytes that follow.
const T0 = tableOf(0)
const T1 = tableOf(1)
const T2 = tableOf(2)
const T3 = tableOf(3)
const T4 = tableOf(4)
const T5 = tableOf(5)
const T6 = tableOf(6)
const T7 = tableOf(7)

/** CRC-32C (RFC 3720, appendix B.4) of a range, as LevelDB stores it: rotated, and a constant added. */
export function maskedChecksum(bytes: Buffer, start: number, end: number): number {
  let crc = -1
  let at = start
  for (; at + 8 <= end; at += 8) {
    crc ^= at4(bytes, at)
    const next = at4(bytes, at + 4)
    crc =
      (T7[crc & 0xff] as number) ^
      (T6[(crc >>> 8) & 0xff] as number) ^
      (T5[(crc >>> 16) & 0xff] as number) ^
      (T4[crc >>> 24] as number) ^
      (T3[next & 0xff] as number) ^
      (T2[(next >>> 8) & 0xff] as number) ^
      (T1[(next >>> 16) & 0xff] as number) ^
      (T0[next >>> 24] as number)
  }
  for (; at < end; at++) crc = (T0[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
  crc = ~crc >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

function at4(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

function tableOf(bytesBehind: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte
    for (let bit = 0; bit < 8 * (bytesBehind + 1); bit++) {
      remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1
    }
    return remainder
  })
}
