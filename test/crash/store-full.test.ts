import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { metaKey } from '../../src/store/keys.ts'
import { openStore } from '../../src/store/open-store.ts'

const CHILD = fileURLToPath(new URL('./store-full-child.mjs', import.meta.url))

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-full-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

// The limit on the size of a file (in blocks of 512 or 1024 bytes) fails a write in the middle of a record, as a full
// disk does, and as a full disk does it passes: LevelDB begins a new file when it is opened again.
test.skipIf(process.platform === 'win32')(
  'a write that fails half way loses nothing that was committed',
  async () => {
    const script = 'ulimit -f 2500; trap "" XFSZ; exec "$0" "$@"'
    const child = spawn('sh', ['-c', script, process.execPath, CHILD, folder, '80'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const output: string[] = []
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => output.push(chunk))
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    const lines = output.join('').trim().split('\n')
    expect(lines.filter((line) => line.startsWith('failed')).length).toBeGreaterThan(0)
    expect(lines.filter((line) => line === 'recovered').length).toBe(
      lines.filter((line) => line.startsWith('failed')).length,
    )
    expect(lines.at(-1)).toBe('80')
    const store = await openStore({ folder, durability: 'fsync' })
    const values = await store.getMany(Array.from({ length: 80 }, (_, i) => metaKey(`value-${i + 1}`)))
    expect(values.filter((value) => value?.length === 50_000).length).toBe(80)
    await store.close()
  },
  60_000,
)
