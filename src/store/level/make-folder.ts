import { access, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder with those above it, and answers the first of them that was not there. Node's own way to do so never
 * ends where the system refuses a folder as if the one above were missing, as below /proc.
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<string | undefined> {
  try {
    await mkdir(folder, { mode })
    return folder
  } catch (error) {
    if (await isThere(folder)) return undefined
    const above = dirname(folder)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || (await isThere(above))) throw error
    const first = await makeFolder(above, mode)
    await mkdir(folder, { mode })
    return first ?? folder
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
