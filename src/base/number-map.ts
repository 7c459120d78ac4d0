const CAPACITY_MIN = 8
// A table that many entries have gone through once is given back when it is empty.
const CAPACITY_KEPT = 256
const FREE = 0
// The golden ratio: spreads numbers in a row, and those with a stride.
const FACTOR = 0x9e3779b1

/**
 * A Map from positive integers for what comes and goes all the time. A Map makes a new table again and again as entries
 * are deleted, and each table leads to the next: one that has grown old in the heap keeps alive all that came after it,
 * until the whole heap is collected. This one has the same table as long as it suffices.
 */
export class NumberMap<V> {
  size = 0
  private keys: number[] = []
  private slots: (V | undefined)[] = []
  /** 32 less the bits of a place in the table. */
  private shift = 32

  get(key: number): V | undefined {
    if (this.size === 0) return undefined
    const { keys } = this
    const mask = keys.length - 1
    for (let at = this.home(key); ; at = (at + 1) & mask) {
      const found = keys[at]
      if (found === key) return this.slots[at]
      if (found === FREE) return undefined
    }
  }

  has(key: number): boolean {
    return this.get(key) !== undefined
  }

  set(key: number, value: V): void {
    if ((this.size + 1) * 2 > this.keys.length) this.grow()
    const { keys } = this
    const mask = keys.length - 1
    let at = this.home(key)
    for (; keys[at] !== FREE; at = (at + 1) & mask) {
      if (keys[at] !== key) continue
      this.slots[at] = value
      return
    }
    keys[at] = key
    this.slots[at] = value
    this.size++
  }

  /** False: there is no such entry. */
  delete(key: number): boolean {
    if (this.size === 0) return false
    const { keys } = this
    const mask = keys.length - 1
    let at = this.home(key)
    for (; keys[at] !== key; at = (at + 1) & mask) if (keys[at] === FREE) return false
    this.size--
    this.close(at, mask)
    if (this.size === 0 && keys.length > CAPACITY_KEPT) this.clear()
    return true
  }

  clear(): void {
    this.slots.fill(undefined)
    this.keys = []
    this.slots = []
    this.shift = 32
    this.size = 0
  }

  /** All values as they are now, in no particular order. */
  values(): V[] {
    return this.slots.filter((value) => value !== undefined)
  }

  [Symbol.iterator](): Iterator<V> {
    return this.values().values()
  }

  private home(key: number): number {
    return Math.imul(key, FACTOR) >>> this.shift
  }

  /** Frees a place, and moves up those behind it that would not be found any more. */
  private close(hole: number, mask: number): void {
    const { keys, slots } = this
    for (let at = (hole + 1) & mask; keys[at] !== FREE; at = (at + 1) & mask) {
      const key = keys[at] as number
      if (((at - this.home(key)) & mask) < ((at - hole) & mask)) continue
      keys[hole] = key
      slots[hole] = slots[at]
      hole = at
    }
    keys[hole] = FREE
    slots[hole] = undefined
  }

  private grow(): void {
    const { keys, slots } = this
    const capacity = Math.max(CAPACITY_MIN, keys.length * 2)
    this.keys = new Array<number>(capacity).fill(FREE)
    this.slots = new Array<V | undefined>(capacity).fill(undefined)
    this.shift = 32 - Math.log2(capacity)
    this.size = 0
    for (const [at, key] of keys.entries()) if (key !== FREE) this.set(key, slots[at] as V)
    slots.fill(undefined)
  }
}
