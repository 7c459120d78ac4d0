import { SluiceError } from '../base/errors.ts'
import type { ChangeSink } from './batch.ts'
import { metaKey, readU48, writeU48 } from './keys.ts'

const KEY = metaKey('next-number')
const BLOCK = 1 << 16
const RECORD_BYTES = 6

/**
 * Numbers that are never given twice, also over a crash: they are reserved in blocks, and the reservation is in the
 * same epoch as, or an earlier one than, whatever carries the number.
 */
export class NumberSource {
  static readonly key: Buffer = KEY
  private following: number
  private reserved: number

  /** `stored`: what the store holds under `NumberSource.key`. Throws a SluiceError when that is no number. */
  constructor(stored: Buffer | undefined) {
    if (stored !== undefined && stored.length !== RECORD_BYTES) {
      throw new SluiceError('STORE_RECORD_DAMAGED', 'the number from which on numbers are free cannot be read')
    }
    this.following = stored === undefined ? 1 : readU48(stored, 0)
    this.reserved = this.following
  }

  next(changes: ChangeSink): number {
    const number = this.following++
    if (number >= this.reserved) {
      this.reserved = number + BLOCK
      const value = Buffer.allocUnsafe(RECORD_BYTES)
      writeU48(value, this.reserved, 0)
      changes.put(KEY, value)
    }
    return number
  }
}
