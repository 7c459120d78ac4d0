import type { Clock } from '../../base/clock.ts'

const TICK_MS = 1_000

/**
 * Calls `expire` for each item once its time has come, to the second. One timer for all of them, because a broker
 * may keep a million sessions that wait for their end.
 */
export class Expiry<T> {
  private readonly clock: Clock
  private readonly expire: (item: T) => void
  private readonly buckets = new Map<number, Set<T>>()
  private readonly bucketOf = new Map<T, number>()
  private doneUpTo: number
  private timer: unknown

  constructor(clock: Clock, expire: (item: T) => void) {
    this.clock = clock
    this.expire = expire
    this.doneUpTo = Math.floor(clock.now() / TICK_MS)
  }

  /** Replaces an earlier time. */
  schedule(item: T, atMs: number): void {
    this.cancel(item)
    const tick = Math.max(Math.ceil(atMs / TICK_MS), this.doneUpTo + 1)
    const bucket = this.buckets.get(tick)
    if (bucket === undefined) this.buckets.set(tick, new Set([item]))
    else bucket.add(item)
    this.bucketOf.set(item, tick)
    if (this.timer === undefined) this.tickLater()
  }

  cancel(item: T): void {
    const tick = this.bucketOf.get(item)
    if (tick === undefined) return
    this.bucketOf.delete(item)
    const bucket = this.buckets.get(tick)
    bucket?.delete(item)
    if (bucket?.size === 0) this.buckets.delete(tick)
  }

  close(): void {
    this.clock.clear(this.timer)
    this.buckets.clear()
    this.bucketOf.clear()
  }

  private tickLater(): void {
    this.timer = this.clock.after(TICK_MS - (this.clock.now() % TICK_MS), () => {
      this.timer = undefined
      this.run()
      if (this.bucketOf.size > 0 && this.timer === undefined) this.tickLater()
    })
  }

  private run(): void {
    const now = Math.floor(this.clock.now() / TICK_MS)
    const due: T[] = []
    // After a long sleep of the machine there are more seconds than buckets.
    for (const [tick, bucket] of this.buckets) if (tick <= now) due.push(...bucket)
    this.doneUpTo = now
    for (const item of due) {
      this.cancel(item)
      this.expire(item)
    }
  }
}
