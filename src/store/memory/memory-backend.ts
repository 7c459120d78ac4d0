import type { Backend } from '../backend.ts'
import { SCAN_BYTES_MAX } from '../backend.ts'
import type { Batch } from '../batch.ts'

interface Row {
  readonly key: Buffer
  readonly value: Buffer
}

/**
 * Keys and values in memory, gone with the process. The order of keys is only made when a scan asks for it: scans
 * belong to the start and to queues that are paged out, writes to every turn.
 */
export class MemoryBackend implements Backend {
  // Latin-1 maps each byte to one character, so that strings compare like the bytes.
  private readonly rows = new Map<string, Row>()
  private sorted: string[] = []
  private unsorted = false

  write(batch: Batch, done: (error: Error | undefined) => void): void {
    for (const [i, key] of batch.keys.entries()) {
      const value = batch.values[i]
      const name = key.toString('latin1')
      if (value === undefined) this.rows.delete(name)
      else {
        if (!this.rows.has(name)) this.unsorted = true
        this.rows.set(name, { key: Buffer.from(key), value: Buffer.from(value) })
      }
    }
    process.nextTick(done, undefined)
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return Promise.resolve(this.rows.get(key.toString('latin1'))?.value)
  }

  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)))
  }

  scan(from: Buffer, to: Buffer, limit: number, bytesMax = SCAN_BYTES_MAX): Promise<[key: Buffer, value: Buffer][]> {
    const found: [Buffer, Buffer][] = []
    let bytes = 0
    for (const { key, value } of this.range(from, to)) {
      if (found.length >= limit || bytes > bytesMax) break
      found.push([key, value])
      bytes += key.length + value.length
    }
    return Promise.resolve(found)
  }

  scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]> {
    const found: Buffer[] = []
    for (const { key } of this.range(from, to)) {
      if (found.length >= limit) break
      found.push(key)
    }
    return Promise.resolve(found)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  private *range(from: Buffer, to: Buffer): Generator<Row> {
    if (this.unsorted) {
      this.sorted = [...this.rows.keys()].sort()
      this.unsorted = false
    }
    const end = to.toString('latin1')
    const { sorted } = this
    for (let i = firstNotBelow(sorted, from.toString('latin1')); i < sorted.length; i++) {
      const name = sorted[i] ?? ''
      if (name >= end) return
      // A deleted key stays in the order until the next one is added.
      const row = this.rows.get(name)
      if (row !== undefined) yield row
    }
  }
}

function firstNotBelow(sorted: readonly string[], name: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') < name) low = middle + 1
    else high = middle
  }
  return low
}
