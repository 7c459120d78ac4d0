import { open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { SluiceError } from '../../base/errors.ts'

/** Version of the layout in `docs/store-format.md`. */
export const FORMAT_VERSION = 2
export const FORMAT_FILE = 'FORMAT'
export const DATABASE_FOLDER = 'db'
const NEW_FORMAT_FILE = `${FORMAT_FILE}.new`
// What a fresh file system comes with.
const HARMLESS: ReadonlySet<string> = new Set([NEW_FORMAT_FILE, 'lost+found'])
const FORMAT_PATTERN = /^sluice store (\d+)\n$/

/**
 * The folder's version. `isNew`: nothing was ever stored in it, and it becomes a store with `writeFormat`, once there is
 * a database: where the version stands and no database, that was lost.
 */
export async function checkFormat(folder: string, present: number): Promise<{ version: number; isNew: boolean }> {
  const names = await readdir(folder)
  if (!names.includes(FORMAT_FILE)) {
    // A first start that was killed leaves both.
    const isBegun = names.includes(NEW_FORMAT_FILE)
    if (names.some((name) => !HARMLESS.has(name) && !(isBegun && name === DATABASE_FOLDER))) {
      throw new SluiceError(
        'STORE_FOREIGN_FOLDER',
        `${folder} is not empty and holds no Sluice store; nothing was changed; name an empty or a new folder`,
      )
    }
    await writeNewFormat(folder, present)
    await syncFolder(folder)
    return { version: present, isNew: true }
  }
  const text = await readFile(join(folder, FORMAT_FILE), 'latin1')
  const match = FORMAT_PATTERN.exec(text)
  if (match === null) {
    throw new SluiceError(
      'STORE_DAMAGED',
      `${join(folder, FORMAT_FILE)} does not name a store format; nothing was changed; save what is there with: ` +
        `sluice store repair --data ${folder} --to NEWFOLDER; or restore a backup`,
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
  return { version, isNew: false }
}

/** Makes a folder a store: what is in it before counts for nothing. */
export async function writeFormat(folder: string, version: number = FORMAT_VERSION): Promise<void> {
  await writeNewFormat(folder, version)
  await rename(join(folder, NEW_FORMAT_FILE), join(folder, FORMAT_FILE))
  await syncFolder(folder)
}

async function writeNewFormat(folder: string, version: number): Promise<void> {
  const file = await open(join(folder, NEW_FORMAT_FILE), 'w')
  try {
    await file.writeFile(`sluice store ${version}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
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
