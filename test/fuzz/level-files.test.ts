import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Batch } from '../../src/store/batch.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'
import { liveTables } from '../../src/store/level/live-tables.ts'
import { damagedRecords, logRecords } from '../../src/store/level/log-file.ts'
import { maskedChecksum } from '../../src/store/level/checksum.ts'
import { unsnappy } from '../../src/store/level/snappy.ts'
import { checkTable, FOOTER_BYTES } from '../../src/store/level/table-file.ts'
import { bytesLike, damagedBytes } from '../support/damaged-bytes.ts'
import { fuzzTimes, runsWithin } from '../support/property-runs.ts'

const LIMIT = runsWithin(3000, 500)
// Of one reading: a length that lies must not cost more than what is there. Far more than a slow machine needs.
const READING_MS_MAX = 2_000

let folder: string
let table: Buffer
let log: Buffer
let manifest: Buffer

/** What LevelDB itself has written: a table with some blocks, a log with some records, and a manifest. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-level-'))
  for (let round = 0; round < 3; round++) {
    const backend = await LevelBackend.open(folder, false)
    for (let commit = 0; commit < 3; commit++) {
      const batch = new Batch()
      for (let i = 0; i < 40; i++) {
        const key = Buffer.from(`key ${round} ${commit} ${i}`)
        batch.put(key, Buffer.from(`value ${(i * 2_654_435_761) % 1_000_003} ${'x'.repeat(i * 4)}`))
      }
      await new Promise((resolve) => backend.write(batch, resolve))
    }
    await backend.close()
  }
  const names = await readdir(folder)
  const read = (pattern: RegExp): Promise<Buffer> =>
    readFile(join(folder, names.find((name) => pattern.test(name)) ?? ''))
  table = await read(/\.ldb$/)
  log = await read(/\.log$/)
  manifest = await read(/^MANIFEST-/)
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

/** Answers what was read; undefined: it was refused, as is documented. */
function timely<T>(work: () => T): T | undefined {
  const startMs = performance.now()
  try {
    return work()
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError)
    return undefined
  } finally {
    expect(performance.now() - startMs).toBeLessThan(READING_MS_MAX)
  }
}

/** Literals and copies as Snappy writes them, with the bytes that they stand for. */
const snappy = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 70 }).map((array) => Buffer.from(array)),
      fc.record({ size: fc.integer({ min: 4, max: 11 }), distance: fc.integer({ min: 1, max: 60 }) }),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => {
    let plain = Buffer.alloc(0)
    const packed: Buffer[] = []
    for (const part of parts) {
      if (Buffer.isBuffer(part)) {
        const head = part.length <= 60 ? Buffer.of((part.length - 1) << 2) : Buffer.of(60 << 2, part.length - 1)
        packed.push(head, part)
        plain = Buffer.concat([plain, part])
      } else if (part.distance <= plain.length) {
        packed.push(Buffer.of(((part.size - 4) << 2) | 1, part.distance))
        for (let i = 0; i < part.size; i++) {
          plain = Buffer.concat([plain, plain.subarray(plain.length - part.distance).subarray(0, 1)])
        }
      }
    }
    const length = plain.length < 128 ? [plain.length] : [(plain.length & 127) | 128, plain.length >> 7]
    return { plain, packed: Buffer.concat([Buffer.from(length), ...packed]) }
  })

describe('what Snappy has packed', () => {
  test('is unpacked', () => {
    fc.assert(
      fc.property(snappy, ({ plain, packed }) => {
        expect(unsnappy(packed).equals(plain)).toBe(true)
      }),
      LIMIT,
    )
  })

  test('and was damaged is unpacked to as much as it says, or refused', () => {
    const property = fc.property(bytesLike(snappy.map(({ packed }) => packed)), (bytes) => {
      const found = timely(() => unsnappy(bytes))
      // No copy of three bytes stands for more than 64.
      if (found !== undefined) expect(found.length).toBeLessThanOrEqual(bytes.length * 64)
    })
    fc.assert(property, LIMIT)
  })
})

function firstDifference(one: Buffer, other: Buffer): number {
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  return at
}

test('a damaged table is found to be damaged, and its blocks are in it', () => {
  expect(checkTable(table)).toEqual({ unreadable: undefined, blocks: [] })
  const property = fc.property(
    fc.constant(0).chain(() => damagedBytes(fc.constant(table))),
    (bytes) => {
      const found = timely(() => checkTable(bytes))
      expect(found).toBeDefined()
      for (const offset of found?.blocks ?? []) expect(offset).toBeGreaterThanOrEqual(0)
      const isDamaged = found?.unreadable !== undefined || (found?.blocks.length ?? 0) > 0
      // No checksum covers the padding of the footer.
      const at = firstDifference(bytes, table)
      if (at < table.length - FOOTER_BYTES) expect(isDamaged).toBe(true)
    },
  )
  fc.assert(property, runsWithin(300, 800))
})

test('a table with an index of any bytes is read or called unreadable', () => {
  const property = fc.property(
    bytesLike(fc.constant(Buffer.from([0, 3, 2, 97, 98, 99, 0, 5, 0, 0, 0, 0, 1, 0, 0, 0]))),
    (index) => {
      const body = Buffer.concat([Buffer.alloc(32), index, Buffer.of(0)])
      const sum = Buffer.alloc(4)
      sum.writeUInt32LE(maskedChecksum(body, 32, body.length))
      const footer = Buffer.alloc(48)
      footer.set([0, 0, 32, index.length], 0)
      if (index.length > 127) return
      footer.writeUInt32LE(0x8b80fb57, 40)
      footer.writeUInt32LE(0xdb477524, 44)
      expect(timely(() => checkTable(Buffer.concat([body, sum, footer])))).toBeDefined()
    },
  )
  fc.assert(property, LIMIT)
})

test('a damaged log tells where it is damaged, and gives its other records or none', () => {
  expect(damagedRecords(log)).toEqual([])
  const property = fc.property(
    fc.constant(0).chain(() => bytesLike(fc.constant(log))),
    (bytes) => {
      const found = timely(() => damagedRecords(bytes)) ?? []
      for (const at of found) expect(at).toBeLessThan(bytes.length)
      const records = timely(() => [...logRecords(bytes)])
      expect(records === undefined).toBe(found.length > 0)
    },
  )
  fc.assert(property, LIMIT)
})

test('a manifest of any edits names tables or nothing', { timeout: 20_000 * fuzzTimes }, async () => {
  const place = await mkdtemp(join(folder, 'manifest-'))
  await writeFile(join(place, 'CURRENT'), 'MANIFEST-000001\n')
  const edits = [...logRecords(manifest)]
  const edit = fc.constantFrom(...edits.keys()).chain((at) => bytesLike(fc.constant(edits[at] as Buffer)))
  const property = fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (all) => {
    // With right checksums: damage that they show is not read at all.
    const records = all.map((bytes) => {
      const record = Buffer.concat([Buffer.alloc(7), bytes])
      record.writeUInt16LE(bytes.length, 4)
      record[6] = 1
      record.writeUInt32LE(maskedChecksum(record, 6, record.length))
      return record
    })
    await writeFile(join(place, 'MANIFEST-000001'), Buffer.concat(records))
    const startMs = performance.now()
    for (const number of (await liveTables(place)) ?? []) expect(number).toBeGreaterThanOrEqual(0)
    expect(performance.now() - startMs).toBeLessThan(READING_MS_MAX)
  })
  await fc.assert(property, runsWithin(1000, 800))
})
