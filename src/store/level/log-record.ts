import { maskedChecksum } from './checksum.ts'

// A log (leveldb, doc/log_format.md) is a row of blocks. A batch is one record, or several in a row.
export const BLOCK_BYTES = 32 * 1024
/** Checksum u32, length u16 of what follows, type u8. */
export const HEADER_BYTES = 7
export const FULL = 1
export const FIRST = 2
export const MIDDLE = 3
export const LAST = 4

/** What the header at `at` says, right or wrong. */
export function headerAt(bytes: Buffer, at: number): { type: number; end: number } {
  return { type: bytes[at + 6] ?? 0, end: at + HEADER_BYTES + bytes.readUInt16LE(at + 4) }
}

/** Whether the record from `at` to `end` has the checksum that its header says. */
export function isSoundTo(bytes: Buffer, at: number, end: number): boolean {
  return bytes.readUInt32LE(at) === maskedChecksum(bytes, at + 6, end)
}
