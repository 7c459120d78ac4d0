import { constants } from 'node:fs'
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import type { FileDamage } from './folder-damage.ts'
import { TABLE_PATTERN } from './folder-damage.ts'
import { LevelBackend } from './level-backend.ts'

// No block of LevelDB has this type: it refuses to read one, instead of handing out what may be anything.
const NO_BLOCK_TYPE = 0xee

// classic-level has it, and on Node that is what `level` is; its types speak for the browser too.
const repairer = Level as unknown as { repair(folder: string): Promise<void> }

/**
 * A LevelDB database opened without touching it: LevelDB writes into whatever it opens, so it gets a folder of its own
 * with links to the tables, which are never changed, and copies of the few other files. It holds the lock of the
 * original for as long as it is open.
 */
export class FolderView {
  readonly backend: LevelBackend
  private readonly folder: string

  private constructor(backend: LevelBackend, folder: string) {
    this.backend = backend
    this.folder = folder
  }

  /**
   * `damage`: the blocks to leave out. `rebuild`: finds the tables without the database's own list of them, for when
   * that is damaged. Throws what LevelDB throws.
   */
  static async open(original: string, damage: readonly FileDamage[], rebuild: boolean): Promise<FolderView> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-view-'))
    try {
      await link(original, folder, damage)
      if (rebuild) await repairer.repair(folder)
      return new FolderView(await LevelBackend.open(folder, false), folder)
    } catch (error) {
      await rm(folder, { recursive: true })
      throw error
    }
  }

  async close(): Promise<void> {
    await this.backend.close()
    await rm(this.folder, { recursive: true })
  }
}

async function link(original: string, folder: string, damage: readonly FileDamage[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(original)) {
    const from = join(original, name)
    const to = join(folder, name)
    const blocks = damage.find(({ file }) => file === name)?.blocks ?? []
    if (TABLE_PATTERN.test(name) && blocks.length > 0) await writeFile(to, without(await readFile(from), blocks))
    else if (TABLE_PATTERN.test(name)) await symlink(from, to).catch(() => copyFile(from, to))
    else if (name === 'LOCK') await linkLock(from, to)
    else if (name === 'CURRENT' || name.startsWith('MANIFEST-') || name.endsWith('.log')) await copyFile(from, to)
  }
}

// Whom the lock cannot be shown to cannot run a broker on this folder either.
async function linkLock(from: string, to: string): Promise<void> {
  const isWritable = await access(from, constants.W_OK).then(
    () => true,
    () => false,
  )
  if (isWritable) await symlink(from, to).catch(() => undefined)
}

function without(bytes: Buffer, blocks: FileDamage['blocks']): Buffer {
  for (const { typeAt } of blocks) if (typeAt < bytes.length) bytes[typeAt] = NO_BLOCK_TYPE
  return bytes
}
