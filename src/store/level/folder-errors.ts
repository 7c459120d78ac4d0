import { SluiceError } from '../../base/errors.ts'

/** Why a data folder cannot be opened, and what to do about it. */
export function explain(folder: string, error: unknown): SluiceError {
  if (error instanceof SluiceError) return error
  const code = innermostCode(error)
  const cause = error
  if (code === 'LEVEL_LOCKED') {
    return new SluiceError(
      'STORE_LOCKED',
      `${folder} is in use by another process; stop that one, or name another folder`,
      { cause },
    )
  }
  if (code === 'LEVEL_CORRUPTION' || code === 'EIO' || /Input\/output error/.test(reasonOf(error))) {
    return damaged(folder, reasonOf(error), cause)
  }
  const hint = hasNoRoom(error) ? 'make room on its disk' : 'name one that this user may write to'
  return new SluiceError(
    'STORE_NOT_WRITABLE',
    `${folder} cannot be used as the data folder: ${reasonOf(error)}; ${hint}`,
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

/** Whether the disk is full, or the user may not have more of it. LevelDB says it in words. */
export function hasNoRoom(error: unknown): boolean {
  const code = innermostCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') return true
  return /No space left on device|Disk quota exceeded|File too large/.test(reasonOf(error))
}

/** Whether it is an error of the file system or of LevelDB, and no mistake in the program. */
export function isOfDisk(error: unknown): boolean {
  const code = innermostCode(error)
  return typeof code === 'string' && /^(E[A-Z0-9]+|LEVEL_(IO_ERROR|CORRUPTION|LOCKED|NOT_FOUND))$/.test(code)
}

/** LevelDB's own error is the cause of the one that `open` throws. */
function innermost(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? innermost(error.cause) : error
}

function innermostCode(error: unknown): unknown {
  const inner = innermost(error)
  return inner instanceof Error && 'code' in inner ? inner.code : undefined
}

export function reasonOf(error: unknown): string {
  const inner = innermost(error)
  return inner instanceof Error ? inner.message : String(inner)
}
