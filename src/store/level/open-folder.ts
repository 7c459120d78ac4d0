import { mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import { entriesToBlocks } from '../entries-to-blocks.ts'
import { damaged, explain } from './folder-errors.ts'
import { checkFormat, FORMAT_FILE, FORMAT_VERSION, writeFormat } from './format-file.ts'
import { LevelBackend } from './level-backend.ts'
import { migrate, type Upgrade } from './migrate.ts'

const OWN_UPGRADE: Upgrade = { version: FORMAT_VERSION, steps: new Map([[1, entriesToBlocks]]) }
const DATABASE_FOLDER = 'db'

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
