import type { Backend } from '../../../src/store/backend.ts'
import { Batch } from '../../../src/store/batch.ts'
import { MemoryBackend } from '../../../src/store/memory/memory-backend.ts'

const END = Buffer.alloc(1, 0xff)
const ALL = 1_000_000

/**
 * A disk that keeps what was synced and forgets all else when the power goes. A batch is synced when `sync` says so;
 * until then readers see what was synced before, as behind a group commit that has not returned.
 */
export class PowerCutDisk {
  /** Batches that were synced. */
  synced = 0
  /** The power goes with this many batches synced, before or after the last of them has been told; 0: stays on. */
  cutAfter = 0
  onCut: () => void = () => {}
  private rows = new MemoryBackend()
  private cable: Cable | undefined

  /** For one life of a broker. `syncMs`: how long a sync takes. */
  plugIn(syncMs: () => number): Backend {
    this.cable?.cut()
    this.cable = new Cable(this, this.rows, syncMs)
    return this.cable
  }

  cut(): void {
    this.cable?.cut()
  }

  all(): Promise<[key: Buffer, value: Buffer][]> {
    return this.rows.scan(Buffer.alloc(0), END, ALL, Number.POSITIVE_INFINITY)
  }

  /** The same disk with what is on it now, to be cut apart from this one. */
  async copy(): Promise<PowerCutDisk> {
    const disk = new PowerCutDisk()
    const batch = new Batch()
    for (const [key, value] of await this.all()) batch.put(key, value)
    await new Promise<void>((resolve) => disk.rows.write(batch, () => resolve()))
    return disk
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
    const ms = this.syncMs()
    const finish = (): void => {
      if (this.isCut) {
        done(new Error('no power'))
        return
      }
      this.rows.write(batch, () => {
        this.disk.synced++
        if (this.disk.synced !== this.disk.cutAfter) {
          done(undefined)
          return
        }
        // On disk, and nobody is told.
        this.isCut = true
        this.disk.onCut()
        done(new Error('no power'))
      })
    }
    if (ms > 0) setTimeout(finish, ms)
    else setImmediate(finish)
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
