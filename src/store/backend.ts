import type { Batch } from './batch.ts'

/** Ordered keys and values on some medium. The group commit is its only writer and writes one batch at a time. */
export interface Backend {
  /**
   * Applies all of the batch or, as far as a reader can tell, none of it, then calls `done` in a later turn or
   * microtask, never before this returns. After an error the same batch may be handed in again: a backend that cannot
   * go on after a failed write heals itself first.
   */
  write(batch: Batch, done: (error: Error | undefined) => void): void
  get(key: Buffer): Promise<Buffer | undefined>
  /** The values of the keys, in their order. */
  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]>
  /** Up to `limit` entries with from <= key < to, ascending; fewer once their size passes `bytesMax`, never none. */
  scan(from: Buffer, to: Buffer, limit: number, bytesMax?: number): Promise<[key: Buffer, value: Buffer][]>
  /** The same for keys alone, which spares reading the values. */
  scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]>
  /** Everything as it is at this moment, page by page, while writing goes on; absent: there is nothing to back up. */
  snapshot?(): AsyncIterable<[key: Buffer, value: Buffer][]>
  /** About how many bytes the entries with from <= key < to take on the medium, deleted ones included. */
  sizeOf?(from: Buffer, to: Buffer): Promise<number>
  /** Gives back what deleted entries with from <= key < to take. Reading and writing go on meanwhile. */
  compact?(from: Buffer, to: Buffer): Promise<void>
  close(): Promise<void>
}

/** What `scan` hands out at most when the caller names no size. */
export const SCAN_BYTES_MAX = 4 * 1024 * 1024
