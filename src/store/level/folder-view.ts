import { constants } from 'node:fs'
import { access, copyFile, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import { hasNoRoom, reasonOf } from './folder-errors.ts'
import { LevelBackend } from './level-backend.ts'
import { LOG_PATTERN, TABLE_PATTERN } from './live-tables.ts'

const LINK_PATTERN = /\b(\d{6})\.sst\b/g

/**
 * A LevelDB database opened without touching it: LevelDB writes into whatever it opens, so it gets a folder of its own
 * with links to the tables and copies of the few other files. It holds the lock of the original for as long as it is
 * open.
 */
export class FolderView {
  readonly backend: LevelBackend
  private readonly folder: string
  private readonly original: string

  private constructor(backend: LevelBackend, folder: string, original: string) {
    this.backend = backend
    this.folder = folder
    this.original = original
  }

  /** Throws what LevelDB throws. */
  static async open(original: string): Promise<FolderView> {
    const folder = await temporaryFolder()
    try {
      await link(original, folder)
      return new FolderView(await LevelBackend.open(folder, false), folder, original)
    } catch (error) {
      await rm(folder, { recursive: true })
      if (hasNoRoom(error)) throw noRoom(error)
      throw speakOf(original, folder, error)
    }
  }

  /** The same error, with the files of the original in the place of those that stand for them here. */
  explain(error: unknown): unknown {
    return speakOf(this.original, this.folder, error)
  }

  async close(): Promise<void> {
    await this.backend.close()
    await rm(this.folder, { recursive: true })
  }
}

async function temporaryFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'sluice-view-'))
  } catch (error) {
    throw noRoom(error)
  }
}

function noRoom(cause: unknown): SluiceError {
  return new SluiceError(
    'STORE_NO_TEMPORARY_ROOM',
    `the copies by which the store is read cannot be written to ${tmpdir()}: ${reasonOf(cause)}; ` +
      'make room there, or name another folder with TMPDIR',
    { cause },
  )
}

async function link(original: string, folder: string): Promise<void> {
  const names = await readdir(original)
  for (const name of names) {
    const from = join(original, name)
    if (TABLE_PATTERN.test(name)) {
      // LevelDB would read this one.
      if (name.endsWith('.sst') && names.includes(name.replace(/sst$/, 'ldb'))) continue
      const to = join(folder, readOnlyName(name))
      await symlink(resolve(from), to).catch(() => copyFile(from, to))
    } else if (name === 'LOCK') await linkLock(from, join(folder, name))
    else if (name === 'CURRENT' || name.startsWith('MANIFEST-') || LOG_PATTERN.test(name)) {
      await copyFile(from, join(folder, name))
    }
  }
}

/**
 * LevelDB reads a table under its old name too, where the new one is not there, and writes only to the new one: so it
 * never opens the link for writing, whatever number a damaged MANIFEST has it give to a new table.
 */
function readOnlyName(name: string): string {
  return name.replace(/ldb$/, 'sst')
}

// Whom the lock cannot be shown to cannot run a broker on this folder either.
export async function linkLock(from: string, to: string): Promise<void> {
  const isWritable = await access(from, constants.W_OK).then(
    () => true,
    () => false,
  )
  if (isWritable) await symlink(resolve(from), to).catch(() => undefined)
}

function speakOf(original: string, folder: string, error: unknown): unknown {
  for (let each = error; each instanceof Error; each = each.cause) {
    each.message = each.message.replaceAll(folder, original).replaceAll(LINK_PATTERN, '$1.ldb')
  }
  return error
}
