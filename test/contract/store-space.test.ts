import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog, type Log } from '../../src/base/log.ts'
import { Message } from '../../src/message/message.ts'
import { Fifo } from '../../src/store/fifo.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { FakeClock } from '../support/fake-clock.ts'

const MIB = 1024 * 1024
const MESSAGES = 2_000
const OPTIONS = { durable: true, messagesMax: 1e9, bytesMax: 1e12, windowBytes: MIB }

let folder: string
let clock: FakeClock
let given: Promise<void>
let log: Log

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-space-'))
  clock = new FakeClock()
  given = new Promise((resolve) => {
    log = { ...silentLog, info: (_, what) => what.startsWith('gave the space') && resolve() }
  })
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

const open = (): Promise<Store> => openStore({ folder, durability: 'os', clock, log })

async function bytesOnDisk(): Promise<number> {
  const names = await readdir(join(folder, 'db'))
  const sizes = await Promise.all(names.map((name) => stat(join(folder, 'db', name)).then(({ size }) => size)))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function fill(store: Store): Promise<Fifo> {
  const fifo = new Fifo(store, 1, OPTIONS)
  for (let i = 0; i < MESSAGES; i++) {
    fifo.push(new Message('t', randomBytes(64 * 1024), 1, false), 1)
    if (i % 100 === 0) await store.commit.flush()
  }
  await store.commit.flush()
  return fifo
}

async function drain(store: Store, fifo: Fifo): Promise<void> {
  while (fifo.count > 0) {
    const entry = fifo.next()
    if (entry === undefined) await new Promise((resolve) => setImmediate(resolve))
    else fifo.ack(entry)
  }
  await store.commit.flush()
}

describe('the disk', () => {
  test('is given back what a drained queue took', async () => {
    const store = await open()
    await clock.advance(10_000)
    const fifo = await fill(store)
    const full = await bytesOnDisk()
    expect(full).toBeGreaterThan(64 * MIB)
    await drain(store, fifo)
    for (let i = 0; i < 2; i++) await clock.advance(10_000)
    await given
    expect(await bytesOnDisk()).toBeLessThan(full / 5)
    await store.close()
  }, 60_000)

  test('is given it back after the next start too', async () => {
    const first = await open()
    await drain(first, await fill(first))
    await first.close()
    const full = await bytesOnDisk()
    expect(full).toBeGreaterThan(64 * MIB)
    const second = await open()
    await clock.advance(10_000)
    // By the broker, or by LevelDB itself when that was faster. Files go while they are looked at.
    const bytes = () => bytesOnDisk().catch(() => full)
    while ((await bytes()) >= full / 5) await new Promise((resolve) => setTimeout(resolve, 20))
    await second.close()
  }, 60_000)
})
