/**
 * What has been measured and not yet been acknowledged by the broker, oldest first, as the flash memory of a board would
 * hold it. When it is full the oldest goes.
 *
 * @template T
 */
export class Backlog {
  /** @type {T[]} */
  #entries = []
  #max
  dropped = 0

  /** @param {number} max */
  constructor(max) {
    this.#max = max
  }

  get size() {
    return this.#entries.length
  }

  /** @param {T} entry */
  add(entry) {
    this.#entries.push(entry)
    if (this.#entries.length <= this.#max) return
    this.#entries.shift()
    this.dropped++
  }

  /** @returns {T | undefined} */
  oldest() {
    return this.#entries[0]
  }

  /** Forgets the entry when it is still the oldest: it may have been dropped meanwhile. @param {T} entry */
  remove(entry) {
    if (this.#entries[0] === entry) this.#entries.shift()
  }
}
