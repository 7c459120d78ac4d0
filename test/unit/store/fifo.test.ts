import { describe, expect, test } from 'vitest'
import type { Log } from '../../../src/base/log.ts'
import { silentLog } from '../../../src/base/log.ts'
import { Message } from '../../../src/message/message.ts'
import { Batch } from '../../../src/store/batch.ts'
import { BLOCK_SPAN_MAX } from '../../../src/store/block.ts'
import { Fifo } from '../../../src/store/fifo.ts'
import type { FifoOptions } from '../../../src/store/fifo-options.ts'
import { entrySize, type FifoEntry, SETTLED_BYTES } from '../../../src/store/fifo-entry.ts'
import {
  blockDataKey,
  blockKey,
  KIND_BLOCK,
  KIND_BLOCK_DATA,
  KIND_BODY,
  KIND_HEAD,
  kindKey,
} from '../../../src/store/keys.ts'
import { storeOver } from '../../../src/store/open-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { HeldBackend, until } from './held-backend.ts'

const LARGE = { durable: true, messagesMax: 1e9, bytesMax: 1e12, windowBytes: 1e9 }

const message = (text: string): Message => new Message('a/b', Buffer.from(text), 1, false)
const text = (entry: FifoEntry | undefined): string | undefined => entry?.message.payload.toString()

function fifoOf(store: Store, options: Partial<FifoOptions> = {}, fifoId = 1): Fifo {
  return new Fifo(store, fifoId, { ...LARGE, ...options })
}

function fill(fifo: Fifo, from: number, to: number): void {
  for (let i = from; i < to; i++) fifo.push(message(`${i}`), 1)
}

/** Takes everything there is, waiting for the disk, and acknowledges none of it. */
async function take(fifo: Fifo): Promise<FifoEntry[]> {
  const taken: FifoEntry[] = []
  for (;;) {
    const entry = fifo.next()
    if (entry !== undefined) taken.push(entry)
    else if (fifo.loading) await until(() => !fifo.loading)
    else return taken
  }
}

/** The same disk after the process is gone. */
async function restart(backend: HeldBackend): Promise<Store> {
  return storeOver(backend, 'fsync')
}

const keysOf = async (store: Store, kind: number): Promise<number> =>
  (await store.scanKeys(kindKey(kind), kindKey(kind + 1), 1e6)).length

describe('a FIFO', () => {
  test('hands out in the order of pushing and counts what is out', async () => {
    const fifo = fifoOf(await storeOver(new HeldBackend(), 'fsync'))
    fill(fifo, 0, 3)
    expect(text(fifo.peek())).toBe('0')
    expect([text(fifo.next()), text(fifo.next())]).toEqual(['0', '1'])
    expect([fifo.count, fifo.readyCount, fifo.unacknowledgedCount]).toEqual([3, 1, 2])
  })

  test('takes as many messages as it may and not one more', async () => {
    const fifo = fifoOf(await storeOver(new HeldBackend(), 'fsync'), { messagesMax: 2 })
    fill(fifo, 0, 2)
    const refused = message('2')
    expect(fifo.push(refused, 1)).toBeUndefined()
    expect(refused.commitEpoch).toBe(0)
    fifo.ack(fifo.next() as FifoEntry)
    expect(fifo.push(refused, 1)).toBeDefined()
  })

  test('takes as many bytes as it may and not one more', async () => {
    const size = entrySize(message('0'))
    const fifo = fifoOf(await storeOver(new HeldBackend(), 'fsync'), { bytesMax: 2 * size })
    fill(fifo, 0, 1)
    expect(fifo.push(message('12'), 1)).toBeUndefined()
    expect(fifo.push(message('1'), 1)).toBeDefined()
    expect(fifo.bytes).toBe(2 * size)
  })

  test('puts a released entry back to its place, marked as redelivered', async () => {
    const fifo = fifoOf(await storeOver(new HeldBackend(), 'fsync'))
    fill(fifo, 0, 5)
    const entries = await take(fifo)
    const [a, b, , d, e] = entries
    for (const entry of [d, b, e, a]) if (entry !== undefined) fifo.release(entry)
    const again = await take(fifo)
    expect(again.map(text)).toEqual(['0', '1', '3', '4'])
    expect(again.every((entry) => entry.redelivered)).toBe(true)
  })

  test('hands everything out again after rewind, in order, and what was never out without the mark', async () => {
    const fifo = fifoOf(await storeOver(new HeldBackend(), 'fsync'))
    fill(fifo, 0, 5)
    for (const entry of [fifo.next(), fifo.next(), fifo.next()])
      if (text(entry) === '1') fifo.release(entry as FifoEntry)
    fifo.rewind()
    const again = await take(fifo)
    expect(again.map(text)).toEqual(['0', '1', '2', '3', '4'])
    expect(again.map((entry) => entry.redelivered)).toEqual([true, true, true, false, false])
  })

  test('drops the oldest entry that was never handed out', async () => {
    const fifo = fifoOf(await storeOver(new HeldBackend(), 'fsync'))
    fill(fifo, 0, 4)
    fifo.next()
    fifo.release(fifo.next() as FifoEntry)
    expect([text(fifo.dropOldest()), text(fifo.dropOldest()), fifo.dropOldest()]).toEqual(['2', '3', undefined])
    expect(fifo.count).toBe(2)
  })

  test('ignores an entry that is acknowledged twice, or released after it', async () => {
    const fifo = fifoOf(await storeOver(new HeldBackend(), 'fsync'))
    fill(fifo, 0, 2)
    const entry = fifo.next() as FifoEntry
    fifo.ack(entry)
    fifo.ack(entry)
    fifo.release(entry)
    expect([fifo.count, text(fifo.next()), fifo.next()]).toEqual([1, '1', undefined])
  })

  test('that is not durable never touches the store, and makes no publisher wait', async () => {
    const backend = new HeldBackend()
    const store = await storeOver(backend, 'fsync')
    const fifo = fifoOf(store, { durable: false, windowBytes: 0 })
    const pushed = message('0')
    const entry = fifo.push(pushed, 1)
    await store.commit.flush()
    expect([pushed.commitEpoch, entry?.epoch, pushed.references]).toEqual([0, 0, 0])
    expect(text(fifo.next())).toBe('0')
    expect(backend.writes).toEqual([])
  })

  test('never touches a store of durability memory either', async () => {
    const backend = new HeldBackend()
    const store = await storeOver(backend, 'memory')
    const pushed = message('0')
    fifoOf(store).push(pushed, 1)
    await store.commit.flush()
    expect([pushed.commitEpoch, backend.writes.length]).toEqual([0, 0])
  })
})

describe('a durable FIFO', () => {
  test('tells the publisher which commit to wait for', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const pushed = message('0')
    const entry = fifoOf(store).push(pushed, 1)
    expect([pushed.commitEpoch, entry?.epoch]).toEqual([store.commit.formingEpoch, store.commit.formingEpoch])
  })

  test('writes nothing for what is acknowledged in the turn of its arrival', async () => {
    const backend = new HeldBackend()
    const store = await storeOver(backend, 'fsync')
    const fifo = fifoOf(store)
    for (let i = 0; i < 5000; i++) {
      fifo.push(message(`${i}`), 1)
      fifo.ack(fifo.next() as FifoEntry)
    }
    await store.commit.flush()
    expect(backend.writes).toEqual([])
  })

  test('is back after a restart, with marks and identifiers, and goes on numbering', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    const before = fifoOf(first)
    before.push(message('0'), 7, [3, 268_435_455])
    const last = before.push(message('1'), 0xffff_ffff)
    const bytes = before.bytes
    await first.commit.flush()
    const fifo = fifoOf(await restart(backend))
    expect([fifo.count, fifo.bytes, fifo.readyCount]).toEqual([2, bytes, 2])
    const entries = await take(fifo)
    expect(entries.map((entry) => [text(entry), entry.mark, entry.identifiers])).toEqual([
      ['0', 7, [3, 268_435_455]],
      ['1', 0xffff_ffff, []],
    ])
    expect(fifo.push(message('2'), 1)?.seq).toBeGreaterThan(last?.seq ?? 0)
  })

  test('never gives a number again, though all was acknowledged before the restart', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    const before = fifoOf(first)
    fill(before, 0, 10)
    await first.commit.flush()
    const entries = await take(before)
    for (const entry of entries) before.ack(entry)
    await first.commit.flush()
    const fifo = fifoOf(await restart(backend))
    expect(fifo.count).toBe(0)
    expect(fifo.push(message('new'), 1)?.seq).toBeGreaterThan(entries.at(-1)?.seq ?? 0)
  })

  test('marks everything as redelivered after a crash, since nobody knows what was sent', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    fill(fifoOf(first), 0, 3)
    await first.commit.flush()
    const fifo = fifoOf(await restart(backend), { windowBytes: 0 })
    fifo.push(message('new'), 1)
    expect((await take(fifo)).map((entry) => entry.redelivered)).toEqual([true, true, true, false])
  })

  test('marks only what was handed out after a clean close', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    const before = fifoOf(first)
    fill(before, 0, 4)
    before.next()
    before.next()
    before.close()
    await first.close()
    const second = await restart(backend)
    const fifo = fifoOf(second)
    const entries = await take(fifo)
    expect(entries.map((entry) => [entry.seq, entry.redelivered])).toEqual([
      [1, true],
      [2, true],
      [3, false],
      [4, false],
    ])
    expect(fifo.push(message('new'), 1)?.seq).toBe(5)
    await second.commit.flush()
    const third = fifoOf(await restart(backend))
    expect((await take(third)).every((entry) => entry.redelivered)).toBe(true)
  })

  test('keeps what exceeds its window on disk and brings it back in order', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const fifo = fifoOf(store, { windowBytes: 10 * entrySize(message('100')) })
    fill(fifo, 100, 150)
    await store.commit.flush()
    fill(fifo, 150, 200)
    expect(fifo.readyCount).toBe(100)
    expect((await take(fifo)).map(text)).toEqual(Array.from({ length: 100 }, (_, i) => `${100 + i}`))
  })

  test('brings back in many portions what is too much for one', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    fill(fifoOf(first), 0, 5000)
    await first.commit.flush()
    const fifo = fifoOf(await restart(backend), { windowBytes: 0 })
    expect((await take(fifo)).map(text)).toEqual(Array.from({ length: 5000 }, (_, i) => `${i}`))
  })

  test('says when entries have come from disk', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const fifo = fifoOf(store, { windowBytes: 0 })
    fill(fifo, 0, 1)
    await store.commit.flush()
    let ready = 0
    fifo.onReady = () => ready++
    expect(fifo.next()).toBeUndefined()
    expect(fifo.loading).toBe(true)
    await until(() => ready === 1)
    expect(text(fifo.next())).toBe('0')
  })

  test('leaves memory when its window is made smaller, but for what was handed out', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const fifo = fifoOf(store)
    fill(fifo, 0, 10)
    fifo.next()
    fifo.rewind()
    fifo.windowBytes = 0
    expect(fifo.ready.length).toBe(10)
    await store.commit.flush()
    await store.commit.flush()
    expect(fifo.ready.length).toBe(1)
    expect((await take(fifo)).length).toBe(10)
  })

  test('does not send a message back to disk for being larger than the window when it is next', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const fifo = fifoOf(store, { windowBytes: 100 })
    fifo.push(message('x'.repeat(1000)), 1)
    const entry = fifo.peek()
    fifo.push(message('y'), 1)
    await store.commit.flush()
    await store.commit.flush()
    expect(entry).toBeDefined()
    expect(fifo.next()).toBe(entry)
  })

  test('ignores an entry that has gone back to disk, and hands it out as another object', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const fifo = fifoOf(store, { windowBytes: 0 })
    const entry = fifo.push(message('0'), 1) as FifoEntry
    await store.commit.flush()
    expect(entry.gone).toBe(true)
    fifo.ack(entry)
    expect(fifo.count).toBe(1)
    expect((await take(fifo)).map(text)).toEqual(['0'])
  })

  test('keeps only the mark of a settled entry', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    const before = fifoOf(first)
    before.push(message('x'.repeat(1000)), 1)
    before.push(message('y'.repeat(1000)), 1)
    await first.commit.flush()
    const entry = before.next() as FifoEntry
    before.settle(entry, 9)
    before.ack(before.next() as FifoEntry)
    expect([before.bytes, before.count]).toEqual([SETTLED_BYTES, 1])
    await first.commit.flush()
    const store = await restart(backend)
    const [[, value] = []] = await store.scan(blockKey(1, 0), blockKey(2, 0), 10)
    expect(value?.length).toBeLessThan(30)
    expect(await keysOf(store, KIND_BLOCK_DATA)).toBe(0)
    const fifo = fifoOf(store)
    expect(fifo.bytes).toBe(SETTLED_BYTES)
    const [settled] = await take(fifo)
    expect([settled?.seq, settled?.mark, settled?.settled]).toEqual([entry.seq, 9, true])
  })

  test('notes where it begins, so that a start does not walk over what is gone', async () => {
    const backend = new HeldBackend()
    const store = await storeOver(backend, 'fsync')
    const fifo = fifoOf(store)
    fill(fifo, 0, 80 * BLOCK_SPAN_MAX)
    await store.commit.flush()
    for (const entry of (await take(fifo)).slice(0, 70 * BLOCK_SPAN_MAX)) fifo.ack(entry)
    await store.commit.flush()
    const found = (await restart(backend)).takeRecovered(1)
    expect(found?.count).toBe(10 * BLOCK_SPAN_MAX)
    expect(found?.head.headSeq).toBe(70 * BLOCK_SPAN_MAX + 1)
  })

  test('tries again after a second when the disk cannot be read', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    fill(fifoOf(first), 0, 1)
    await first.commit.flush()
    const clock = new FakeClock()
    const errors: string[] = []
    const log: Log = { ...silentLog, error: (_, what) => errors.push(what) }
    const store = await storeOver(backend, 'fsync', { clock, log })
    const scan = backend.scan.bind(backend)
    backend.scan = () => Promise.reject(new Error('input/output error'))
    const fifo = fifoOf(store)
    expect(fifo.next()).toBeUndefined()
    await until(() => errors.length === 1)
    expect(fifo.loading).toBe(true)
    backend.scan = scan
    await clock.advance(1000)
    await until(() => !fifo.loading)
    expect(text(fifo.next())).toBe('0')
  })

  test('leaves out an entry that cannot be read, says so, and counts right', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    fill(fifoOf(first), 0, 3)
    await first.commit.flush()
    const key = blockDataKey(1, 1)
    const data = (await first.get(key)) ?? Buffer.alloc(0)
    const record = (data.length - 1) / 3
    data[1 + record + 16] = 99
    const damage = new Batch()
    damage.put(key, data)
    await new Promise((resolve) => backend.write(damage, resolve))
    const errors: string[] = []
    const log: Log = { ...silentLog, error: (_, what) => errors.push(what) }
    const fifo = fifoOf(await storeOver(backend, 'fsync', { log }))
    expect((await take(fifo)).map(text)).toEqual(['0', '2'])
    expect([fifo.count, fifo.bytes]).toEqual([2, 2 * entrySize(message('0'))])
    expect(errors).toEqual(['a queued message cannot be read: left out'])
  })
})

describe('a FIFO with damage on disk', () => {
  async function damaged(change: (batch: Batch, key: Buffer) => void): Promise<Fifo> {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    fill(fifoOf(first), 0, 1501)
    await first.commit.flush()
    const damage = new Batch()
    const keys = (await first.scanKeys(blockDataKey(1, 0), blockDataKey(2, 0), 10)).slice(0, -1)
    const store = await restart(backend)
    for (const key of keys) change(damage, key)
    await new Promise((resolve) => backend.write(damage, resolve))
    return fifoOf(store)
  }

  test('goes on behind a whole portion that cannot be read', async () => {
    const fifo = await damaged((batch, key) => batch.put(key, Buffer.from([99])))
    let ready = 0
    fifo.onReady = () => ready++
    expect(fifo.next()).toBeUndefined()
    await until(() => ready > 0)
    expect([text(fifo.next()), fifo.count]).toEqual(['1280', 221])
  })

  test('counts right when entries are missing', async () => {
    const fifo = await damaged((batch, key) => batch.del(key))
    expect(fifo.count).toBe(1501)
    expect((await take(fifo)).map(text)).toEqual(Array.from({ length: 221 }, (_, i) => `${1280 + i}`))
    expect(fifo.next()).toBeUndefined()
    await until(() => !fifo.loading)
    expect([fifo.count, fifo.bytes]).toEqual([221, 221 * entrySize(message('1500'))])
    fifo.push(message('new'), 1)
    expect(text(fifo.next())).toBe('new')
  })
})

describe('a message in several FIFOs', () => {
  test('is stored once, and deleted with its last reference', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const shared = message('shared')
    const fifos = Array.from({ length: 100 }, (_, i) => fifoOf(store, {}, i + 1))
    for (const fifo of fifos) fifo.push(shared, 1)
    await store.commit.flush()
    expect([await keysOf(store, KIND_BLOCK), await keysOf(store, KIND_BODY)]).toEqual([100, 1])
    for (const fifo of fifos.slice(1)) fifo.ack(fifo.next() as FifoEntry)
    await store.commit.flush()
    expect(await keysOf(store, KIND_BODY)).toBe(1)
    fifos[0]?.ack(fifos[0].next() as FifoEntry)
    await store.commit.flush()
    expect([await keysOf(store, KIND_BLOCK), await keysOf(store, KIND_BODY)]).toEqual([0, 0])
  })

  test('is stored within the entry when only one is left as the batch is formed', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const [one, two] = [fifoOf(store, {}, 1), fifoOf(store, {}, 2)]
    const shared = message('shared')
    one.push(shared, 1)
    two.push(shared, 1)
    one.ack(one.next() as FifoEntry)
    await store.commit.flush()
    expect([await keysOf(store, KIND_BLOCK), await keysOf(store, KIND_BODY)]).toEqual([1, 0])
  })

  test('is one object again when several load it after a restart', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    const shared = message('shared')
    for (const id of [1, 2]) fifoOf(first, {}, id).push(shared, 1)
    await first.commit.flush()
    const store = await restart(backend)
    const [one] = await take(fifoOf(store, {}, 1))
    const [two] = await take(fifoOf(store, {}, 2))
    expect(text(one)).toBe('shared')
    expect(one?.message).toBe(two?.message)
    expect(one?.message.references).toBe(2)
  })

  test('gets a body of its own when it is pushed again after all had acknowledged it', async () => {
    const backend = new HeldBackend()
    const store = await storeOver(backend, 'fsync')
    const fifos = [1, 2].map((id) => fifoOf(store, {}, id))
    const shared = message('shared')
    for (let round = 0; round < 2; round++) {
      for (const fifo of fifos) fifo.push(shared, 1)
      await store.commit.flush()
      if (round === 0) for (const fifo of fifos) fifo.ack(fifo.next() as FifoEntry)
    }
    await store.commit.flush()
    const again = await restart(backend)
    expect(await keysOf(again, KIND_BODY)).toBe(1)
    expect((await take(fifoOf(again, {}, 2))).map(text)).toEqual(['shared'])
  })

  test('without a reference is swept at the start', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    first.bodies.retain(message('orphan'), first.commit)
    await first.commit.flush()
    expect(await keysOf(first, KIND_BODY)).toBe(1)
    const store = await restart(backend)
    await store.commit.flush()
    expect(await keysOf(store, KIND_BODY)).toBe(0)
  })
})

describe('a destroyed FIFO', () => {
  const empty = async (store: Store): Promise<boolean> =>
    (await store.scanKeys(kindKey(KIND_HEAD), kindKey(KIND_BLOCK_DATA + 1), 1)).length === 0

  test('leaves nothing on disk, of what is in memory and of what is not', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const [fifo, other] = [fifoOf(store, { windowBytes: 5000 }, 1), fifoOf(store, { windowBytes: 0 }, 2)]
    for (let i = 0; i < 3000; i++) {
      const shared = message(`${i}`)
      fifo.push(shared, 1)
      if (i % 2 === 0) other.push(shared, 1)
    }
    await store.commit.flush()
    for (let i = 0; i < 5; i++) fifo.next()
    fill(fifo, 3000, 3010)
    fifo.destroy()
    other.destroy()
    expect([fifo.count, fifo.bytes, fifo.next(), fifo.push(message('late'), 1)]).toEqual([0, 0, undefined, undefined])
    while (!(await empty(store))) await store.commit.flush()
    expect(store.bodies.size).toBe(0)
  })

  test('is deleted to the end by the next start when the process dies in between', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    const before = fifoOf(first, { windowBytes: 0 })
    fill(before, 0, 5000)
    await first.commit.flush()
    before.destroy()
    await first.commit.flush()
    expect(await keysOf(first, KIND_BLOCK)).toBe(20)
    backend.held = true
    const store = await restart(backend)
    backend.complete()
    backend.held = false
    expect(store.takeRecovered(1)).toBeUndefined()
    while (!(await empty(store))) await store.commit.flush()
    expect(await keysOf(store, KIND_HEAD)).toBe(0)
  })

  test('is also one that nobody takes over after a start', async () => {
    const backend = new HeldBackend()
    const first = await storeOver(backend, 'fsync')
    fill(fifoOf(first, {}, 1), 0, 10)
    fill(fifoOf(first, {}, 2), 0, 10)
    await first.commit.flush()
    const store = await restart(backend)
    const kept = fifoOf(store, {}, 2)
    store.destroyUnclaimed()
    while ((await keysOf(store, KIND_BLOCK)) > 1) await store.commit.flush()
    await store.commit.flush()
    expect(await keysOf(store, KIND_HEAD)).toBe(1)
    expect((await take(kept)).length).toBe(10)
  })
})
