const SECONDS = 10
const SLOTS = SECONDS + 1

/** Events per second over the last ten seconds, counted exactly in slots of a second. No timer, no list of events. */
export class Rate {
  private readonly slots = new Float64Array(SLOTS)
  private latest = 0
  private startMs = 0

  add(nowMs: number, count = 1): void {
    if (this.startMs === 0) this.startMs = nowMs
    const second = Math.floor(nowMs / 1000)
    if (second !== this.latest) this.turn(second)
    this.slots[second % SLOTS] = (this.slots[second % SLOTS] ?? 0) + count
  }

  /** Of the ten full seconds before this one and of what has passed of it; at least a second. */
  perSecond(nowMs: number): number {
    if (this.startMs === 0) return 0
    const second = Math.floor(nowMs / 1000)
    if (second !== this.latest) this.turn(second)
    let sum = 0
    for (const count of this.slots) sum += count
    const spanMs = Math.min(nowMs - this.startMs, SECONDS * 1000 + (nowMs % 1000))
    return sum / (Math.max(spanMs, 1000) / 1000)
  }

  private turn(second: number): void {
    // A clock that was set back starts the count again rather than mixing two times.
    const passed = second < this.latest ? SLOTS : Math.min(second - this.latest, SLOTS)
    for (let i = 0; i < passed; i++) this.slots[(second - i) % SLOTS] = 0
    this.latest = second
  }
}
