import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Bodies } from './bodies.ts'
import type { RecoveredFifo } from './fifo-recovery.ts'
import type { GroupCommit } from './group-commit.ts'
import type { NumberSource } from './number-source.ts'
import type { QueueMemory } from './queue-memory.ts'
import type { SpaceReclaim } from './space-reclaim.ts'

/** What an acknowledgement promises: on disk, handed to the operating system, or nothing kept at all. */
export type Durability = 'fsync' | 'os' | 'memory'

/** Ordered binary keys and values under one group commit. Everything durable in the broker goes through here. */
export interface Store {
  readonly durability: Durability
  readonly commit: GroupCommit
  /** Numbers that are never given twice: FIFOs, sessions, shared bodies. */
  readonly numbers: NumberSource
  /** Message bodies that several FIFOs share; for `store/fifo`. */
  readonly bodies: Bodies
  /** Told of what is deleted in bulk; for `store/fifo`. */
  readonly reclaim: SpaceReclaim
  /** The memory of all queues together. */
  readonly queueMemory: QueueMemory
  readonly clock: Clock
  readonly log: Log
  /** The committed value, or undefined. Changes that are still being formed are not seen. */
  get(key: Buffer): Promise<Buffer | undefined>
  /** The committed values of the keys, in their order. */
  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]>
  /**
   * Up to `limit` committed entries with from <= key < to, in the order of keys; fewer when they pass `bytesMax`
   * (4 MiB unless given). An empty answer means that there are no more.
   */
  scan(from: Buffer, to: Buffer, limit: number, bytesMax?: number): Promise<[key: Buffer, value: Buffer][]>
  /** The same for keys alone. */
  scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]>
  /** What the start found on disk for this FIFO; handed out once, to the FIFO that takes it over. */
  takeRecovered(fifoId: number): RecoveredFifo | undefined
  /** Deletes the FIFOs on disk that no one has taken over: once, when all sessions and queues are back. */
  destroyUnclaimed(): void
  /** Everything that is committed, as it is at the time of the first page; undefined: durability `memory`. */
  snapshot(): AsyncIterable<[key: Buffer, value: Buffer][]> | undefined
  /** Commits what is pending, then releases the folder. */
  close(): Promise<void>
}
