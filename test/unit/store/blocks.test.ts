import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../../src/base/errors.ts'
import { Message } from '../../../src/message/message.ts'
import { Block, BLOCK_SPAN_MAX } from '../../../src/store/block.ts'
import {
  blockOfData,
  DATA_HEADER_BYTES,
  decodeData,
  encodeData,
  entryDataBytes,
} from '../../../src/store/block-data.ts'
import { FifoEntry, SETTLED_BYTES } from '../../../src/store/fifo-entry.ts'
import { bytesLike } from '../../support/damaged-bytes.ts'
import { runsWithin } from '../../support/property-runs.ts'

const offsets = fc.uniqueArray(fc.nat(BLOCK_SPAN_MAX - 1), { minLength: 1, maxLength: 40 }).map((list) => {
  const sorted = list.sort((a, b) => a - b)
  const first = sorted[0] ?? 0
  return sorted.map((offset) => offset - first)
})

function entriesOf(list: readonly number[], firstSeq: number): FifoEntry[] {
  return list.map((offset) => {
    const message = new Message(`t/${offset % 3}`, Buffer.from(`payload ${offset}`), 1, false)
    const identifiers = offset % 4 === 0 ? [offset + 1] : []
    const entry = new FifoEntry({ fifoId: 1 }, firstSeq + offset, message, offset * 7, identifiers, 100 + offset)
    if (offset % 5 === 4) entry.bodyId = 1000 + offset
    return entry
  })
}

function encode(entries: readonly FifoEntry[]): Buffer {
  const bytes = entries.reduce((sum, entry) => sum + entryDataBytes(entry), DATA_HEADER_BYTES)
  const data = encodeData(entries, 0, entries.length, bytes)
  expect(data.length).toBe(bytes)
  return data
}

function blockOf(entries: readonly FifoEntry[]): Block {
  const firstSeq = entries[0]?.seq ?? 0
  const block = new Block(firstSeq, (entries.at(-1)?.seq ?? 0) - firstSeq + 1)
  for (const { seq, bytes } of entries) block.add(seq, bytes)
  return block
}

const refuse = (error: unknown): never => {
  throw error
}

describe('a block', () => {
  test('comes back as it was, with what was acknowledged and settled', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), offsets, fc.func(fc.nat(2)), (firstSeq, list, fateOf) => {
        const entries = entriesOf(list, firstSeq)
        const block = blockOf(entries)
        const kept = entries.filter((entry) => {
          const fate = fateOf(entry.seq)
          if (fate === 1 && block.liveCount > 1) block.kill(entry.seq, entry.bytes)
          else if (fate === 2) block.settle(entry.seq, 0xfedc_ba98, entry.bytes)
          return block.isLive(entry.seq)
        })
        const again = Block.decode(firstSeq, block.encode())
        expect(again.liveSeqs()).toEqual(kept.map(({ seq }) => seq))
        expect([again.liveCount, again.liveBytes, again.span]).toEqual([block.liveCount, block.liveBytes, block.span])
        expect([...(again.settled ?? [])]).toEqual([...(block.settled ?? [])])
        expect(again.isBare).toBe(block.isBare)
      }),
    )
  })

  test('holds its entries, in their order, without those that are gone', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), offsets, fc.nat(40), (firstSeq, list, from) => {
        const entries = entriesOf(list, firstSeq)
        const data = encode(entries)
        const block = blockOf(entries)
        for (const [i, { seq, bytes }] of entries.entries()) if (i % 3 === 1) block.kill(seq, bytes)
        const expected = entries.filter(({ seq }) => block.isLive(seq) && seq >= firstSeq + from)
        const found = decodeData(block, data, firstSeq + from, refuse)
        expect(found.map(({ seq, bytes, bodyId }) => [seq, bytes, bodyId])).toEqual(
          expected.map(({ seq, bytes, bodyId }) => [seq, bytes, bodyId]),
        )
        for (const [i, { record, message }] of found.entries()) {
          const entry = expected[i] as FifoEntry
          expect([record?.mark, record?.identifiers]).toEqual([entry.mark, entry.identifiers])
          if (entry.bodyId === 0) expect(message?.payload).toEqual(entry.message.payload)
          if (entry.bodyId === 0) expect(message?.topic).toBe(entry.message.topic)
        }
      }),
    )
  })

  test('without data has its settled entries', () => {
    const entries = entriesOf([0, 1], 5)
    const block = blockOf(entries)
    block.kill(5, 100)
    block.settle(6, 9, 101)
    expect(block.isBare).toBe(true)
    const [settled] = decodeData(block, undefined, 0, refuse)
    expect([settled?.seq, settled?.bytes, settled?.record?.mark]).toEqual([6, SETTLED_BYTES, 9])
  })

  test('can be made again from its data, without what has lost its body', () => {
    const entries = entriesOf([0, 4, 9], 50)
    const block = blockOfData(50, encode(entries), new Set([1009]))
    expect(block?.liveSeqs()).toEqual([50, 59])
    expect(block?.hasReferences).toBe(true)
    expect(blockOfData(50, encode(entries).subarray(0, 30), new Set())).toBeUndefined()
  })

  test('of any bytes is read or refused, and nothing else', () => {
    fc.assert(
      fc.property(
        bytesLike(offsets.map((list) => encode(entriesOf(list, 1)))),
        fc.integer({ min: 1, max: 20 }),
        (data, span) => {
          const block = new Block(1, span)
          for (let seq = 1; seq <= span; seq++) block.add(seq, 10)
          const entries = decodeData(block, data, 0, (error) => expect(error).toBeInstanceOf(SluiceError))
          expect(entries.map(({ seq }) => seq)).toEqual(block.liveSeqs())
        },
      ),
      runsWithin(1000, 500),
    )
  })
})
