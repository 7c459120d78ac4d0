import { readFile, realpath } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { SluiceError } from '../../base/errors.ts'
import { FORMAT_FILE } from './format-file.ts'

/**
 * A new store must not come to be inside one that is there, whatever links lead to it: least of all inside the one from
 * which it is made. Throws a SluiceError.
 */
export async function refuseInside(target: string, source: string): Promise<void> {
  const store = await realPath(resolve(source))
  let folder = await realPath(resolve(target))
  while (folder !== dirname(folder)) {
    folder = dirname(folder)
    if (folder !== store && !(await isStore(folder))) continue
    throw new SluiceError(
      'STORE_TARGET_INSIDE',
      `${target} is inside the store ${folder}; nothing was changed; name a folder that is not inside a store`,
    )
  }
}

async function isStore(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, FORMAT_FILE), 'latin1').catch(() => '')
  return text.startsWith('sluice store ')
}

/** Where a folder really is, or will be. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) return path
    return join(await realPath(parent), path.slice(parent.length))
  }
}
