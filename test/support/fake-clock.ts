import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../src/base/clock.ts'

interface Timer {
  at: number
  order: number
  run: () => void
}

/** A clock that stands still until a test advances it. */
export class FakeClock implements Clock {
  private time = Date.UTC(2030, 0, 1)
  private order = 0
  private readonly timers = new Set<Timer>()

  now(): number {
    return this.time
  }

  after(delayMs: number, run: () => void): Timer {
    // At least a millisecond, so that a timer which always asks for 0 cannot hold advance() forever.
    const timer = { at: this.time + Math.max(1, delayMs), order: this.order++, run }
    this.timers.add(timer)
    return timer
  }

  clear(handle: unknown): void {
    this.timers.delete(handle as Timer)
  }

  /** Runs what falls due within `ms`, in order, each at its own time, with a turn of the event loop after each. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms
    for (let timer = this.earliest(); timer !== undefined && timer.at <= end; timer = this.earliest()) {
      this.timers.delete(timer)
      this.time = timer.at
      timer.run()
      await nextTurn()
    }
    this.time = end
    await nextTurn()
  }

  private earliest(): Timer | undefined {
    let found: Timer | undefined
    for (const timer of this.timers) {
      if (found === undefined || timer.at < found.at || (timer.at === found.at && timer.order < found.order)) {
        found = timer
      }
    }
    return found
  }
}
