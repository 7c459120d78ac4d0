import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { metaKey } from '../../src/store/keys.ts'
import { openStore } from '../../src/store/open-store.ts'

const CHILD = fileURLToPath(new URL('./store-full-child.mjs', import.meta.url))
// In blocks, of 512 or of 1024 bytes as the shell has it: it stops a write in the middle of a record, as a full disk
// does. Only the soft limit, so that it can be lifted from outside.
const LIMITED = 'ulimit -S -f 2500; trap "" XFSZ; exec "$0" "$@"'

let folder: string
let child: ChildProcessByStdio<null, Readable, null>
let lines: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-full-'))
})

afterEach(async () => {
  child.kill('SIGKILL')
  await rm(folder, { recursive: true })
})

function start(sizes: number[]): void {
  child = spawn('sh', ['-c', LIMITED, process.execPath, CHILD, folder, ...sizes.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  lines = []
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    lines = text.split('\n').slice(0, -1)
  })
}

async function storedSizes(count: number): Promise<(number | undefined)[]> {
  const store = await openStore({ folder, durability: 'fsync' })
  const values = await store.getMany(Array.from({ length: count }, (_, i) => metaKey(`value-${i + 1}`)))
  await store.close()
  return values.map((value) => value?.length)
}

const count = (word: string): number => lines.filter((line) => line === word).length

describe.skipIf(process.platform !== 'linux')('a write that fails half way', () => {
  test('loses nothing that was committed before it or after it', async () => {
    const sizes = Array.from({ length: 80 }, () => 50_000)
    start(sizes)
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    expect(count('failed')).toBeGreaterThan(0)
    expect(count('recovered')).toBe(count('failed'))
    expect(lines.at(-1)).toBe('80')
    expect(await storedSizes(80)).toEqual(sizes)
  }, 30_000)

  test('is not acknowledged while it keeps failing, lets reads go on, and succeeds when there is room', async () => {
    start([1000, 4_000_000, 1000])
    while (count('readable') === 0) await once(child.stdout, 'data')
    expect(lines).toEqual(['1', 'failed', 'readable'])
    // Some attempts later, each of which has opened the database again.
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(lines).toEqual(['1', 'failed', 'readable'])
    execFileSync('prlimit', ['--pid', `${child.pid}`, '--fsize=unlimited'])
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    expect(lines).toEqual(['1', 'failed', 'readable', 'recovered', '2', '3'])
    expect(await storedSizes(3)).toEqual([1000, 4_000_000, 1000])
  }, 30_000)
})
