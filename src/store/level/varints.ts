/** Reads the numbers of variable length in LevelDB's files, one after the other. */
export class Varints {
  at: number
  private readonly bytes: Buffer

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.at = at
  }

  /** Throws RangeError where the number is cut off. */
  next(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at++]
      if (byte === undefined || factor > 2 ** 49) throw new RangeError('a number is cut off')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }
}
