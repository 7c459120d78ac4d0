import { open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { SluiceError } from '../../base/errors.ts'

/** Version of the layout in `docs/store-format.md`. */
export const FORMAT_VERSION = 2
export const FORMAT_FILE = 'FORMAT'
// What a start leaves that was killed before its first rename, and what a fresh file system comes with.
const HARMLESS: ReadonlySet<string> = new Set([`${FORMAT_FILE}.new`, 'lost+found'])
const FORMAT_PATTERN = /^sluice store (\d+)\n$/

/** The folder's version: the present one where it was empty. */
export async function checkFormat(folder: string, present: number): Promise<number> {
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
