import { type Clock, systemClock } from '../base/clock.ts'
import { SluiceError } from '../base/errors.ts'
import type { Backend } from './backend.ts'
import { Batch } from './batch.ts'

export type { Batch } from './batch.ts'

/** Asked once, when its epoch is formed: what came and went in the meantime need not be written at all. */
export interface Participant {
  writeTo(batch: Batch): void
}

/** Told once, when the epoch that was forming at the time of `wait` is durable; so is every one up to `epoch`. */
export interface Waiter {
  committed(epoch: number): void
}

interface Epoch {
  readonly number: number
  readonly batch: Batch
  readonly waiters: Waiter[]
  readonly costBytes: number
}

const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5_000
// A larger batch would hold up the disk, and everyone's acknowledgement, for too long.
const BATCH_OPERATIONS_MAX = 20_000
const BATCH_BYTES_MAX = 8 * 1024 * 1024
// Several batches, so that what came and went meanwhile is left out before anybody has to wait.
export const PENDING_BYTES_MAX = 32 * 1024 * 1024
// When thousands of clients come back together, one commit is what all of them wait for: others get their turn in between.
const WAITERS_IN_A_TURN = 500
// About what a change costs in memory besides its key and value.
const CHANGE_BYTES = 128

/**
 * Gathers every change of a turn of the event loop, and of the turns that pass while the disk is busy, into one batch
 * with one sync. Batches ("epochs") are numbered from 1 and become durable strictly in order; one turn's changes are
 * always in one epoch. Nothing here allocates per change but the places in the arrays.
 *
 * A failed write loses nothing and acknowledges nothing: the same batch is written again until it succeeds.
 */
export class GroupCommit {
  /** Called once when writing begins to fail, and once when it works again. */
  onFailure: (error: Error) => void = () => {}
  onRecovery: () => void = () => {}
  /** From so many bytes on that are not durable yet the commit is `congested`. */
  pendingBytesMax = PENDING_BYTES_MAX

  private readonly backend: Backend
  private readonly clock: Clock
  private epoch = 1
  private committed = 0
  private error: Error | undefined
  private batch = new Batch()
  private participants: Participant[] = []
  private participantChanges = 0
  private participantBytes = 0
  private waiters: Waiter[] = []
  /** Of epochs that are durable: those who are not told yet, from `told` on. */
  private durable: Waiter[][] = []
  private told = 0
  private tellsLater = false
  private readonly sealed: Epoch[] = []
  private sealedBytes = 0
  private writing: Epoch | undefined
  private scheduled = false
  private retryMs = RETRY_MS_MIN
  private retryTimer: unknown
  private closing: ((error: Error | undefined) => void) | undefined
  private closed = false

  constructor(backend: Backend, clock: Clock = systemClock) {
    this.backend = backend
    this.clock = clock
  }

  /** Changes made now become durable with this epoch. */
  get formingEpoch(): number {
    return this.epoch
  }

  /** Every epoch up to this one is durable. */
  get committedEpoch(): number {
    return this.committed
  }

  /** Set while the last write has failed and is being tried again: a caller should accept no more durable work. */
  get failure(): Error | undefined {
    return this.error
  }

  /**
   * True while the disk is so far behind that memory fills up with what waits for it: whoever changes more should wait
   * for a commit first.
   */
  get congested(): boolean {
    return this.writing !== undefined && this.pendingBytes >= this.pendingBytesMax
  }

  /** About how much memory is taken by what is not durable yet. */
  get pendingBytes(): number {
    const { batch } = this
    const changes = batch.length + this.participantChanges
    return this.sealedBytes + batch.bytes + this.participantBytes + changes * CHANGE_BYTES
  }

  put(key: Buffer, value: Buffer): void {
    this.batch.put(key, value)
    if (!this.scheduled) this.schedule()
  }

  del(key: Buffer): void {
    this.batch.del(key)
    if (!this.scheduled) this.schedule()
  }

  /** `bytes`: about how much the participant will write. Participants write after the direct changes of the epoch. */
  mark(participant: Participant, bytes = 0): void {
    this.participants.push(participant)
    this.add(bytes)
  }

  /** A participant that is marked already has one more change to write. */
  add(bytes: number): void {
    this.participantChanges++
    this.participantBytes += bytes
    if (!this.scheduled) this.schedule()
  }

  wait(waiter: Waiter): void {
    this.waiters.push(waiter)
    if (!this.scheduled) this.schedule()
  }

  /** Resolves when everything changed so far is durable. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.wait({ committed: () => resolve() }))
  }

  /**
   * Commits what is pending. While writing fails, one more attempt is made at once; when that fails too, rejects.
   * Changes made after it are ignored: nothing of them is acknowledged either.
   */
  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.closing = (error) => {
        this.closed = true
        this.closing = undefined
        if (error === undefined) resolve()
        else reject(closeFailed(error))
      }
      if (this.retryTimer !== undefined) {
        this.clock.clear(this.retryTimer)
        this.retry()
      } else if (!this.scheduled) {
        this.scheduled = true
        setImmediate(this.turn)
      }
    })
  }

  private schedule(): void {
    if (this.writing !== undefined && !this.isFull()) return
    this.scheduled = true
    setImmediate(this.turn)
  }

  private isFull(): boolean {
    return (
      this.batch.length + this.participantChanges >= BATCH_OPERATIONS_MAX ||
      this.batch.bytes + this.participantBytes >= BATCH_BYTES_MAX
    )
  }

  private isPending(): boolean {
    return this.batch.length > 0 || this.participants.length > 0 || this.waiters.length > 0
  }

  private readonly turn = (): void => {
    this.scheduled = false
    if (this.closed) return
    if (this.isPending()) this.seal()
    this.advance()
  }

  private seal(): void {
    const { batch, participants, waiters } = this
    for (let i = 0; i < participants.length; i++) participants[i]?.writeTo(batch)
    const costBytes = batch.bytes + batch.length * CHANGE_BYTES
    this.sealed.push({ number: this.epoch, batch, waiters, costBytes })
    this.sealedBytes += costBytes
    this.epoch++
    this.batch = new Batch()
    this.participants = []
    this.participantChanges = 0
    this.participantBytes = 0
    this.waiters = []
  }

  private advance(): void {
    while (this.writing === undefined) {
      const next = this.sealed.shift()
      if (next === undefined) break
      if (next.batch.length > 0) {
        this.writing = next
        this.backend.write(next.batch, this.written)
        return
      }
      this.finish(next)
    }
    if (this.closing === undefined || this.writing !== undefined || this.durable.length > 0) return
    if (!this.isPending()) this.closing(undefined)
    else if (!this.scheduled) this.schedule()
  }

  private finish(epoch: Epoch): void {
    this.committed = epoch.number
    this.sealedBytes -= epoch.costBytes
    if (epoch.waiters.length === 0) return
    this.durable.push(epoch.waiters)
    if (!this.tellsLater) this.tell()
  }

  private tell(): void {
    let left = WAITERS_IN_A_TURN
    for (let waiters = this.durable[0]; waiters !== undefined; waiters = this.durable[0]) {
      for (; this.told < waiters.length; left--) {
        if (left === 0) {
          this.tellsLater = true
          setImmediate(this.tellMore)
          return
        }
        waiters[this.told++]?.committed(this.committed)
      }
      this.told = 0
      this.durable.shift()
    }
  }

  private readonly tellMore = (): void => {
    this.tellsLater = false
    this.tell()
    if (this.closing !== undefined) this.advance()
  }

  private readonly written = (error: Error | undefined): void => {
    if (error !== undefined) {
      this.failed(error)
      return
    }
    const epoch = this.writing
    this.writing = undefined
    if (this.error !== undefined) {
      this.error = undefined
      this.retryMs = RETRY_MS_MIN
      this.onRecovery()
    }
    if (epoch !== undefined) this.finish(epoch)
    if (this.sealed.length > 0) this.advance()
    // At the end of the turn and not at once: acknowledgements that came meanwhile save writing what they are for.
    else if (!this.scheduled && (this.closing !== undefined || this.isPending())) {
      this.scheduled = true
      setImmediate(this.turn)
    }
  }

  private failed(error: Error): void {
    const first = this.error === undefined
    this.error = error
    if (first) this.onFailure(error)
    if (this.closing !== undefined) {
      this.closing(error)
      return
    }
    this.retryTimer = this.clock.after(this.retryMs, () => this.retry())
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX)
  }

  private retry(): void {
    this.retryTimer = undefined
    if (this.writing !== undefined) this.backend.write(this.writing.batch, this.written)
  }
}

function closeFailed(cause: Error): SluiceError {
  return new SluiceError(
    'STORE_CLOSE_FAILED',
    `the last changes could not be written: ${cause.message}; none of them was acknowledged`,
    { cause },
  )
}
