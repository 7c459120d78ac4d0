import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import { LevelBackend } from './level-backend.ts'
import { migrate, type Upgrade } from './migrate.ts'

/** Version of the layout in `docs/store-format.md`. */
export const FORMAT_VERSION = 1
const OWN_UPGRADE: Upgrade = { version: FORMAT_VERSION, steps: new Map() }
const FORMAT_FILE = 'FORMAT'
const DATABASE_FOLDER = 'db'
// What a start leaves that was killed before its first rename, and what a fresh file system comes with.
const HARMLESS: ReadonlySet<string> = new Set([`${FORMAT_FILE}.new`, 'lost+found'])
const FORMAT_PATTERN = /^sluice store (\d+)\n$/

/**
 * Opens the LevelDB of a data folder. The version stands in a file of its own and is read first: opening the database
 * already writes into it, and a folder of another version, or of someone else, is left as it is. A store of an older
 * version is backed up and then migrated, by the steps that `upgrade` has.
 */
export async function openFolder(path: string, sync: boolean, upgrade: Upgrade = OWN_UPGRADE): Promise<LevelBackend> {
  const folder = resolve(path)
  try {
    await mkdir(folder, { recursive: true })
    const version = await checkFormat(folder, upgrade.version)
    await checkDatabase(folder)
    const backend = await LevelBackend.open(join(folder, DATABASE_FOLDER), sync)
    if (version === upgrade.version) return backend
    try {
      await migrate(folder, version, backend, upgrade)
      await writeFormat(folder, upgrade.version)
      return backend
    } catch (error) {
      await backend.close()
      throw error
    }
  } catch (error) {
    throw error instanceof SluiceError ? error : explain(folder, error)
  }
}

/** LevelDB's folder in a data folder. Throws a SluiceError unless that is a store of this version; changes nothing. */
export async function databaseOf(path: string): Promise<string> {
  const folder = resolve(path)
  try {
    if (!(await readdir(folder)).includes(FORMAT_FILE)) {
      throw new SluiceError('STORE_FOREIGN_FOLDER', `${folder} holds no Sluice store`)
    }
    const version = await checkFormat(folder, FORMAT_VERSION)
    if (version < FORMAT_VERSION) {
      throw new SluiceError(
        'STORE_OLDER_VERSION',
        `${folder} was written by an older Sluice (format ${version}); start the broker once, which migrates it`,
      )
    }
    return join(folder, DATABASE_FOLDER)
  } catch (error) {
    throw error instanceof SluiceError ? error : explain(folder, error)
  }
}

// LevelDB takes a database without this file for a new one, and would delete the tables it does not know.
async function checkDatabase(folder: string): Promise<void> {
  const names: string[] = await readdir(join(folder, DATABASE_FOLDER)).catch(() => [])
  if (names.includes('CURRENT') || !names.some((name) => /\.(ldb|sst|log)$/.test(name))) return
  throw damaged(folder, `${join(DATABASE_FOLDER, 'CURRENT')} is missing`, undefined)
}

/** The folder's version: the present one where it was empty. */
async function checkFormat(folder: string, present: number): Promise<number> {
  const names = await readdir(folder)
  if (!names.includes(FORMAT_FILE)) {
    if (names.some((name) => !HARMLESS.has(name))) {
      throw new SluiceError(
        'STORE_FOREIGN_FOLDER',
        `${folder} is not empty and holds no Sluice store; nothing was changed; name an empty or a new folder`,
      )
    }
    await writeFormat(folder, present)
    return present
  }
  const text = await readFile(join(folder, FORMAT_FILE), 'latin1')
  const match = FORMAT_PATTERN.exec(text)
  if (match === null) {
    throw new SluiceError(
      'STORE_DAMAGED',
      `${join(folder, FORMAT_FILE)} does not name a store format; nothing was changed; restore the folder from a backup`,
    )
  }
  const version = Number(match[1])
  if (version > present) {
    throw new SluiceError(
      'STORE_NEWER_VERSION',
      `${folder} was written by a newer Sluice (format ${version}, this one reads ${present}); ` +
        'nothing was changed; use that version, or name another folder',
    )
  }
  return version
}

/** Makes a folder a store: what is in it before counts for nothing. */
export async function writeFormat(folder: string, version: number = FORMAT_VERSION): Promise<void> {
  const temporary = join(folder, `${FORMAT_FILE}.new`)
  const file = await open(temporary, 'w')
  try {
    await file.writeFile(`sluice store ${version}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(folder, FORMAT_FILE))
  await syncFolder(folder)
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder; there a rename is durable by itself.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export function explain(folder: string, error: unknown): SluiceError {
  const code = innermostCode(error)
  const cause = error
  if (code === 'LEVEL_LOCKED') {
    return new SluiceError(
      'STORE_LOCKED',
      `${folder} is in use by another process; stop that one, or name another folder`,
      { cause },
    )
  }
  if (code === 'LEVEL_CORRUPTION') {
    return damaged(folder, reason(error), cause)
  }
  return new SluiceError(
    'STORE_NOT_WRITABLE',
    `${folder} cannot be used as the data folder: ${reason(error)}; name one that this user may write to`,
    { cause },
  )
}

/** What to do with a store that cannot be opened or read. */
export function damaged(folder: string, what: string, cause: unknown): SluiceError {
  return new SluiceError(
    'STORE_DAMAGED',
    `${folder} is damaged: ${what}; see what with: sluice store check --data ${folder}; save the rest with: ` +
      `sluice store repair --data ${folder} --to NEWFOLDER; or restore a backup`,
    { cause },
  )
}

/** LevelDB's own error is the cause of the one that `open` throws. */
function innermost(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? innermost(error.cause) : error
}

function innermostCode(error: unknown): unknown {
  const inner = innermost(error)
  return inner instanceof Error && 'code' in inner ? inner.code : undefined
}

function reason(error: unknown): string {
  const inner = innermost(error)
  return inner instanceof Error ? inner.message : String(inner)
}
