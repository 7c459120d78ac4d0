import { access, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import type { Backend } from '../backend.ts'
import type { LevelBackend } from './level-backend.ts'
import { copyPages } from './new-store.ts'

/** Rewrites what has another form in the next version. A crash in the middle runs it again: it must be repeatable. */
export type MigrationStep = (backend: Backend) => Promise<void>

export interface Upgrade {
  /** The version that this Sluice writes. */
  readonly version: number
  /** By the version from which a step leads to the next one. */
  readonly steps: ReadonlyMap<number, MigrationStep>
}

/**
 * Takes an open store from an older version to the present one. What it was is kept in `backup-format-N` in the data
 * folder, whole before the first change.
 */
export async function migrate(folder: string, from: number, backend: LevelBackend, upgrade: Upgrade): Promise<void> {
  const { version: to, steps } = upgrade
  const needed = Array.from({ length: to - from }, (_, i) => steps.get(from + i))
  if (needed.includes(undefined)) {
    throw new SluiceError(
      'STORE_OLDER_VERSION',
      `${folder} was written by an older Sluice (format ${from}) that this one (format ${to}) cannot migrate from; ` +
        'nothing was changed; start a version in between first',
    )
  }
  await backUp(folder, from, backend)
  for (const step of needed) await step?.(backend)
}

async function backUp(folder: string, version: number, backend: LevelBackend): Promise<void> {
  const backup = join(folder, `backup-format-${version}`)
  const isThere = await access(backup).then(
    () => true,
    () => false,
  )
  // Of a migration that was interrupted: it is from before the first change, and the store is not any more.
  if (isThere) return
  const partial = `${backup}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial)
  await copyPages(backend.snapshot(), partial, version)
  await rename(partial, backup)
}
