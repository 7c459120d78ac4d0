import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Batch } from '../../../src/store/batch.ts'
import { LevelBackend } from '../../../src/store/level/level-backend.ts'
import { type LogLoss, salvageLog } from '../../../src/store/level/salvage-log.ts'
import { type Change, salvageTable, type TableGap } from '../../../src/store/level/salvage-table.ts'
import { readIndex } from '../../../src/store/level/table-file.ts'

const LOG_BLOCK_BYTES = 32 * 1024

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-salvage-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

// Snappy leaves noise as it is, and compresses the other half.
function valueOf(i: number, bytes: number): Buffer {
  const value = Buffer.alloc(bytes, `value ${i} `)
  let state = i + 1
  for (let at = 0; i % 40 < 20 && at < bytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    value[at] = state >>> 16
  }
  return value
}

const keyOf = (i: number): Buffer => Buffer.from(`key ${String(i).padStart(6, '0')}`)

async function fileOf(extension: string): Promise<Buffer> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(extension)).sort()
  return readFile(join(folder, names.at(-1) ?? ''))
}

async function write(backend: LevelBackend, from: number, to: number, bytes: number): Promise<void> {
  const batch = new Batch()
  for (let i = from; i < to; i++) {
    if (i % 10 === 9) batch.del(keyOf(i))
    else batch.put(keyOf(i), valueOf(i, bytes))
  }
  await new Promise((resolve) => backend.write(batch, resolve))
}

/** 1000 changes in a log, in batches of 20. */
async function log(bytes: number): Promise<Buffer> {
  const backend = await LevelBackend.open(folder, false)
  for (let from = 0; from < 1000; from += 20) await write(backend, from, from + 20, bytes)
  await backend.close()
  return fileOf('.log')
}

async function table(bytes: number): Promise<Buffer> {
  await log(bytes)
  // Opening it again makes LevelDB write its log into a table.
  await (await LevelBackend.open(folder, false)).close()
  return fileOf('.ldb')
}

const numberOf = ({ key }: Change): number => Number(key.toString().slice(4))

/** Numbers of the changes; each is as it was written. */
function numbersOf(changes: readonly Change[], bytes: number): number[] {
  for (const change of changes) {
    const i = numberOf(change)
    expect(change.value?.toString('hex')).toBe(i % 10 === 9 ? undefined : valueOf(i, bytes).toString('hex'))
    expect(change.sequence).toBe(i + 1)
  }
  return changes.map(numberOf)
}

function fromLog(file: Buffer): { changes: Change[]; losses: LogLoss[] } {
  const changes: Change[] = []
  const losses = salvageLog(file, (change) => changes.push(change))
  return { changes, losses }
}

function fromTable(file: Buffer): { changes: Change[]; gaps: TableGap[] } {
  const changes: Change[] = []
  const gaps = salvageTable(file, (change) => changes.push(change))
  return { changes, gaps }
}

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 0xff
  return copy
}

const all = Array.from({ length: 1000 }, (_, i) => i)

describe('what is saved of a log', () => {
  test('that is whole is everything', async () => {
    const { changes, losses } = fromLog(await log(50))
    expect([numbersOf(changes, 50), losses]).toEqual([all, []])
  })

  test('with a wrong checksum are the records behind it, and the one is named', async () => {
    const file = await log(50)
    const at = file.indexOf(keyOf(420)) + 20
    const { changes, losses } = fromLog(flip(file, at))
    expect(numbersOf(changes, 50)).toEqual(all.filter((i) => i < 420 || i >= 440))
    expect(losses).toMatchObject([{ why: 'has a wrong checksum', count: 20 }])
    expect(losses[0]?.changes.map(numberOf)).toEqual(all.slice(420, 440))
  })

  test('with a damaged part of a long batch are its other parts', async () => {
    const file = await log(9000)
    const { changes, losses } = fromLog(flip(file, 12 * LOG_BLOCK_BYTES + 5000))
    const lost = new Set(losses[0]?.changes.map(numberOf))
    expect(lost.size).toBeGreaterThan(1)
    expect(lost.size).toBeLessThan(8)
    expect(losses).toMatchObject([{ count: lost.size }])
    expect(numbersOf(changes, 9000)).toEqual(all.filter((i) => !lost.has(i)))
  })

  test('at whose beginning a byte is wrong are the parts whose numbers the next batch confirms', async () => {
    const { changes, losses } = fromLog(flip(await log(9000), 2))
    const lost = new Set(losses[0]?.changes.map(numberOf))
    expect(lost.size).toBeLessThan(8)
    expect(losses).toMatchObject([{ count: lost.size }])
    expect(numbersOf(changes, 9000)).toEqual(all.filter((i) => !lost.has(i)))
  })

  test('with a wrong length is what is found behind it', async () => {
    const file = await log(50)
    // The length of the record, which stands in front of its batch.
    const { changes, losses } = fromLog(flip(file, file.indexOf(keyOf(420)) - 12 - 2 - 3))
    expect(numbersOf(changes, 50)).toEqual(all.filter((i) => i < 420 || i >= 440))
    expect(losses).toMatchObject([{ count: 20 }])
  })

  test('with zeros in it is what is around them', async () => {
    const file = Buffer.from(await log(9000))
    file.fill(0, 20 * LOG_BLOCK_BYTES, 22 * LOG_BLOCK_BYTES)
    const { changes, losses } = fromLog(file)
    const saved = numbersOf(changes, 9000)
    expect(losses).toMatchObject([{ count: 1000 - saved.length }])
    expect(saved.length).toBeGreaterThan(960)
  })

  test('that is cut off is everything in front, and no loss', async () => {
    const file = await log(50)
    const { changes, losses } = fromLog(file.subarray(0, file.length - 5))
    expect([numbersOf(changes, 50), losses]).toEqual([all.slice(0, 980), []])
  })
})

describe('what is saved of a table', () => {
  test('that is whole is everything', async () => {
    const { changes, gaps } = fromTable(await table(500))
    expect([numbersOf(changes, 500), gaps]).toEqual([all, []])
  })

  test.each([
    ['the end', 5],
    ['the index', 200],
  ])('with damage in %s is everything', async (_what, fromEnd) => {
    const file = await table(500)
    const damaged = flip(file, file.length - fromEnd)
    expect(typeof readIndex(damaged)).toBe('string')
    const { changes, gaps } = fromTable(damaged)
    expect([numbersOf(changes, 500), gaps]).toEqual([all, []])
  })

  test.each([8, 80, 5000])('without its end, of values of %i bytes, are the blocks that are there', async (bytes) => {
    const file = await table(bytes)
    const length = file.length >> 1
    const { changes, gaps } = fromTable(file.subarray(0, length))
    const saved = numbersOf(changes, bytes)
    expect(saved).toEqual(all.slice(0, saved.length))
    expect(saved.length).toBeGreaterThan(200)
    const end = gaps[0]?.start ?? length
    expect(length - end).toBeLessThan(20_000)
    expect(gaps).toEqual(end === length ? [] : [{ start: end, end: length, before: keyOf(saved.length - 1) }])
  })

  test.each([false, true])('with a damaged block are all others, with its index or (%j) without', async (isCut) => {
    const file = await table(500)
    const at = file.length >> 1
    const { changes, gaps } = fromTable(isCut ? flip(flip(file, at), file.length - 5) : flip(file, at))
    const saved = numbersOf(changes, 500)
    const lost = all.filter((i) => !saved.includes(i))
    expect(lost.length).toBeGreaterThan(0)
    expect(lost.length).toBeLessThan(40)
    expect(gaps).toMatchObject([{ before: keyOf((lost[0] ?? 0) - 1), after: keyOf((lost.at(-1) ?? 0) + 1) }])
  })

  test('is nothing of what is none', () => {
    const noise = valueOf(1, 100_000)
    expect(fromTable(noise)).toEqual({ changes: [], gaps: [{ start: 0, end: noise.length }] })
    expect(fromTable(Buffer.alloc(100_000)).changes).toEqual([])
  })
})
