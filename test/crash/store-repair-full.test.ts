import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Batch } from '../../src/store/batch.ts'
import { retainedKey } from '../../src/store/keys.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'
import { openFolder } from '../../src/store/level/open-folder.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
// In blocks of 512 or 1024 bytes: no file gets larger, as on a full disk.
const LIMITED = 'ulimit -f 100; trap "" XFSZ; exec "$0" "$@"'
const VALUE_BYTES = 100_000

let root: string
let data: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-repair-full-'))
  data = join(root, 'data')
  await (await openFolder(data, false)).close()
  const backend = await LevelBackend.open(join(data, 'db'), false)
  for (let i = 0; i < 20; i++) {
    const batch = new Batch()
    batch.put(retainedKey(`state/${i}`), Buffer.alloc(VALUE_BYTES, `value ${i}`))
    await new Promise((resolve) => backend.write(batch, resolve))
  }
  await backend.close()
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

function repair(to: string): { status: number | null; stdout: string; stderr: string } {
  const args = ['-c', LIMITED, process.execPath, MAIN, 'store', 'repair', '--data', data, '--to', to]
  // What it looks at the store with is not what there is no room for.
  return spawnSync('sh', args, { encoding: 'utf8' })
}

async function damageLog(): Promise<void> {
  const name = (await readdir(join(data, 'db'))).find((each) => each.endsWith('.log')) ?? ''
  const bytes = await readFile(join(data, 'db', name))
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  await writeFile(join(data, 'db', name), bytes)
}

describe.skipIf(process.platform !== 'linux')('a repair for whose new store there is no room', () => {
  test('says so in one line, and leaves nothing of it', async () => {
    await damageLog()
    const to = join(root, 'new', 'store')
    const { status, stdout, stderr } = repair(to)
    expect(stdout).toBe('')
    expect(stderr).toMatch(
      /^sluice: .*\/new\/store cannot be written to: .*File too large; make room on its disk, .*\n$/,
    )
    expect(status).toBe(1)
    expect(await readdir(root)).toEqual(['data'])
  })

  test('leaves a folder that was there, and empty, as it was', async () => {
    await damageLog()
    await mkdir(join(root, 'new'))
    expect(repair(join(root, 'new')).status).toBe(1)
    expect(await readdir(join(root, 'new'))).toEqual([])
  })
})
