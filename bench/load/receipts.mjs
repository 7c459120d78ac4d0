import { at } from './frames.mjs'
import { recordMs } from './latency.mjs'

/** What one client has received: every publisher's serial numbers should come without gap, repetition or disorder. */
export class Receipts {
  /** @param {string} clientId @param {number} publishers how many there are in all */
  constructor(clientId, publishers) {
    this.clientId = clientId
    /** Next serial number expected, by publisher. */
    this.next = new Uint32Array(publishers)
    this.received = 0
    this.missing = 0
    /** Serial numbers below the expected one: repeated, or overtaken by a later one. */
    this.repeatedOrLate = 0
    /** @type {import('./latency.mjs').Latency | undefined} */
    this.latency = undefined
  }

  /** A payload. @param {DataView} view @param {number} from @param {number} nowMs */
  take(view, from, nowMs) {
    const { next, latency } = this
    const publisher = view.getUint32(from + at.publisher, true)
    const serial = view.getUint32(from + at.serial, true)
    if (next[publisher] === serial) next[publisher] = serial + 1
    else this.#irregular(publisher, serial)
    this.received++
    if (latency) recordMs(latency, serial, nowMs - view.getFloat64(from + at.sentMs, true))
  }

  /** @param {number} publisher @param {number} serial */
  #irregular(publisher, serial) {
    const expected = this.next[publisher]
    if (expected === undefined) throw new Error(`${this.clientId}: a message that nobody sent`)
    if (serial < expected) {
      this.repeatedOrLate++
      return
    }
    this.missing += serial - expected
    this.next[publisher] = serial + 1
  }
}
