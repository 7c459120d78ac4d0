import type { Backend } from '../../../src/store/backend.ts'
import type { Batch } from '../../../src/store/batch.ts'
import { MemoryBackend } from '../../../src/store/memory/memory-backend.ts'

const END = Buffer.alloc(1, 0xff)
const LIE_MS = 40
const ALL = 1_000_000

/**
 * A disk that keeps what was synced and forgets all else when the power goes. A batch is synced when `sync` says so;
 * until then readers see what was synced before, as behind a group commit that has not returned.
 */
export class PowerCutDisk {
  /** Batches that were synced. */
  synced = 0
  /** The power goes at the sync with this number, and not again; 0: it stays on. */
  cutAt = 0
  /** What becomes of that batch: it is on disk and nobody was told, or it is not. */
  cutKeeps = false
  /** Says that a batch is synced some time before it is: what a disk must not do. */
  lies = false
  onCut: () => void = () => {}
  private readonly rows = new MemoryBackend()
  private cable: Cable | undefined

  /** For one life of a broker. `syncMs`: how long a sync takes. */
  plugIn(syncMs: () => number): Backend {
    this.cable?.cut()
    this.cable = new Cable(this, this.rows, syncMs)
    return this.cable
  }

  /** What is on it, to be read while no broker runs. */
  get content(): Backend {
    return this.rows
  }

  cut(): void {
    this.cable?.cut()
  }

  all(): Promise<[key: Buffer, value: Buffer][]> {
    return this.rows.scan(Buffer.alloc(0), END, ALL, Number.POSITIVE_INFINITY)
  }
}

class Cable implements Backend {
  private readonly disk: PowerCutDisk
  private readonly rows: MemoryBackend
  private readonly syncMs: () => number
  private isCut = false

  constructor(disk: PowerCutDisk, rows: MemoryBackend, syncMs: () => number) {
    this.disk = disk
    this.rows = rows
    this.syncMs = syncMs
  }

  cut(): void {
    this.isCut = true
  }

  write(batch: Batch, done: (error: Error | undefined) => void): void {
    if (this.disk.lies) {
      setTimeout(() => !this.isCut && this.rows.write(batch, () => {}), LIE_MS)
      setImmediate(done, undefined)
      return
    }
    const ms = this.syncMs()
    const finish = (): void => {
      if (this.isCut) {
        done(new Error('no power'))
        return
      }
      const isLast = this.disk.synced + 1 === this.disk.cutAt
      if (isLast && !this.disk.cutKeeps) {
        this.goDark(done)
        return
      }
      this.rows.write(batch, () => {
        this.disk.synced++
        if (isLast) this.goDark(done)
        else done(undefined)
      })
    }
    if (ms > 0) setTimeout(finish, ms)
    else setImmediate(finish)
  }

  private goDark(done: (error: Error) => void): void {
    this.isCut = true
    this.disk.cutAt = 0
    this.disk.onCut()
    done(new Error('no power'))
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.rows.get(key)
  }

  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.rows.getMany(keys)
  }

  scan(from: Buffer, to: Buffer, limit: number, bytesMax?: number): Promise<[key: Buffer, value: Buffer][]> {
    return this.rows.scan(from, to, limit, bytesMax)
  }

  scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]> {
    return this.rows.scanKeys(from, to, limit)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
