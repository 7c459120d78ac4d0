import type { GroupCommit } from './group-commit.ts'

/** What an acknowledgement promises: on disk, handed to the operating system, or nothing kept at all. */
export type Durability = 'fsync' | 'os' | 'memory'

/** Ordered binary keys and values under one group commit. Everything durable in the broker goes through here. */
export interface Store {
  readonly durability: Durability
  readonly commit: GroupCommit
  /** The committed value, or undefined. Changes that are still being formed are not seen. */
  get(key: Buffer): Promise<Buffer | undefined>
  /** Up to `limit` committed entries with from <= key < to, in the order of keys. */
  scan(from: Buffer, to: Buffer, limit: number): Promise<[key: Buffer, value: Buffer][]>
  /** Commits what is pending, then releases the folder. */
  close(): Promise<void>
}
