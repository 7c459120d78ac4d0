import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import { entriesToBlocks } from '../entries-to-blocks.ts'
import { findDamageOfStart, sizesIn } from './folder-damage.ts'
import { damaged, explain, reasonOf } from './folder-errors.ts'
import { checkFormat, DATABASE_FOLDER, FORMAT_FILE, FORMAT_VERSION, writeFormat } from './format-file.ts'
import { LevelBackend } from './level-backend.ts'
import { makeFolder } from './make-folder.ts'
import { migrate, type Upgrade } from './migrate.ts'

const OWN_UPGRADE: Upgrade = { version: FORMAT_VERSION, steps: new Map([[1, entriesToBlocks]]) }
const ATTEMPTS = 3

/**
 * Opens the LevelDB of a data folder. The version stands in a file of its own and is read first: opening the database
 * already writes into it, and a folder of another version, or of someone else, is left as it is. A store of an older
 * version is backed up and then migrated, by the steps that `upgrade` has.
 */
export async function openFolder(path: string, sync: boolean, upgrade: Upgrade = OWN_UPGRADE): Promise<LevelBackend> {
  const folder = resolve(path)
  try {
    await makeFolder(folder)
    const { version, isNew } = await checkFormat(folder, upgrade.version)
    await (isNew ? refuseTables(folder) : refuseDamage(folder))
    const backend = await LevelBackend.open(join(folder, DATABASE_FOLDER), sync)
    if (version === upgrade.version && !isNew) return backend
    try {
      if (!isNew) await migrate(folder, version, backend, upgrade)
      await writeFormat(folder, upgrade.version)
      return backend
    } catch (error) {
      await backend.close()
      throw error
    }
  } catch (error) {
    throw explain(folder, error)
  }
}

/** LevelDB's folder in a data folder. Throws a SluiceError unless that is a store of this version; changes nothing. */
export async function databaseOf(path: string): Promise<string> {
  const folder = resolve(path)
  try {
    if (!(await readdir(folder)).includes(FORMAT_FILE)) {
      throw new SluiceError('STORE_FOREIGN_FOLDER', `${folder} holds no Sluice store`)
    }
    const { version } = await checkFormat(folder, FORMAT_VERSION)
    if (version < FORMAT_VERSION) {
      throw new SluiceError(
        'STORE_OLDER_VERSION',
        `${folder} was written by an older Sluice (format ${version}); start the broker once, which migrates it`,
      )
    }
    return join(folder, DATABASE_FOLDER)
  } catch (error) {
    if (error instanceof SluiceError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new SluiceError('STORE_NOT_FOUND', `${folder} does not exist; name the folder of a store`, { cause: error })
    }
    throw new SluiceError('STORE_NOT_READABLE', `${folder} cannot be read: ${reasonOf(error)}`, { cause: error })
  }
}

/**
 * LevelDB goes on without what it cannot read of its log, and then deletes that. Throws a SluiceError where something is
 * damaged; changes nothing.
 */
async function refuseDamage(folder: string): Promise<void> {
  const database = join(folder, DATABASE_FOLDER)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if ((await findDamageOfStart(database)).length === 0) return
    // Another process that has the store changes files while they are read: LevelDB says so when it opens them.
    const before = await sizesIn(database)
    const [first, ...others] = await findDamageOfStart(database)
    if (first === undefined || (await sizesIn(database)) !== before) continue
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`
    throw damaged(folder, `${join(DATABASE_FOLDER, first.file)}: ${first.what}${more}`, undefined)
  }
}

/** LevelDB takes a folder without this file for a new one, and would delete the tables that it does not know. */
async function refuseTables(folder: string): Promise<void> {
  const names: string[] = await readdir(join(folder, DATABASE_FOLDER)).catch(() => [])
  if (names.includes('CURRENT') || !names.some((name) => /\.(ldb|sst|log)$/.test(name))) return
  throw damaged(folder, `${DATABASE_FOLDER}/CURRENT: is missing`, undefined)
}
