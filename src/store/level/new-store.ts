import { readdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import { Batch } from '../batch.ts'
import { hasNoRoom, reasonOf } from './folder-errors.ts'
import { LevelBackend } from './level-backend.ts'
import { DATABASE_FOLDER, FORMAT_FILE, writeFormat } from './format-file.ts'
import { makeFolder } from './make-folder.ts'

const BATCH_BYTES = 4 * 1024 * 1024

/** A store that is being written from scratch: it is none before `finish`. */
export class NewStore {
  readonly folder: string
  entries = 0
  bytes = 0
  private readonly backend: LevelBackend
  private readonly made: string | undefined
  private batch = new Batch()

  /** `made`: the first folder on the way that was not there. */
  private constructor(folder: string, made: string | undefined, backend: LevelBackend) {
    this.folder = folder
    this.made = made
    this.backend = backend
  }

  /** Throws a SluiceError when something is in the folder. */
  static async create(path: string): Promise<NewStore> {
    const folder = resolve(path)
    const made = await ensureEmpty(folder)
    try {
      return new NewStore(folder, made, await LevelBackend.open(join(folder, DATABASE_FOLDER), true))
    } catch (error) {
      await removeWritten(folder, made)
      throw targetFailed(folder, error)
    }
  }

  async put(key: Buffer, value: Buffer): Promise<void> {
    this.batch.put(key, value)
    this.entries++
    this.bytes += key.length + value.length
    if (this.batch.bytes >= BATCH_BYTES) await this.write()
  }

  /** Everything is on disk, and then it is said to be a store. */
  async finish(version?: number): Promise<void> {
    try {
      await this.write()
      await this.backend.close()
      await writeFormat(this.folder, version)
    } catch (error) {
      throw targetFailed(this.folder, error)
    }
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.backend.close().catch(() => undefined)
    await removeWritten(this.folder, this.made)
  }

  private async write(): Promise<void> {
    const { batch } = this
    if (batch.length === 0) return
    this.batch = new Batch()
    await new Promise<void>((resolve, reject) => {
      this.backend.write(batch, (error) => (error === undefined ? resolve() : reject(targetFailed(this.folder, error))))
    })
  }
}

/**
 * Makes the folder where it is missing, readable for its owner alone: it is to hold what clients have sent. Answers the
 * first folder on the way that was made.
 */
export async function ensureEmpty(folder: string): Promise<string | undefined> {
  let made: string | undefined
  let names: string[]
  try {
    made = await makeFolder(folder, 0o700)
    names = await readdir(folder)
  } catch (error) {
    throw targetFailed(folder, error)
  }
  if (names.length === 0) return made
  throw new SluiceError('STORE_TARGET_NOT_EMPTY', `${folder} is not empty; name a new or an empty folder`)
}

/** What to tell when writing to a new folder has failed. */
export function targetFailed(folder: string, error: unknown): SluiceError {
  if (error instanceof SluiceError) return error
  const hint = hasNoRoom(error) ? '; make room on its disk, or name a folder on another' : ''
  const message = `${folder} cannot be written to: ${reasonOf(error)}${hint}`
  return new SluiceError('STORE_TARGET_NOT_WRITABLE', message, { cause: error })
}

/** What else came into these folders meanwhile stays, and they with it. */
async function removeWritten(folder: string, made: string | undefined): Promise<void> {
  for (const name of [DATABASE_FOLDER, FORMAT_FILE, `${FORMAT_FILE}.new`]) {
    await rm(join(folder, name), { recursive: true, force: true })
  }
  if (made === undefined) return
  for (let each = folder; each.length >= made.length; each = dirname(each)) {
    try {
      await rmdir(each)
    } catch {
      return
    }
  }
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
    await store.finish(version)
  } catch (error) {
    await store.abandon()
    throw error
  }
  return { entries: store.entries, bytes: store.bytes }
}
