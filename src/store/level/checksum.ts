const TABLE = new Uint32Array(256)
for (let i = 0; i < 256; i++) {
  let remainder = i
  for (let bit = 0; bit < 8; bit++) remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1
  TABLE[i] = remainder
}

/** CRC-32C (RFC 3720, appendix B.4) of a range, as LevelDB stores it: rotated, and a constant added. */
export function maskedChecksum(bytes: Buffer, start: number, end: number): number {
  let crc = 0xffffffff
  for (let i = start; i < end; i++) crc = (TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8)
  crc = (crc ^ 0xffffffff) >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
