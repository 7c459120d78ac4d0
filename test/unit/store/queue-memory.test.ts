import { describe, expect, test } from 'vitest'
import { Message } from '../../../src/message/message.ts'
import { Fifo } from '../../../src/store/fifo.ts'
import { ENTRY_BYTES } from '../../../src/store/fifo-entry.ts'
import { storeOver } from '../../../src/store/open-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { HeldBackend, turn, until } from './held-backend.ts'

const KIB = 1024
const WINDOW = { durable: true, messagesMax: 1e9, bytesMax: 1e12, windowBytes: 1e9 }

/** Takes exactly `KIB` in memory. */
const message = (text = ''): Message => {
  const payload = Buffer.alloc(KIB - ENTRY_BYTES - 1)
  payload.write(text)
  return new Message('a', payload, 1, false)
}

function fill(fifo: Fifo, count: number): void {
  for (let index = 0; index < count; index++) fifo.push(message(`${index}.`), 1)
}

async function committed(store: Store): Promise<void> {
  await store.commit.flush()
  await turn()
}

async function texts(fifo: Fifo): Promise<string[]> {
  const found: string[] = []
  for (;;) {
    const entry = fifo.next()
    if (entry !== undefined) {
      found.push(entry.message.payload.toString('utf8', 0, entry.message.payload.indexOf('.')))
      fifo.ack(entry)
    } else if (fifo.loading) await until(() => !fifo.loading)
    else return found
  }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))

describe('the memory of all queues', () => {
  test('counts a message once, however many queues hold it, and nothing when they are empty', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const fifos = [1, 2, 3].map((fifoId) => new Fifo(store, fifoId, { ...WINDOW, durable: fifoId < 3 }))
    const shared = message()
    const entries = fifos.map((fifo) => fifo.push(shared, 1))
    expect(store.queueMemory.bytes).toBe(KIB + 2 * ENTRY_BYTES)
    for (const [index, fifo] of fifos.entries()) {
      const entry = entries[index]
      if (entry !== undefined) fifo.ack(entry)
    }
    expect(store.queueMemory.bytes).toBe(0)
  })

  test('follows what is settled, sent to disk, read again and destroyed', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const fifo = new Fifo(store, 1, WINDOW)
    fill(fifo, 3)
    const first = fifo.next()
    if (first !== undefined) fifo.settle(first, 9)
    expect(store.queueMemory.bytes).toBe(2 * KIB + ENTRY_BYTES)
    await committed(store)
    fifo.windowBytes = 0
    expect(store.queueMemory.bytes).toBe(ENTRY_BYTES)
    fifo.windowBytes = 1e9
    fifo.peek()
    await until(() => !fifo.loading)
    expect(store.queueMemory.bytes).toBe(2 * KIB + ENTRY_BYTES)
    fifo.destroy()
    expect(store.queueMemory.bytes).toBe(0)
  })

  test('is left first by the queue that nobody takes from and that was not used for longest', async () => {
    const backend = new HeldBackend()
    const store = await storeOver(backend, 'fsync')
    store.queueMemory.bytesMax = 100 * KIB
    backend.held = true
    const [attended, first, second] = [1, 2, 3].map((fifoId) => new Fifo(store, fifoId, WINDOW)) as [Fifo, Fifo, Fifo]
    attended.attended = true
    fill(attended, 20)
    fill(first, 28)
    fill(second, 28)
    // Nothing is on disk yet, so that nothing can leave; but each queue was looked at.
    for (let index = 0; index < 3; index++) await turn()
    expect(store.queueMemory.bytes).toBe(76 * KIB)
    backend.held = false
    backend.complete()
    await committed(store)
    fill(first, 1)
    await committed(store)
    expect(attended.entries().length).toBe(20)
    expect([first.entries().length, second.entries().length]).toEqual([29, 0])
    expect(store.queueMemory.bytes).toBe(49 * KIB)
    expect(await texts(second)).toEqual(numbers(28))
  })

  test('leaves a queue that somebody takes from 64 KiB when the others are not enough', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    store.queueMemory.bytesMax = 200 * KIB
    const fifo = new Fifo(store, 1, WINDOW)
    fifo.attended = true
    fill(fifo, 174)
    await committed(store)
    expect(store.queueMemory.bytes).toBe(174 * KIB)
    fill(fifo, 2)
    await committed(store)
    fill(fifo, 1)
    await committed(store)
    expect(store.queueMemory.bytes).toBeLessThanOrEqual(65 * KIB)
    expect(fifo.count).toBe(177)
    expect((await texts(fifo)).length).toBe(177)
  })

  test('takes a message up to the limit and none beyond it, while nothing can leave', async () => {
    const backend = new HeldBackend()
    const store = await storeOver(backend, 'fsync')
    backend.held = true
    store.queueMemory.bytesMax = 10 * KIB
    store.commit.pendingBytesMax = 5 * KIB
    const fifos = [new Fifo(store, 1, WINDOW), new Fifo(store, 2, { ...WINDOW, durable: false })] as const
    fill(fifos[0], 5)
    fill(fifos[1], 5)
    expect(fifos.map((fifo) => fifo.count)).toEqual([5, 5])
    for (const fifo of fifos) {
      expect(fifo.push(message(), 1)).toBeUndefined()
      expect(fifo.fits(message())).toBe(true)
    }
    const [entry] = fifos[1].entries()
    if (entry !== undefined) fifos[1].ack(entry)
    expect(fifos[0].push(message(), 1)).toBeDefined()
  })

  test('takes what is stored beyond the limit, as long as the disk keeps up', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    store.queueMemory.bytesMax = 10 * KIB
    const kept = new Fifo(store, 1, { ...WINDOW, durable: false })
    const stored = new Fifo(store, 2, WINDOW)
    fill(kept, 10)
    expect(kept.push(message(), 1)).toBeUndefined()
    for (let round = 0; round < 30; round++) {
      expect(stored.push(message(`${round}.`), 1)).toBeDefined()
      await committed(store)
      expect(store.queueMemory.bytes).toBeLessThanOrEqual(11 * KIB)
    }
    expect(await texts(stored)).toEqual(numbers(30))
  })

  test('holds back who has much unacknowledged from seven eighths on, and at the limit who has anything', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    const { queueMemory } = store
    queueMemory.bytesMax = 1024 * KIB
    const fifo = new Fifo(store, 1, { ...WINDOW, durable: false })
    const held = (): boolean[] => [0, 1, 64 * KIB - 1, 64 * KIB].map((bytes) => queueMemory.holdsBack(bytes))
    fill(fifo, 896)
    expect(held()).toEqual([false, false, false, false])
    fill(fifo, 1)
    expect(held()).toEqual([false, false, false, true])
    fill(fifo, 127)
    expect(held()).toEqual([false, true, true, true])
  })

  test('leaves each of very many queues its share', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    store.queueMemory.bytesMax = 512 * KIB
    const fifos = Array.from({ length: 16 }, (_, index) => new Fifo(store, index + 1, WINDOW))
    for (const fifo of fifos) fifo.attended = true
    for (const fifo of fifos) fill(fifo, 32)
    await committed(store)
    for (const fifo of fifos) fill(fifo, 1)
    await committed(store)
    await turn()
    expect(store.queueMemory.shortWindowBytes).toBe(KIB)
    expect(store.queueMemory.bytes).toBeLessThanOrEqual(448 * KIB)
    for (const fifo of fifos) expect((await texts(fifo)).length).toBe(33)
  })

  test('keeps taking what is many times its limit, and every queue gives all of it back in order', async () => {
    const store = await storeOver(new HeldBackend(), 'fsync')
    store.queueMemory.bytesMax = 256 * KIB
    const fifos = Array.from({ length: 50 }, (_, index) => new Fifo(store, index + 1, WINDOW))
    for (let round = 0; round < 40; round++) {
      for (const fifo of fifos) expect(fifo.push(message(`${round}.`), 1)).toBeDefined()
      await committed(store)
    }
    expect(store.queueMemory.bytes).toBeLessThanOrEqual(256 * KIB)
    for (const fifo of fifos) expect(await texts(fifo)).toEqual(numbers(40))
    expect(store.queueMemory.bytes).toBe(0)
  })
})
