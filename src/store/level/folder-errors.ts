import { SluiceError } from '../../base/errors.ts'

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
