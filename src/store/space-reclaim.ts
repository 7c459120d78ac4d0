import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Backend } from './backend.ts'
import { blockDataKey, blockKey, bodyKey, KIND_BLOCK, KIND_BLOCK_DATA, KIND_BODY, kindKey } from './keys.ts'

/** Keys with a number in a row, of which most were deleted. */
interface Span {
  from: number
  to: number
  bytes: number
}

type Slice = readonly [from: Buffer, to: Buffer]

// Less than that is not worth the reading.
const DELETED_BYTES_MIN = 64 * 1024 * 1024
// Each slice costs a flush of what LevelDB has in memory.
const SLICE_BYTES = 128 * 1024 * 1024
const DELAY_MS = 10_000
// While a queue drains, its consumers need the disk more.
const DELAYS_MAX = 6
const RETRY_MS = 60_000
// Queues that come once would fill memory with what little each of them left.
const QUEUES_MAX = 10_000

/**
 * Gives the space of deleted messages back to the file system. LevelDB does it by itself only as more is written, so that
 * after a large backlog was drained the disk would stay full. Asked for are only the ranges in which something was
 * deleted, when that is at least half of what the disk holds, in slices one after the other, so that neither a write nor
 * the end of the process waits for long.
 */
export class SpaceReclaim {
  private readonly backend: Backend
  private readonly clock: Clock
  private readonly log: Log
  private deletedBytes = 0
  private lookedAtBytes = 0
  private delays = 0
  private data = new Map<number, Span>()
  private lone = new Map<number, Span>()
  private bodies: Span | undefined
  private readonly unfinished: Slice[] = []
  private hasFailed = false
  private timer: unknown
  private running: Promise<void> | undefined
  private closed = false

  constructor(backend: Backend, clock: Clock, log: Log) {
    this.backend = backend
    this.clock = clock
    this.log = log
  }

  /** The data of a block is being deleted; `isInside`: which is in the same record. */
  dataDeleted(fifoId: number, firstSeq: number, bytes: number, isInside: boolean): void {
    if (this.backend.compact === undefined) return
    const spans = isInside ? this.lone : this.data
    const span = spans.get(fifoId)
    if (span === undefined) {
      const [oldest] = spans.size < QUEUES_MAX ? [] : spans.keys()
      if (oldest !== undefined) spans.delete(oldest)
      spans.set(fifoId, { from: firstSeq, to: firstSeq, bytes })
    } else widen(span, firstSeq, bytes)
    this.count(bytes)
  }

  bodyDeleted(bodyId: number, bytes: number): void {
    if (this.bodies === undefined) this.bodies = { from: bodyId, to: bodyId, bytes }
    else widen(this.bodies, bodyId, bytes)
    this.count(bytes)
  }

  /** The start has found so many bytes of live entries: what was deleted before it is not known otherwise. */
  recovered(liveBytes: number): void {
    if (this.backend.compact === undefined) return
    this.timer = this.clock.after(DELAY_MS, () => this.begin(() => this.runAfterStart(liveBytes)))
  }

  /** Waits for the slice that is being done, and begins no other. */
  async close(): Promise<void> {
    this.closed = true
    this.clock.clear(this.timer)
    await this.running
  }

  private count(bytes: number): void {
    this.deletedBytes += bytes
    if (this.timer !== undefined || this.deletedBytes < DELETED_BYTES_MIN || this.closed) return
    if (this.backend.compact === undefined) return
    this.wait()
  }

  private wait(): void {
    this.timer = this.clock.after(DELAY_MS, () => {
      const isBusy = this.deletedBytes - this.lookedAtBytes >= DELETED_BYTES_MIN
      this.lookedAtBytes = this.deletedBytes
      if (isBusy && ++this.delays < DELAYS_MAX) {
        this.wait()
        return
      }
      this.delays = 0
      this.begin(() => this.run())
    })
  }

  private begin(work: () => Promise<void>): void {
    this.running = work()
      .then(
        () => {
          this.hasFailed = false
          this.timer = undefined
        },
        (error: unknown) => this.retry(work, error),
      )
      .finally(() => {
        this.running = undefined
      })
  }

  /** The disk is full or broken: of that the log says more when something is to be written. */
  private retry(work: () => Promise<void>, error: unknown): void {
    this.timer = undefined
    if (this.closed) return
    if (!this.hasFailed) {
      const why = error instanceof Error ? error.message : String(error)
      this.log.warn({ why }, 'the space of deleted messages could not be given back, and is tried again')
    }
    this.hasFailed = true
    this.timer = this.clock.after(RETRY_MS, () => this.begin(work))
  }

  private async run(): Promise<void> {
    const isWorthIt = this.deletedBytes >= DELETED_BYTES_MIN && this.deletedBytes * 2 >= (await this.size(KIND_BODY))
    if (isWorthIt) this.unfinished.push(...this.takeSlices())
    if (this.unfinished.length > 0) await this.compact(this.unfinished)
  }

  private async runAfterStart(liveBytes: number): Promise<void> {
    const size = await this.size(KIND_BLOCK)
    const [from, to] = [kindKey(KIND_BLOCK), kindKey(KIND_BLOCK_DATA + 1)]
    const isWorthIt = size >= DELETED_BYTES_MIN && liveBytes * 2 <= size
    // What LevelDB has compacted while the start was reading stays on the disk until the next time it looks: now.
    await this.compact([isWorthIt ? [from, to] : [from, from]])
  }

  /** Leaves in `slices` what is still to be done when one fails. */
  private async compact(slices: Slice[]): Promise<void> {
    const before = await this.size(KIND_BODY)
    for (let slice = slices[0]; slice !== undefined; slice = slices[0]) {
      if (this.closed) return
      await this.backend.compact?.(...slice)
      slices.shift()
    }
    const bytes = before - (await this.size(KIND_BODY))
    if (bytes > 0) this.log.info({ bytes }, 'gave the space of deleted messages back')
  }

  /** Bytes on disk of everything from this kind on that is deleted in bulk. */
  private async size(kind: number): Promise<number> {
    return (await this.backend.sizeOf?.(kindKey(kind), kindKey(KIND_BLOCK_DATA + 1))) ?? 0
  }

  private takeSlices(): Slice[] {
    const { data, lone, bodies } = this
    this.data = new Map()
    this.lone = new Map()
    this.bodies = undefined
    this.deletedBytes = 0
    this.lookedAtBytes = 0
    const ofBodies = bodies === undefined ? [] : cut(bodies, bodyKey)
    return [...ofBodies, ...slicesOf(data, blockDataKey), ...slicesOf(lone, blockKey)]
  }
}

/** Many small queues with numbers next to each other are one slice. */
function slicesOf(spans: ReadonlyMap<number, Span>, keyOf: (fifoId: number, seq: number) => Buffer): Slice[] {
  const slices: Slice[] = []
  let gathered: { from: Buffer; to: Buffer; bytes: number } | undefined
  for (const [fifoId, span] of [...spans].sort(([a], [b]) => a - b)) {
    if (span.bytes >= SLICE_BYTES) {
      slices.push(...cut(span, (seq) => keyOf(fifoId, seq)))
      continue
    }
    const to = keyOf(fifoId, span.to + 1)
    gathered ??= { from: keyOf(fifoId, span.from), to, bytes: 0 }
    gathered.to = to
    gathered.bytes += span.bytes
    if (gathered.bytes < SLICE_BYTES) continue
    slices.push([gathered.from, gathered.to])
    gathered = undefined
  }
  if (gathered !== undefined) slices.push([gathered.from, gathered.to])
  return slices
}

function widen(span: Span, number: number, bytes: number): void {
  if (number < span.from) span.from = number
  if (number > span.to) span.to = number
  span.bytes += bytes
}

function cut({ from, to, bytes }: Span, keyOf: (number: number) => Buffer): Slice[] {
  const pieces = Math.ceil(bytes / SLICE_BYTES)
  const step = Math.ceil((to + 1 - from) / pieces)
  return Array.from({ length: pieces }, (_, i) => [
    keyOf(from + i * step),
    keyOf(Math.min(from + (i + 1) * step, to + 1)),
  ])
}
