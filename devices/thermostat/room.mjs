const targetMin = 5
const targetMax = 30
const outside = 8
/** Degrees below the target at which the heating goes on, and above it at which it goes off. */
const hysteresis = 0.3

/** A room with a heater: warms while it heats, cools towards the weather outside while it does not. */
export class Room {
  temperature = 18.5
  target = 20
  heating = false

  /** @param {number} seconds */
  pass(seconds) {
    // One step is at most a minute of the room's time, however rarely the board reports.
    const step = Math.min(seconds, 60)
    if (this.temperature < this.target - hysteresis) this.heating = true
    if (this.temperature > this.target + hysteresis) this.heating = false
    const cooling = (this.temperature - outside) * 0.0004
    this.temperature += ((this.heating ? 0.02 : 0) - cooling) * step
  }

  /**
   * Does what a command says: a number, or JSON with a number as `target`.
   *
   * @param {Buffer} payload
   * @returns {{ accepted: true, target: number } | { accepted: false, error: string }}
   */
  command(payload) {
    const target = payload.length <= 256 ? readTarget(payload.toString()) : undefined
    if (target === undefined) return { accepted: false, error: 'expected a number or {"target": number}' }
    if (target < targetMin || target > targetMax) {
      return { accepted: false, error: `the target has to be from ${targetMin} to ${targetMax}` }
    }
    this.target = target
    return { accepted: true, target }
  }

  report() {
    return { temperature: Math.round(this.temperature * 100) / 100, target: this.target, heating: this.heating }
  }
}

/** @param {string} text @returns {number | undefined} */
function readTarget(text) {
  try {
    const value = JSON.parse(text)
    const target = typeof value === 'number' ? value : value?.target
    return typeof target === 'number' && Number.isFinite(target) ? target : undefined
  } catch {
    return undefined
  }
}
