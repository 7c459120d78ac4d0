import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import { blockDataKey, blockKey, bodyKey } from '../../../src/store/keys.ts'
import { MemoryBackend } from '../../../src/store/memory/memory-backend.ts'
import { SpaceReclaim } from '../../../src/store/space-reclaim.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { turn } from './held-backend.ts'

const MIB = 1024 * 1024

/** A disk of a stated size that notes which ranges it was asked to compact. */
class SizedBackend extends MemoryBackend {
  size = 100 * MIB
  readonly compacted: string[] = []
  private finish: (() => void) | undefined
  held = false
  isFull = false

  sizeOf(): Promise<number> {
    if (Number.isNaN(this.size)) return Promise.reject(new Error('Database is not open: cannot call approximateSize()'))
    return Promise.resolve(this.size)
  }

  compact(from: Buffer, to: Buffer): Promise<void> {
    if (this.isFull) return Promise.reject(new Error('no space'))
    this.compacted.push(`${from.toString('hex')}-${to.toString('hex')}`)
    if (!this.held) return Promise.resolve()
    return new Promise((resolve) => {
      this.finish = resolve
    })
  }

  complete(): void {
    this.finish?.()
  }
}

const range = (from: Buffer, to: Buffer): string => `${from.toString('hex')}-${to.toString('hex')}`

function open(): { backend: SizedBackend; clock: FakeClock; reclaim: SpaceReclaim; warnings: object[] } {
  const [backend, clock] = [new SizedBackend(), new FakeClock()]
  const warnings: object[] = []
  const log = { ...silentLog, warn: (what: object) => void warnings.push(what) }
  return { backend, clock, reclaim: new SpaceReclaim(backend, clock, log), warnings }
}

async function pass(clock: FakeClock, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) await clock.advance(10_000)
  for (let i = 0; i < 5; i++) await turn()
}

describe('giving space back', () => {
  test('begins when nothing has been deleted for ten seconds, where it was deleted', async () => {
    const { backend, clock, reclaim } = open()
    reclaim.dataDeleted(7, 100, 30 * MIB, false)
    reclaim.dataDeleted(7, 50, 30 * MIB, false)
    reclaim.dataDeleted(9, 3, 10 * MIB, false)
    reclaim.dataDeleted(9, 8, 1000, true)
    reclaim.bodyDeleted(5, 1000)
    await pass(clock)
    expect(backend.compacted).toEqual([])
    await pass(clock)
    expect(backend.compacted).toEqual([
      range(bodyKey(5), bodyKey(6)),
      range(blockDataKey(7, 50), blockDataKey(9, 4)),
      range(blockKey(9, 8), blockKey(9, 9)),
    ])
    await pass(clock, 10)
    expect(backend.compacted).toHaveLength(3)
  })

  test('waits for a queue that drains, but not for ever', async () => {
    const { backend, clock, reclaim } = open()
    for (let seconds = 0; seconds < 60; seconds += 10) {
      expect(backend.compacted).toEqual([])
      reclaim.dataDeleted(1, seconds + 1, 64 * MIB, false)
      await pass(clock)
    }
    expect(backend.compacted).toHaveLength(3)
  })

  test('cuts what one queue has deleted into slices that leave nothing out', async () => {
    const { backend, clock, reclaim } = open()
    reclaim.dataDeleted(1, 1, 150 * MIB, false)
    reclaim.dataDeleted(1, 10, 150 * MIB, false)
    await pass(clock, 2)
    const bounds = [1, 5, 9, 11].map((seq) => blockDataKey(1, seq))
    expect(backend.compacted).toEqual([0, 1, 2].map((i) => range(bounds[i] as Buffer, bounds[i + 1] as Buffer)))
  })

  test('is not worth it for little, or where most is still needed', async () => {
    const { backend, clock, reclaim } = open()
    reclaim.dataDeleted(1, 1, 63 * MIB, false)
    await pass(clock, 10)
    backend.size = 1000 * MIB
    reclaim.dataDeleted(1, 2, 10 * MIB, false)
    await pass(clock, 10)
    expect(backend.compacted).toEqual([])
    reclaim.dataDeleted(1, 3, 500 * MIB, false)
    await pass(clock, 2)
    expect(backend.compacted.length).toBeGreaterThan(0)
  })

  test('ends with the slice that is being done when the store is closed', async () => {
    const { backend, clock, reclaim } = open()
    backend.held = true
    reclaim.dataDeleted(1, 1, 300 * MIB, false)
    await pass(clock, 2)
    let isClosed = false
    const closing = reclaim.close().then(() => {
      isClosed = true
    })
    await turn()
    expect(isClosed).toBe(false)
    backend.complete()
    await closing
    expect(backend.compacted).toHaveLength(1)
    reclaim.dataDeleted(1, 2, 300 * MIB, false)
    await pass(clock, 10)
    expect(backend.compacted).toHaveLength(1)
  })

  test('is tried again after the disk has refused, and said once, without where in the program', async () => {
    const { backend, clock, reclaim, warnings } = open()
    backend.isFull = true
    reclaim.dataDeleted(1, 1, 100 * MIB, false)
    await pass(clock, 20)
    expect(warnings).toEqual([{ why: 'no space' }])
    backend.isFull = false
    reclaim.dataDeleted(2, 2, 100 * MIB, false)
    await pass(clock, 6)
    expect(backend.compacted).toEqual([
      range(blockDataKey(1, 1), blockDataKey(1, 2)),
      range(blockDataKey(2, 2), blockDataKey(2, 3)),
    ])
    await pass(clock, 20)
    expect(backend.compacted).toHaveLength(2)
  })

  test('is tried again when the disk fails right after a start', async () => {
    const { backend, clock, reclaim, warnings } = open()
    backend.size = Number.NaN
    reclaim.recovered(0)
    await pass(clock)
    expect(warnings).toEqual([{ why: 'Database is not open: cannot call approximateSize()' }])
    backend.size = 100 * MIB
    await pass(clock, 6)
    expect(backend.compacted).toHaveLength(1)
  })

  test('is not tried again once the store is closed', async () => {
    const { backend, clock, reclaim } = open()
    backend.isFull = true
    reclaim.dataDeleted(1, 1, 100 * MIB, false)
    await pass(clock, 2)
    await reclaim.close()
    backend.isFull = false
    await pass(clock, 20)
    expect(backend.compacted).toEqual([])
  })
})
