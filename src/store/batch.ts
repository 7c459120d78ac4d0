/**
 * Changes that reach the disk together, in the order in which they were made. Keys and values stand in parallel
 * arrays, so that the same batch can be written again after a failed write.
 */
export class Batch {
  readonly keys: Buffer[] = []
  /** `undefined` at the place of a key: the key is deleted. */
  readonly values: (Buffer | undefined)[] = []
  bytes = 0

  get length(): number {
    return this.keys.length
  }

  put(key: Buffer, value: Buffer): void {
    this.keys.push(key)
    this.values.push(value)
    this.bytes += key.length + value.length
  }

  del(key: Buffer): void {
    this.keys.push(key)
    this.values.push(undefined)
    this.bytes += key.length
  }

  clear(): void {
    this.keys.length = 0
    this.values.length = 0
    this.bytes = 0
  }
}

/** Where changes go: a batch that is being formed, or the group commit that forms it at the end of the turn. */
export interface ChangeSink {
  put(key: Buffer, value: Buffer): void
  del(key: Buffer): void
}
