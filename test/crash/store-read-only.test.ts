import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { metaKey } from '../../src/store/keys.ts'
import { openStore } from '../../src/store/open-store.ts'

const CHILD = fileURLToPath(new URL('./store-full-child.mjs', import.meta.url))
const NOBODY = 65_534
// To root no folder is read-only.
const isRoot = process.getuid?.() === 0
// More than LevelDB's write buffer: it needs a new file then.
const SIZES = Array.from({ length: 6 }, () => 8_000_000)

let child: ChildProcessByStdio<null, Readable, null>
let folder: string

afterEach(async () => {
  child.kill('SIGKILL')
  await rm(folder, { recursive: true })
})

describe.skipIf(process.platform !== 'linux')('a folder that is made read-only', () => {
  test('is written to again when it may be, with nothing lost and nothing acknowledged before', async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-read-only-'))
    if (isRoot) chownSync(folder, NOBODY, NOBODY)
    const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
    const sizes = SIZES.map(String)
    child = spawn(process.execPath, [CHILD, folder, ...sizes], { stdio: ['ignore', 'pipe', 'inherit'], ...user })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    while (!text.includes('1\n')) await once(child.stdout, 'data')
    chmodSync(join(folder, 'db'), 0o500)
    while (!text.includes('failed')) await once(child.stdout, 'data')
    const acknowledged = text.split('\n').filter((line) => /^\d+$/.test(line)).length
    expect(acknowledged).toBeLessThan(SIZES.length)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(text).not.toContain('recovered')
    chmodSync(join(folder, 'db'), 0o700)
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    expect(text.trim().split('\n').at(-1)).toBe(String(SIZES.length))
    const store = await openStore({ folder, durability: 'fsync' })
    const values = await store.getMany(SIZES.map((_, i) => metaKey(`value-${i + 1}`)))
    await store.close()
    expect(values.map((value) => value?.length)).toEqual(SIZES)
    expect(existsSync(join(folder, 'FORMAT'))).toBe(true)
  }, 40_000)
})
