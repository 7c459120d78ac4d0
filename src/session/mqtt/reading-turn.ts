// Reading is most of what there is to do, but commits, timers and what others are to be sent must not wait for long.
const READING_MS = 50

/** A connection of which a chunk, or its end, has come that nobody has looked at. */
export interface Postponed {
  release(): void
}

/**
 * How long connections are read in one turn of the event loop. When ten thousand clients connect, subscribe or leave in
 * the same moment, or all are lost, the system hands over what it has of them in one go; what does not fit into the turn is
 * read in the next ones, in the order in which it came.
 */
export class ReadingTurn {
  private readonly now: () => number
  private open = false
  private beganMs = 0
  private waiting: Postponed[] = []
  private head = 0

  /** `now`: milliseconds of any origin. */
  constructor(now: () => number) {
    this.now = now
  }

  /** True: what has come at `nowMs` may be read at once. */
  admits(nowMs: number): boolean {
    if (!this.open) this.begin(nowMs)
    return this.waiting.length === 0 && nowMs - this.beganMs < READING_MS
  }

  /** `release` is called in one of the next turns. */
  postpone(reader: Postponed): void {
    this.waiting.push(reader)
  }

  private begin(nowMs: number): void {
    this.open = true
    this.beganMs = nowMs
    setImmediate(this.end)
  }

  private readonly end = (): void => {
    this.open = false
    if (this.waiting.length === 0) return
    this.begin(this.now())
    while (this.head < this.waiting.length) {
      if (this.now() - this.beganMs >= READING_MS) return
      this.waiting[this.head++]?.release()
    }
    this.waiting = []
    this.head = 0
  }
}
