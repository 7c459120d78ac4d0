/**
 * A rate with a second's worth in hand. More may be taken than is there, for what cannot be cut: the debt is then waited
 * for.
 */
export class TokenBucket {
  private readonly perSecond: number
  private tokens: number
  private filledMs: number

  constructor(perSecond: number, nowMs: number) {
    this.perSecond = perSecond
    this.tokens = perSecond
    this.filledMs = nowMs
  }

  take(count: number): void {
    this.tokens -= count
  }

  /** Milliseconds until there is one token; 0: there is. */
  waitMs(nowMs: number): number {
    // A clock that is set back gives nothing and takes nothing.
    const elapsedMs = Math.max(0, nowMs - this.filledMs)
    this.filledMs = nowMs
    this.tokens = Math.min(this.perSecond, this.tokens + (elapsedMs * this.perSecond) / 1000)
    // The fractions that came one by one add up to a little less than the whole.
    return this.tokens >= 1 - 1e-6 ? 0 : Math.max(1, Math.ceil(((1 - this.tokens) * 1000) / this.perSecond - 1e-6))
  }
}
