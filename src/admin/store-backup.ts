import { isAbsolute } from 'node:path'
import { SluiceError } from '../base/errors.ts'
import { copyPages } from '../store/level/new-store.ts'
import type { Store } from '../store/store.ts'
import type { ControlCommand } from './control-server.ts'

/**
 * `store.backup { folder }`: writes everything that was acknowledged before the question into a new folder, as it is at
 * one moment, while the broker goes on.
 */
export function storeBackup(store: Store): ControlCommand {
  return async ({ folder }) => {
    if (typeof folder !== 'string' || !isAbsolute(folder)) {
      throw new SluiceError('CONTROL_MALFORMED', 'the folder of a backup must be an absolute path')
    }
    if (store.commit.failure !== undefined) {
      throw new SluiceError(
        'STORE_FAILING',
        'the store cannot write at present, so that a backup would lack the latest',
      )
    }
    await store.commit.flush()
    const pages = store.snapshot()
    if (pages === undefined) throw new SluiceError('STORE_IN_MEMORY', 'this broker keeps everything in memory')
    return copyPages(pages, folder)
  }
}
