import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Fifo } from '../../src/store/fifo.ts'
import { metaKey } from '../../src/store/keys.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'

const CHILD = fileURLToPath(new URL('./store-child.mjs', import.meta.url))
const ROUNDS = 8

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-crash-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** Lets the child commit so often, kills it, and answers the last promise it had made. */
async function runAndKill(durability: string, commits: number): Promise<{ pushed: number; acknowledged: number }> {
  const child = spawn(process.execPath, [CHILD, folder, durability], { stdio: ['ignore', 'pipe', 'pipe'] })
  const errors: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const exited = once(child, 'exit')
  let last = ''
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    last = line
    // Lines that are still on their way were promised too: the loop goes on until the pipe is empty.
    if (++seen === commits) child.kill('SIGKILL')
  }
  await exited
  expect(Buffer.concat(errors).toString()).toBe('')
  expect(seen).toBeGreaterThanOrEqual(commits)
  const [pushed = 0, acknowledged = 0] = last.split(' ').map(Number)
  return { pushed, acknowledged }
}

async function serials(store: Store, fifoId: number): Promise<number[]> {
  const fifo = new Fifo(store, fifoId, { durable: true, messagesMax: 1e9, bytesMax: 1e12, windowBytes: 1e9 })
  const found: number[] = []
  for (;;) {
    const entry = fifo.next()
    if (entry !== undefined) {
      const serial = Number(entry.message.payload)
      expect(entry.message.payload.length).toBe(`${serial}`.padEnd(serial % 200).length)
      expect(entry.mark).toBe(serial % 7)
      found.push(serial)
    } else if (fifo.loading) await new Promise<void>((resolve) => (fifo.onReady = resolve))
    else break
  }
  expect(found.length).toBe(fifo.count)
  return found
}

test.each(['fsync', 'os'])(
  'with durability %s everything committed is there after kill -9',
  async (durability) => {
    let acknowledgedBefore = 0
    for (let round = 0; round < ROUNDS; round++) {
      const { pushed, acknowledged } = await runAndKill(durability, 1 + Math.floor(Math.random() * 40))
      const store = await openStore({ folder, durability: 'os' })
      const worked = await serials(store, 1)
      const kept = await serials(store, 2)
      const last = Number(await store.get(metaKey('serial')))
      expect(last).toBeGreaterThanOrEqual(pushed)
      // One turn's changes arrive together or not at all: both queues end with the serial number that was put with them.
      expect(kept).toEqual(Array.from({ length: last }, (_, i) => i + 1))
      const first = worked[0] ?? 0
      expect(first).toBeGreaterThan(Math.max(acknowledged, acknowledgedBefore))
      expect(worked).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i))
      expect(worked.length).toBeGreaterThanOrEqual(50)
      acknowledgedBefore = first - 1
      await store.close()
    }
  },
  60_000,
)
