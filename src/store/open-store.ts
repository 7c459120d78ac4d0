import { resolve } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { type Log, silentLog } from '../base/log.ts'
import type { Backend } from './backend.ts'
import { Bodies } from './bodies.ts'
import { encodeHead } from './fifo-head.ts'
import { type RecoveredFifo, recoverFifos, sweepBodies } from './fifo-recovery.ts'
import { sweepEntries } from './fifo-sweep.ts'
import { GroupCommit } from './group-commit.ts'
import { headKey } from './keys.ts'
import { damaged } from './level/folder-errors.ts'
import { openFolder } from './level/open-folder.ts'
import { MemoryBackend } from './memory/memory-backend.ts'
import { NumberSource } from './number-source.ts'
import { QueueMemory } from './queue-memory.ts'
import { SpaceReclaim } from './space-reclaim.ts'
import type { Durability, Store } from './store.ts'

export type StoreOptions = (
  | { readonly durability: 'fsync' | 'os'; readonly folder: string }
  | { readonly durability: 'memory' }
) & { readonly clock?: Clock | undefined; readonly log?: Log | undefined }

/** Opens the folder, creating it where it is missing, and finds out what is in it. Throws a SluiceError. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const backend =
    options.durability === 'memory'
      ? new MemoryBackend()
      : await openFolder(options.folder, options.durability === 'fsync')
  try {
    return await storeOver(backend, options.durability, options)
  } catch (error) {
    await backend.close()
    if (options.durability === 'memory') throw error
    throw damaged(resolve(options.folder), error instanceof Error ? error.message : String(error), error)
  }
}

/** An empty store in memory, which needs no waiting: for a broker that is made by its constructor. */
export function emptyMemoryStore(clock: Clock = systemClock, log: Log = silentLog): Store {
  const numbers = new NumberSource(undefined)
  const backend = new MemoryBackend()
  const reclaim = new SpaceReclaim(backend, clock, log)
  return new OpenStore(backend, 'memory', clock, log, numbers, new Bodies(numbers, reclaim), reclaim, new Map())
}

/** A store over any backend: for tests of faults, and for other media. */
export async function storeOver(
  backend: Backend,
  durability: Durability,
  options: { readonly clock?: Clock | undefined; readonly log?: Log | undefined } = {},
): Promise<Store> {
  const { clock = systemClock, log = silentLog } = options
  const numbers = new NumberSource(await backend.get(NumberSource.key))
  const reclaim = new SpaceReclaim(backend, clock, log)
  const bodies = new Bodies(numbers, reclaim)
  const found = await recoverFifos(backend, bodies)
  const store = new OpenStore(backend, durability, clock, log, numbers, bodies, reclaim, found)
  await store.cleanUp()
  reclaim.recovered([...found.values()].reduce((sum, { bytes }) => sum + bytes, 0))
  return store
}

class OpenStore implements Store {
  readonly durability: Durability
  readonly commit: GroupCommit
  readonly numbers: NumberSource
  readonly bodies: Bodies
  readonly reclaim: SpaceReclaim
  readonly queueMemory = new QueueMemory()
  readonly clock: Clock
  readonly log: Log
  private readonly backend: Backend
  private readonly found: Map<number, RecoveredFifo>
  private closing: Promise<void> | undefined

  constructor(
    backend: Backend,
    durability: Durability,
    clock: Clock,
    log: Log,
    numbers: NumberSource,
    bodies: Bodies,
    reclaim: SpaceReclaim,
    found: Map<number, RecoveredFifo>,
  ) {
    this.backend = backend
    this.durability = durability
    this.clock = clock
    this.log = log
    this.numbers = numbers
    this.bodies = bodies
    this.reclaim = reclaim
    this.found = found
    this.commit = new GroupCommit(backend, clock)
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.backend.get(key)
  }

  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.backend.getMany(keys)
  }

  scan(from: Buffer, to: Buffer, limit: number, bytesMax?: number): Promise<[key: Buffer, value: Buffer][]> {
    return this.backend.scan(from, to, limit, bytesMax)
  }

  scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]> {
    return this.backend.scanKeys(from, to, limit)
  }

  snapshot(): AsyncIterable<[key: Buffer, value: Buffer][]> | undefined {
    return this.backend.snapshot?.()
  }

  takeRecovered(fifoId: number): RecoveredFifo | undefined {
    const found = this.found.get(fifoId)
    this.found.delete(fifoId)
    return found
  }

  destroyUnclaimed(): void {
    for (const [fifoId, { head }] of this.found) {
      this.commit.put(headKey(fifoId), encodeHead({ ...head, doomed: true }))
      void sweepEntries(this, fifoId, head.headSeq)
    }
    this.found.clear()
  }

  /** Goes on with what a crash has interrupted. */
  async cleanUp(): Promise<void> {
    const swept = await sweepBodies(this.backend, this.bodies, this.commit)
    if (swept > 0) this.log.info({ swept }, 'deleted message bodies that no queue refers to')
    for (const [fifoId, { head }] of this.found) {
      if (!head.doomed) continue
      this.found.delete(fifoId)
      void sweepEntries(this, fifoId, head.headSeq)
    }
  }

  /** Further calls wait for the first: a start that fails half-way has several who clean up. */
  close(): Promise<void> {
    this.closing ??= this.closeParts()
    return this.closing
  }

  private async closeParts(): Promise<void> {
    try {
      await this.commit.close()
    } finally {
      await this.reclaim.close()
      await this.backend.close()
    }
  }
}
