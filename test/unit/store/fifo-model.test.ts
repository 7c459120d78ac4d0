import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Message } from '../../../src/message/message.ts'
import { Fifo } from '../../../src/store/fifo.ts'
import type { FifoEntry } from '../../../src/store/fifo-entry.ts'
import { KIND_BLOCK_DATA, KIND_BODY, kindKey } from '../../../src/store/keys.ts'
import { storeOver } from '../../../src/store/open-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { HeldBackend, turn } from './held-backend.ts'
import '../../support/property-runs.ts'

const FIFOS = 3

interface Expected {
  readonly seq: number
  readonly text: string
  mark: number
  readonly identifiers: readonly number[]
  readonly pushed: number
  acked: number
  settled: number
  settledMark: number
}

/** What must be on disk, told by epochs alone: nothing of how the FIFO works. */
class Model {
  entries: Expected[] = []

  /** A number that was on disk is never given again. */
  usedSeq = 0

  recover(committed: number): void {
    for (const { seq, pushed, acked } of this.entries) {
      if (pushed <= committed && acked > pushed && seq > this.usedSeq) this.usedSeq = seq
    }
    this.entries = this.entries
      .filter((entry) => entry.pushed <= committed && entry.acked > committed)
      .map((entry) => {
        const settled = entry.settled <= committed
        return {
          ...entry,
          pushed: 0,
          acked: Number.POSITIVE_INFINITY,
          settled: settled ? 0 : Number.POSITIVE_INFINITY,
          mark: settled ? entry.settledMark : entry.mark,
        }
      })
  }

  get live(): Expected[] {
    return this.entries.filter((entry) => entry.acked === Number.POSITIVE_INFINITY)
  }
}

interface Queue {
  fifo: Fifo
  model: Model
  inFlight: FifoEntry[]
  highestSeq: number
}

class World {
  readonly backend = new HeldBackend()
  store!: Store
  queues: Queue[] = []
  private readonly windowBytes: number
  private serial = 0

  constructor(windowBytes: number) {
    this.windowBytes = windowBytes
  }

  async start(): Promise<void> {
    this.store = await storeOver(this.backend, 'os')
    for (let i = 0; i < FIFOS; i++) this.queues[i] = { ...this.open(i), model: new Model(), highestSeq: 0 }
    this.backend.held = true
  }

  open(i: number): { fifo: Fifo; inFlight: FifoEntry[] } {
    const options = { durable: true, messagesMax: 1e9, bytesMax: 1e12, windowBytes: this.windowBytes }
    return { fifo: new Fifo(this.store, i + 1, options), inFlight: [] }
  }

  queue(i: number): Queue {
    const queue = this.queues[i % FIFOS]
    if (queue === undefined) throw new Error(`no queue ${i}`)
    return queue
  }

  push(mask: number, size: number): void {
    const text = `${this.serial++}:${'x'.repeat(size)}`
    const message = new Message('a/b', Buffer.from(text), 1, false)
    for (let i = 0; i < FIFOS; i++) {
      if ((mask & (1 << i)) === 0) continue
      const queue = this.queue(i)
      const identifiers = this.serial % 3 === 0 ? [this.serial, 7] : []
      const entry = queue.fifo.push(message, this.serial % 100, identifiers)
      if (entry === undefined) throw new Error('refused')
      expect(entry.seq).toBeGreaterThan(queue.highestSeq)
      expect(message.commitEpoch).toBe(this.store.commit.formingEpoch)
      queue.highestSeq = entry.seq
      queue.model.entries.push({
        seq: entry.seq,
        text,
        mark: this.serial % 100,
        identifiers,
        pushed: this.store.commit.formingEpoch,
        acked: Number.POSITIVE_INFINITY,
        settled: Number.POSITIVE_INFINITY,
        settledMark: 0,
      })
    }
  }

  async next(queue: Queue): Promise<FifoEntry | undefined> {
    for (;;) {
      const entry = queue.fifo.next()
      if (entry !== undefined || !queue.fifo.loading) {
        if (entry !== undefined) queue.inFlight.push(entry)
        return entry
      }
      await turn()
    }
  }

  expectNext(queue: Queue, entry: FifoEntry | undefined): void {
    const out = new Set(queue.inFlight.filter((other) => other !== entry).map((other) => other.seq))
    const expected = queue.model.live.find((candidate) => !out.has(candidate.seq))
    expect(entry?.seq).toBe(expected?.seq)
    if (entry === undefined || expected === undefined) return
    const settled = expected.settled !== Number.POSITIVE_INFINITY
    expect(entry.settled).toBe(settled)
    if (!settled) expect(entry.identifiers).toEqual(expected.identifiers)
    expect(entry.mark).toBe(settled && expected.settledMark !== 0 ? expected.settledMark : expected.mark)
    if (!settled) expect(entry.message.payload.toString()).toBe(expected.text)
  }

  ack(queue: Queue, pick: number): void {
    const [entry] = queue.inFlight.splice(pick % Math.max(queue.inFlight.length, 1), 1)
    if (entry === undefined) return
    this.noteGone(queue, entry)
    queue.fifo.ack(entry)
  }

  settle(queue: Queue, pick: number): void {
    const entry = queue.inFlight[pick % Math.max(queue.inFlight.length, 1)]
    if (entry === undefined) return
    const expected = queue.model.entries.find((candidate) => candidate.seq === entry.seq)
    if (expected === undefined || expected.settled !== Number.POSITIVE_INFINITY) return
    expected.settled = this.store.commit.formingEpoch
    expected.settledMark = 200
    queue.fifo.settle(entry, 200)
  }

  noteGone(queue: Queue, entry: FifoEntry): void {
    const expected = queue.model.entries.find((candidate) => candidate.seq === entry.seq)
    if (expected !== undefined) expected.acked = this.store.commit.formingEpoch
  }

  async settleDisk(): Promise<void> {
    for (let i = 0; i < 6; i++) {
      this.backend.complete()
      await turn()
    }
  }

  /** The process is gone: only what was committed is left. A write under way may or may not have arrived. */
  async crash(arrived: boolean): Promise<void> {
    if (arrived) this.backend.complete()
    // So that what is on disk and what is called committed are the same.
    await turn()
    const committed = this.store.commit.committedEpoch
    const next = new HeldBackend()
    for (const batch of this.backend.writes) next.write(batch, () => {})
    Object.assign(this, { backend: next })
    this.store = await storeOver(next, 'os')
    next.held = true
    for (const [i, queue] of this.queues.entries()) {
      queue.model.recover(committed)
      Object.assign(queue, this.open(i), { highestSeq: queue.model.usedSeq })
    }
  }

  check(): void {
    for (const { fifo, model, inFlight } of this.queues) {
      expect(fifo.count).toBe(model.live.length)
      expect(fifo.unacknowledgedCount).toBe(inFlight.length)
      expect(fifo.readyCount).toBe(model.live.length - inFlight.length)
    }
  }
}

type Action = (world: World) => void | Promise<void>

const which = fc.nat(FIFOS - 1)
const pick = fc.nat(50)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.integer({ min: 1, max: 7 }), fc.nat(80)).map(pushAction) },
  { weight: 6, arbitrary: which.map(nextAction) },
  {
    weight: 4,
    arbitrary: fc.tuple(which, pick).map(
      ([i, p]) =>
        (world: World) =>
          world.ack(world.queue(i), p),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(which, pick).map(
      ([i, p]) =>
        (world: World) =>
          world.settle(world.queue(i), p),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(which, pick).map(releaseAction) },
  { weight: 1, arbitrary: which.map(rewindAction) },
  { weight: 1, arbitrary: which.map(dropAction) },
  { weight: 1, arbitrary: fc.tuple(which, fc.constantFrom(0, 300, 5000)).map(windowAction) },
  { weight: 1, arbitrary: fc.tuple(which, fc.constantFrom(0, 300, 5000)).map(pageOutAction) },
  { weight: 3, arbitrary: fc.constant(turn) },
  { weight: 3, arbitrary: fc.constant((world: World) => world.backend.complete()) },
  { weight: 1, arbitrary: fc.constant((world: World) => world.settleDisk()) },
  { weight: 1, arbitrary: fc.boolean().map((arrived) => (world: World) => world.crash(arrived)) },
)

function pushAction([mask, size]: [number, number]): Action {
  return (world) => world.push(mask, size)
}

function nextAction(i: number): Action {
  return async (world) => {
    const queue = world.queue(i)
    world.expectNext(queue, await world.next(queue))
  }
}

function releaseAction([i, p]: [number, number]): Action {
  return (world) => {
    const queue = world.queue(i)
    const [entry] = queue.inFlight.splice(p % Math.max(queue.inFlight.length, 1), 1)
    if (entry === undefined) return
    queue.fifo.release(entry)
    expect(entry.redelivered).toBe(true)
  }
}

function rewindAction(i: number): Action {
  return (world) => {
    world.queue(i).fifo.rewind()
    world.queue(i).inFlight = []
  }
}

function dropAction(i: number): Action {
  return (world) => {
    const queue = world.queue(i)
    const entry = queue.fifo.dropOldest()
    if (entry === undefined) return
    expect(queue.inFlight).not.toContain(entry)
    world.noteGone(queue, entry)
  }
}

function windowAction([i, bytes]: [number, number]): Action {
  return (world) => {
    world.queue(i).fifo.windowBytes = bytes
  }
}

function pageOutAction([i, bytes]: [number, number]): Action {
  return (world) => {
    world.queue(i).fifo.pageOut(bytes)
  }
}

test('what is recovered is exactly what was pushed and not acknowledged in committed epochs, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 200, 1000, 100_000),
      fc.array(action, { maxLength: 200, size: 'max' }),
      async (window, run) => {
        const world = new World(window)
        await world.start()
        for (const act of run) {
          await act(world)
          world.check()
        }
        await world.settleDisk()
        await world.crash(false)
        world.check()
        world.backend.held = false
        for (const queue of world.queues) {
          for (;;) {
            const entry = await world.next(queue)
            world.expectNext(queue, entry)
            if (entry === undefined) break
            world.ack(queue, queue.inFlight.indexOf(entry))
          }
        }
        await world.store.commit.flush()
        expect(await world.store.scanKeys(kindKey(KIND_BODY), kindKey(KIND_BLOCK_DATA + 1), 10)).toEqual([])
        expect(world.store.bodies.size).toBe(0)
      },
    ),
    { numRuns: 150, interruptAfterTimeLimit: 5_000 },
  )
}, 20_000)
