import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maskedChecksum } from '../../../src/store/level/checksum.ts'
import { damagedRecords, logRecords } from '../../../src/store/level/log-file.ts'

const BLOCK_BYTES = 32 * 1024
const HEADER_BYTES = 7

/** As LevelDB's writer does it (leveldb, db/log_writer.cc). Answers where each record begins too. */
function logOf(records: readonly Buffer[]): { bytes: Buffer; starts: number[] } {
  const pieces: Buffer[] = []
  const starts: number[] = []
  let at = 0
  const put = (piece: Buffer): void => {
    pieces.push(piece)
    at += piece.length
  }
  for (const record of records) {
    let left = record
    let isFirst = true
    do {
      let room = BLOCK_BYTES - (at % BLOCK_BYTES)
      if (room < HEADER_BYTES) {
        put(Buffer.alloc(room))
        room = BLOCK_BYTES
      }
      if (isFirst) starts.push(at)
      const part = left.subarray(0, room - HEADER_BYTES)
      left = left.subarray(part.length)
      const isLast = left.length === 0
      const piece = Buffer.alloc(HEADER_BYTES + part.length)
      piece.writeUInt16LE(part.length, 4)
      piece[6] = isFirst ? (isLast ? 1 : 2) : isLast ? 4 : 3
      part.copy(piece, HEADER_BYTES)
      piece.writeUInt32LE(maskedChecksum(piece, 6, piece.length), 0)
      put(piece)
      isFirst = false
    } while (left.length > 0)
  }
  return { bytes: Buffer.concat(pieces), starts }
}

// No byte is 0, or else the end of a record may look as if it were not yet on disk.
const sizes = fc.array(fc.oneof(fc.integer({ min: 12, max: 300 }), fc.integer({ min: 12, max: 90_000 })), {
  minLength: 1,
  maxLength: 8,
})
const recordsOf = (lengths: readonly number[]): Buffer[] =>
  lengths.map((length, seed) => Buffer.from(Uint8Array.from({ length }, (_, i) => ((i * 31 + seed * 7) % 255) + 1)))

// Much faster than to compare them byte by byte.
function expectSame(records: readonly Buffer[], expected: readonly Buffer[]): void {
  expect(records.length).toBe(expected.length)
  expect(records.every((record, i) => record.equals(expected[i] as Buffer))).toBe(true)
}

const RUNS = { seed: 1, numRuns: 200 }

describe('a log of LevelDB', () => {
  test('has the checksums of RFC 3720', () => {
    const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
    expect(maskedChecksum(Buffer.from('123456789'), 0, 9)).toBe(masked(0xe3069283))
    expect(maskedChecksum(Buffer.alloc(34), 1, 33)).toBe(masked(0x8a9136aa))
  })

  test('is read as it was written', () => {
    fc.assert(
      fc.property(sizes, (lengths) => {
        const records = recordsOf(lengths)
        const { bytes } = logOf(records)
        expect(damagedRecords(bytes, false)).toEqual([])
        expectSame([...logRecords(bytes)], records)
      }),
      RUNS,
    )
  })

  test('may end anywhere, or with zeros from there on', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.boolean(), (lengths, cut, hasZeros) => {
        const records = recordsOf(lengths)
        const { bytes, starts } = logOf(records)
        const end = cut % (bytes.length + 1)
        const torn = hasZeros ? Math.floor(end / 512) * 512 : end
        const left = hasZeros
          ? Buffer.concat([bytes.subarray(0, torn), Buffer.alloc(bytes.length - torn)])
          : bytes.subarray(0, end)
        expect(damagedRecords(left)).toEqual([])
        const read = [...logRecords(left)]
        expectSame(read, records.slice(0, read.length))
        const whole = starts.filter((_, i) => (starts[i + 1] ?? bytes.length) <= torn).length
        expect(read.length).toBeGreaterThanOrEqual(whole)
      }),
      RUNS,
    )
  })

  test('is damaged where a byte of it has changed and a record follows', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.integer({ min: 1, max: 255 }), (lengths, place, change) => {
        const { bytes, starts } = logOf([...recordsOf(lengths), Buffer.alloc(20, 1)])
        const end = starts.at(-1) ?? 0
        const at = place % end
        bytes[at] = (bytes[at] ?? 0) ^ change
        const isPadding = BLOCK_BYTES - (at % BLOCK_BYTES) < HEADER_BYTES
        if (!isPadding) expect(damagedRecords(bytes).length).toBeGreaterThan(0)
      }),
      RUNS,
    )
  })

  test('is damaged where a part of a record is not there', () => {
    const { bytes } = logOf(recordsOf([100_000, 100]))
    expect(damagedRecords(bytes.subarray(BLOCK_BYTES))).toEqual([0])
    const { bytes: other } = logOf(recordsOf([100]))
    expect(damagedRecords(Buffer.concat([bytes.subarray(0, 2 * BLOCK_BYTES), other]))).toEqual([0])
  })
})
