/**
 * Decides when the publishers send: as much as their windows allow, or at a fixed rate.
 */
export class Pump {
  constructor() {
    /** @type {import('./publisher.mjs').Publisher[]} */
    this.publishers = []
    this.flooding = false
    this.scheduled = false
    /** At QoS 0 wait for room for this part of the window, so that writes are large. */
    this.batchMin = 1
    this.perPublisherMax = Number.POSITIVE_INFINITY
    this.run = () => {
      this.scheduled = false
      if (this.flooding) this.#flood()
    }
    /** Once per turn of the event loop, after all chunks that were ready. */
    this.wake = () => {
      if (this.scheduled || !this.flooding) return
      this.scheduled = true
      setImmediate(this.run)
    }
  }

  /** @param {number} perPublisherMax messages that each sends in all */
  flood(perPublisherMax = Number.POSITIVE_INFINITY) {
    this.flooding = true
    this.perPublisherMax = perPublisherMax
    this.wake()
  }

  stop() {
    this.flooding = false
  }

  /**
   * Sends at a fixed rate, publishers in turn. A message that had to wait for its publisher's window carries the time
   * at which it was due, so that a broker that stalls cannot hide it.
   *
   * @param {number} perSecond over all publishers
   * @param {number} seconds
   */
  steady(perSecond, seconds) {
    const startMs = performance.now()
    const total = Math.round(perSecond * seconds)
    let count = 0
    return new Promise((done) => {
      const tick = () => {
        const nowMs = performance.now()
        const due = Math.min(total, Math.floor(((nowMs - startMs) * perSecond) / 1000))
        for (; count < due; count++) {
          const publisher = this.publishers[count % this.publishers.length]
          if (!publisher || publisher.credit() === 0) break
          // The timer's own grain of about a millisecond is not the broker's.
          publisher.send(1, Math.min(nowMs, startMs + ((count + 1) * 1000) / perSecond + 2))
        }
        if (count < total) setTimeout(tick, 1)
        else done(undefined)
      }
      tick()
    })
  }

  /** Waits until everything sent has arrived and is acknowledged. @returns {Promise<boolean>} false: it never did */
  async drained(timeoutMs = 15_000) {
    const untilMs = performance.now() + timeoutMs
    while (performance.now() < untilMs) {
      if (this.publishers.every((p) => p.received() === p.sent && (p.layout.qos === 0 || p.settled === p.sent)))
        return true
      await new Promise((next) => setTimeout(next, 2))
    }
    return false
  }

  #flood() {
    const nowMs = performance.now()
    for (const publisher of this.publishers) {
      const count = Math.min(publisher.credit(), this.perPublisherMax - publisher.sent)
      if (count >= this.batchMin) publisher.send(count, nowMs)
    }
  }
}
