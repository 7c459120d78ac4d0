import { mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import { Batch } from '../batch.ts'
import { LevelBackend } from './level-backend.ts'
import { writeFormat } from './format-file.ts'

const BATCH_BYTES = 4 * 1024 * 1024

/** A store that is being written from scratch: it is none before `finish`. */
export class NewStore {
  readonly folder: string
  entries = 0
  bytes = 0
  private readonly backend: LevelBackend
  private batch = new Batch()

  private constructor(folder: string, backend: LevelBackend) {
    this.folder = folder
    this.backend = backend
  }

  /** Throws a SluiceError when something is in the folder. */
  static async create(path: string): Promise<NewStore> {
    const folder = resolve(path)
    await ensureEmpty(folder)
    return new NewStore(folder, await LevelBackend.open(join(folder, 'db'), true))
  }

  async put(key: Buffer, value: Buffer): Promise<void> {
    this.batch.put(key, value)
    this.entries++
    this.bytes += key.length + value.length
    if (this.batch.bytes >= BATCH_BYTES) await this.write()
  }

  /** Everything is on disk, and then it is said to be a store. */
  async finish(version?: number): Promise<void> {
    await this.write()
    await this.backend.close()
    await writeFormat(this.folder, version)
  }

  /** Leaves what is no store behind. */
  async abandon(): Promise<void> {
    await this.backend.close()
  }

  private async write(): Promise<void> {
    const { batch } = this
    if (batch.length === 0) return
    this.batch = new Batch()
    await new Promise<void>((resolve, reject) => {
      this.backend.write(batch, (error) => (error === undefined ? resolve() : reject(error)))
    })
  }
}

/** Makes the folder where it is missing, readable for its owner alone: it is to hold what clients have sent. */
export async function ensureEmpty(folder: string): Promise<void> {
  let names: string[]
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    names = await readdir(folder)
  } catch (cause) {
    const what = (cause as Error).message
    throw new SluiceError('STORE_TARGET_NOT_WRITABLE', `${folder} cannot be written to: ${what}`, { cause })
  }
  if (names.length === 0) return
  throw new SluiceError('STORE_TARGET_NOT_EMPTY', `${folder} is not empty; name a new or an empty folder`)
}

/** Writes a snapshot as a store of its own. */
export async function copyPages(
  pages: AsyncIterable<[key: Buffer, value: Buffer][]>,
  folder: string,
  version?: number,
): Promise<{ entries: number; bytes: number }> {
  const store = await NewStore.create(folder)
  try {
    for await (const page of pages) for (const [key, value] of page) await store.put(key, value)
  } catch (error) {
    await store.abandon()
    throw error
  }
  await store.finish(version)
  return { entries: store.entries, bytes: store.bytes }
}
