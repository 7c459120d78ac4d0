import type { Clock } from '../base/clock.ts'

/** When the next message expires, and when the queue itself does. */
export class QueueTimers {
  private readonly clock: Clock
  private readonly expiresMs: number | undefined
  private readonly messageDue: () => void
  private readonly unused: () => void
  private messageTimer: unknown
  private armedMs = Number.POSITIVE_INFINITY
  private queueTimer: unknown
  private usedMs: number

  constructor(clock: Clock, expiresMs: number | undefined, messageDue: () => void, unused: () => void) {
    this.clock = clock
    this.expiresMs = expiresMs
    this.messageDue = messageDue
    this.unused = unused
    this.usedMs = clock.now()
    this.watch()
  }

  /** The message that is next expires at this time. */
  arm(atMs: number): void {
    if (atMs >= this.armedMs) return
    this.clock.clear(this.messageTimer)
    this.armedMs = atMs
    this.messageTimer = this.clock.after(Math.max(0, atMs - this.clock.now()), () => {
      this.armedMs = Number.POSITIVE_INFINITY
      this.messageDue()
    })
  }

  touch(): void {
    this.usedMs = this.clock.now()
  }

  stop(): void {
    this.clock.clear(this.messageTimer)
    this.clock.clear(this.queueTimer)
    this.armedMs = 0
  }

  // One timer that looks when the queue was used last, instead of a new one for each use.
  private watch(): void {
    if (this.expiresMs === undefined) return
    const leftMs = this.usedMs + this.expiresMs - this.clock.now()
    this.queueTimer = this.clock.after(Math.max(1, leftMs), () => {
      const isDue = this.usedMs + (this.expiresMs ?? 0) <= this.clock.now()
      this.watch()
      if (isDue) this.unused()
    })
  }
}
