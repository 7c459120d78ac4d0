import { describe, expect, test } from 'vitest'
import { Message } from '../../../src/message/message.ts'
import { Fifo } from '../../../src/store/fifo.ts'
import type { FifoEntry } from '../../../src/store/fifo-entry.ts'
import { storeOver } from '../../../src/store/open-store.ts'
import { HeldBackend } from './held-backend.ts'

const CHUNK_BYTES = 64 * 1024
const PAYLOAD_BYTES = 100
const WINDOW_BYTES = 64 * 1024
const PINNED_WINDOWS = 4

const LIMITS = { durable: true, messagesMax: 1e9, bytesMax: 1e12, windowBytes: WINDOW_BYTES }

/** Messages as they come from a socket: each a small part of the chunk that they were read in. */
function messages(count: number): Message[] {
  const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  return Array.from({ length: count }, (_, i) => {
    const payload = chunk.subarray(i * PAYLOAD_BYTES, (i + 1) * PAYLOAD_BYTES).fill(i)
    return new Message('a/b', payload, 1, false)
  })
}

async function world() {
  const backend = new HeldBackend()
  const store = await storeOver(backend, 'fsync')
  return { backend, store, fifo: new Fifo(store, 1, LIMITS) }
}

const pinnedBytes = (entries: readonly (FifoEntry | undefined)[]): number => {
  const buffers = new Set(entries.map((entry) => entry?.message.payload.buffer))
  return [...buffers].reduce((sum, buffer) => sum + (buffer?.byteLength ?? 0), 0)
}

describe('the bytes of a message in a durable FIFO', () => {
  test('are those that were written, once it is', async () => {
    const { store, fifo } = await world()
    const three = messages(3)
    const entries = three.map((each) => fifo.push(each, 0))
    expect(pinnedBytes(entries)).toBe(CHUNK_BYTES)
    await store.commit.flush()
    expect(pinnedBytes(entries)).toBeLessThan(4 * PAYLOAD_BYTES + 200)
    for (const [i, { payload }] of three.entries()) expect(payload).toEqual(Buffer.alloc(PAYLOAD_BYTES, i))
  })

  test('are its own when several FIFOs hold it, or none that is durable', async () => {
    const { store, fifo } = await world()
    const [shared, lone] = messages(2) as [Message, Message]
    const other = new Fifo(store, 2, LIMITS)
    for (const each of [fifo, other]) each.push(shared, 0)
    new Fifo(store, 3, { ...LIMITS, durable: false }).push(lone, 0)
    expect(lone.payload.buffer.byteLength).toBe(PAYLOAD_BYTES)
    await store.commit.flush()
    expect(shared.payload.buffer.byteLength).toBe(PAYLOAD_BYTES)
  })

  test('are its own at once while much waits for the disk', async () => {
    const { backend, fifo, store } = await world()
    backend.held = true
    fifo.push(new Message('a/b', Buffer.alloc(300_000), 1, false), 0)
    const [message] = messages(1) as [Message]
    fifo.push(message, 0)
    expect(message.payload.buffer.byteLength).toBe(PAYLOAD_BYTES)
    backend.held = false
    await store.commit.flush()
  })

  test('keep little more in memory than the window, however few of those written together stay', async () => {
    const { store, fifo } = await world()
    const kept: FifoEntry[] = []
    for (let round = 0; round < 100; round++) {
      for (const message of messages(200)) fifo.push(message, 0)
      await store.commit.flush()
      for (let i = 0; i < 200; i++) {
        const entry = fifo.next() as FifoEntry
        if (i === 0) kept.push(entry)
        else fifo.ack(entry)
      }
    }
    expect(kept).toHaveLength(100)
    expect(pinnedBytes(kept)).toBeLessThan((PINNED_WINDOWS + 1) * WINDOW_BYTES)
    for (const { message } of kept) expect(message.payload).toEqual(Buffer.alloc(PAYLOAD_BYTES, 0))
  })
})
