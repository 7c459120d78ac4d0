import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import { LevelBackend } from './level-backend.ts'

/** Version of the layout in `docs/store-format.md`. */
export const FORMAT_VERSION = 1
const FORMAT_FILE = 'FORMAT'
const DATABASE_FOLDER = 'db'
// What a start leaves that was killed before its first rename, and what a fresh file system comes with.
const HARMLESS: ReadonlySet<string> = new Set([`${FORMAT_FILE}.new`, 'lost+found'])
const FORMAT_PATTERN = /^sluice store (\d+)\n$/

/**
 * Opens the LevelDB of a data folder. The version stands in a file of its own and is read first: opening the database
 * already writes into it, and a folder of another version, or of someone else, is left as it is.
 */
export async function openFolder(path: string, sync: boolean): Promise<LevelBackend> {
  const folder = resolve(path)
  try {
    await mkdir(folder, { recursive: true })
    await checkFormat(folder)
    return await LevelBackend.open(join(folder, DATABASE_FOLDER), sync)
  } catch (error) {
    throw error instanceof SluiceError ? error : explain(folder, error)
  }
}

async function checkFormat(folder: string): Promise<void> {
  const names = await readdir(folder)
  if (!names.includes(FORMAT_FILE)) {
    if (names.some((name) => !HARMLESS.has(name))) {
      throw new SluiceError(
        'STORE_FOREIGN_FOLDER',
        `${folder} is not empty and holds no Sluice store; nothing was changed; name an empty or a new folder`,
      )
    }
    await writeFormat(folder)
    return
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
  if (version > FORMAT_VERSION) {
    throw new SluiceError(
      'STORE_NEWER_VERSION',
      `${folder} was written by a newer Sluice (format ${version}, this one reads ${FORMAT_VERSION}); ` +
        'nothing was changed; use that version, or name another folder',
    )
  }
}

async function writeFormat(folder: string): Promise<void> {
  const temporary = join(folder, `${FORMAT_FILE}.new`)
  const file = await open(temporary, 'w')
  try {
    await file.writeFile(`sluice store ${FORMAT_VERSION}\n`)
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

function explain(folder: string, error: unknown): SluiceError {
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
    return new SluiceError('STORE_DAMAGED', `${folder} is damaged: ${reason(error)}; restore it from a backup`, {
      cause,
    })
  }
  return new SluiceError(
    'STORE_NOT_WRITABLE',
    `${folder} cannot be used as the data folder: ${reason(error)}; name one that this user may write to`,
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
