/** Where the time comes from: a test passes its own, so that nothing has to sleep. */
export interface Clock {
  /** Wall time in milliseconds since 1970: what is stored, because it must mean the same after a restart. */
  now(): number
  /** Calls `run` once after `delayMs`; the handle goes to `clear`. Never keeps the process alive. */
  after(delayMs: number, run: () => void): unknown
  clear(handle: unknown): void
}

// setTimeout takes 31 bits; a longer delay would fire at once.
const TIMEOUT_MS_MAX = 0x7fffffff

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(delayMs, 0), TIMEOUT_MS_MAX))
    timer.unref()
    return timer
  },
  clear(handle) {
    clearTimeout(handle as NodeJS.Timeout)
  },
}
