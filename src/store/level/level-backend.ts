import { Level } from 'level'
import type { Backend } from '../backend.ts'
import { SCAN_BYTES_MAX } from '../backend.ts'
import type { Batch } from '../batch.ts'

// Large enough that most messages are acknowledged, and their keys deleted, before they leave LevelDB's memory.
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024
const CACHE_BYTES = 8 * 1024 * 1024
// LevelDB maps its tables into memory: what is open at once counts as the memory of the process. 64 tables at least are.
const FILE_BYTES = 1024 * 1024
const OPEN_FILES = 74

// classic-level has them, and on Node that is what `level` is; its types speak for the browser too.
interface Ranges {
  approximateSize(from: Buffer, to: Buffer): Promise<number>
  compactRange(from: Buffer, to: Buffer): Promise<void>
}

function database(folder: string): Level<Buffer, Buffer> {
  return new Level<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    writeBufferSize: WRITE_BUFFER_BYTES,
    cacheSize: CACHE_BYTES,
    maxFileSize: FILE_BYTES,
    maxOpenFiles: OPEN_FILES,
  })
}

// Small, so that the broker goes on between two pages of a backup.
const SNAPSHOT_PAGE = 500
const SNAPSHOT_PAGE_BYTES = 512 * 1024

type ScanOptions = { gte: Buffer; lt: Buffer; highWaterMarkBytes: number }

/** Keys and values in a LevelDB database of one folder. */
export class LevelBackend implements Backend {
  private readonly db: Level<Buffer, Buffer>
  private readonly sync: boolean
  private broken = false
  private reopening: Promise<void> | undefined

  private constructor(db: Level<Buffer, Buffer>, sync: boolean) {
    this.db = db
    this.sync = sync
  }

  /** `sync`: a write returns only when the disk has it. Throws what LevelDB throws; its `cause` has the code. */
  static async open(folder: string, sync: boolean): Promise<LevelBackend> {
    const db = database(folder)
    await db.open()
    return new LevelBackend(db, sync)
  }

  write(batch: Batch, done: (error: Error | undefined) => void): void {
    this.writeAll(batch).then(
      () => done(undefined),
      (error: Error) => {
        this.broken = true
        done(error)
      },
    )
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    await this.reopening
    return this.db.get(key)
  }

  async getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    await this.reopening
    return this.db.getMany(keys)
  }

  async scan(
    from: Buffer,
    to: Buffer,
    limit: number,
    bytesMax = SCAN_BYTES_MAX,
  ): Promise<[key: Buffer, value: Buffer][]> {
    await this.reopening
    const options: ScanOptions = { gte: from, lt: to, highWaterMarkBytes: bytesMax }
    const iterator = this.db.iterator(options)
    try {
      return await iterator.nextv(limit)
    } finally {
      await iterator.close()
    }
  }

  async scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]> {
    await this.reopening
    const options: ScanOptions = { gte: from, lt: to, highWaterMarkBytes: SCAN_BYTES_MAX }
    const iterator = this.db.keys(options)
    try {
      return await iterator.nextv(limit)
    } finally {
      await iterator.close()
    }
  }

  /** Everything as it is at this moment, in pages, while writing goes on. Throws when the database is opened anew. */
  async *snapshot(): AsyncGenerator<[key: Buffer, value: Buffer][]> {
    await this.reopening
    const options: ScanOptions = { gte: Buffer.of(0), lt: Buffer.of(0xff), highWaterMarkBytes: SNAPSHOT_PAGE_BYTES }
    const iterator = this.db.iterator(options)
    try {
      for (;;) {
        const page = await iterator.nextv(SNAPSHOT_PAGE)
        if (page.length === 0) return
        yield page
      }
    } finally {
      await iterator.close()
    }
  }

  async sizeOf(from: Buffer, to: Buffer): Promise<number> {
    await this.reopening
    return (this.db as unknown as Ranges).approximateSize(from, to)
  }

  async compact(from: Buffer, to: Buffer): Promise<void> {
    await this.reopening
    await (this.db as unknown as Ranges).compactRange(from, to)
  }

  close(): Promise<void> {
    return this.db.close()
  }

  private async writeAll(batch: Batch): Promise<void> {
    if (this.broken) await this.reopen()
    const { keys, values } = batch
    const chained = this.db.batch()
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as Buffer
      const value = values[i]
      if (value === undefined) chained.del(key)
      else chained.put(key, value)
    }
    await chained.write({ sync: this.sync } as object)
  }

  /**
   * After a failed write LevelDB's log may end in half a record: what is appended behind it is lost at the next start,
   * although the write succeeds. And after a failed sync or compaction it refuses all writes. Opening again begins a
   * new log, and cures both.
   */
  private async reopen(): Promise<void> {
    this.reopening = this.db.close().then(() => this.db.open())
    try {
      await this.reopening
      this.broken = false
    } finally {
      this.reopening = undefined
    }
  }
}
