import { test as base } from 'vitest'
import { compose } from '../../src/compose.ts'
import { configFromOptions, type LibraryOptions } from '../../src/config/options.ts'
import type { Backend } from '../../src/store/backend.ts'
import type { Batch } from '../../src/store/batch.ts'
import { MemoryBackend } from '../../src/store/memory/memory-backend.ts'
import { storeOver } from '../../src/store/open-store.ts'
import { FakeClock } from './fake-clock.ts'
import { World } from './faulty-world.ts'
import { RecordingLog } from './recording-log.ts'

/** A disk in memory that is full, or slow, for as long as the test says so. */
export class FaultyDisk extends MemoryBackend implements Backend {
  /** While set, every write fails with it and changes nothing. */
  failure: Error | undefined
  /** While true, writes take until `goOn`. */
  slow = false
  writes = 0
  private waiting: (() => void) | undefined

  override write(batch: Batch, done: (error: Error | undefined) => void): void {
    this.writes++
    const finish = (): void => {
      if (this.failure === undefined) super.write(batch, done)
      else process.nextTick(done, this.failure)
    }
    if (this.slow) this.waiting = finish
    else finish()
  }

  get isBusy(): boolean {
    return this.waiting !== undefined
  }

  goOn(): void {
    this.slow = false
    const finish = this.waiting
    this.waiting = undefined
    finish?.()
  }

  /** The broker that uses it goes; what is stored stays. */
  override close(): Promise<void> {
    return Promise.resolve()
  }
}

/** A broker over such a disk. */
export class DiskWorld extends World {
  readonly disk: FaultyDisk

  constructor(disk: FaultyDisk, ...world: ConstructorParameters<typeof World>) {
    super(...world)
    this.disk = disk
  }

  /** Every write fails from now on, and the broker has noticed. */
  async fill(): Promise<void> {
    const { commit } = this.broker.store
    this.disk.failure = Object.assign(new Error('No space left on device'), { code: 'LEVEL_IO_ERROR' })
    commit.put(Buffer.from([0x01, 0x3f]), Buffer.alloc(1))
    await this.until(() => commit.failure !== undefined)
  }

  /** There is room again; the broker finds out by itself. */
  async makeRoom(): Promise<void> {
    this.disk.failure = undefined
    await this.clock.advance(5_000)
    await this.until(() => this.broker.store.commit.failure === undefined)
  }

  /** The same disk under a new broker, as after a crash. */
  async restarted(options?: LibraryOptions): Promise<DiskWorld> {
    return openDisk(this.disk, options)
  }
}

async function openDisk(disk: FaultyDisk, options: LibraryOptions = {}): Promise<DiskWorld> {
  const clock = new FakeClock()
  const log = new RecordingLog()
  const config = configFromOptions({ sys: { intervalSeconds: 0 }, mqtt: { port: 0 }, ...options })
  const store = await storeOver(disk, 'fsync', { clock, log })
  return new DiskWorld(disk, await compose({ config, log, clock, store }), clock, log)
}

interface Fixtures {
  /** Starts a broker whose disk the test commands; it is stopped after the test. */
  start: (options?: LibraryOptions) => Promise<DiskWorld>
  world: DiskWorld
}

export const test = base.extend<Fixtures>({
  start: async ({ task: _task }, use) => {
    const worlds: DiskWorld[] = []
    await use(async (options) => {
      const world = await openDisk(new FaultyDisk(), options)
      worlds.push(world)
      return world
    })
    for (const world of worlds) {
      world.disk.failure = undefined
      world.disk.goOn()
      await world.stop()
    }
  },
  world: async ({ start }, use) => use(await start()),
})
