import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Message } from '../../src/message/message.ts'
import { Fifo } from '../../src/store/fifo.ts'
import { metaKey } from '../../src/store/keys.ts'
import { explain } from '../../src/store/level/folder-errors.ts'
import { FORMAT_VERSION } from '../../src/store/level/format-file.ts'
import { openStore } from '../../src/store/open-store.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-store-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function failure(path: string): Promise<{ code: string; message: string }> {
  try {
    const store = await openStore({ folder: path, durability: 'fsync' })
    await store.close()
  } catch (error) {
    expect((error as Error).message).not.toContain('\n')
    return error as { code: string; message: string }
  }
  throw new Error('it opened')
}

function full(what: string): Error {
  return Object.assign(new Error(what), { code: what.startsWith('ENOSPC') ? 'ENOSPC' : 'LEVEL_IO_ERROR' })
}

describe('opening a store', () => {
  test('creates the folder, and finds again what was committed', async () => {
    const path = join(folder, 'deep', 'down')
    const first = await openStore({ folder: path, durability: 'fsync' })
    first.commit.put(metaKey('test'), Buffer.from('kept'))
    const options = { durable: true, messagesMax: 10, bytesMax: 10_000, windowBytes: 10_000 }
    const fifoId = first.numbers.next(first.commit)
    new Fifo(first, fifoId, options).push(new Message('a', Buffer.from('queued'), 1, false), 0)
    await first.close()
    const second = await openStore({ folder: path, durability: 'os' })
    expect((await second.get(metaKey('test')))?.toString()).toBe('kept')
    expect(second.numbers.next(second.commit)).toBeGreaterThan(fifoId)
    const fifo = new Fifo(second, fifoId, options)
    await new Promise<void>((resolve) => {
      fifo.onReady = resolve
      expect(fifo.next()).toBeUndefined()
    })
    expect(fifo.next()?.message.payload.toString()).toBe('queued')
    await second.close()
  })

  test('in memory leaves nothing behind', async () => {
    const store = await openStore({ durability: 'memory' })
    store.commit.put(metaKey('test'), Buffer.from('kept'))
    await store.commit.flush()
    expect((await store.get(metaKey('test')))?.toString()).toBe('kept')
    await store.close()
    expect(await readdir(folder)).toEqual([])
  })

  test.each(['ENOSPC: no space left on device, write', 'IO error: /x/000012.log: No space left on device'])(
    'on a full disk says so (%s)',
    (what) => {
      const { code, message } = explain('/x', new Error('not open', { cause: new Error(what, { cause: full(what) }) }))
      expect(code).toBe('STORE_NOT_WRITABLE')
      expect(message).toBe(`/x cannot be used as the data folder: ${what}; make room on its disk`)
    },
  )

  test('that another process has open says so', async () => {
    const store = await openStore({ folder, durability: 'fsync' })
    const error = await failure(folder)
    await store.close()
    expect(error.code).toBe('STORE_LOCKED')
    expect(error.message).toContain(`${folder} is in use by another process`)
  })

  test('below a file says so', async () => {
    await writeFile(join(folder, 'file'), '')
    const error = await failure(join(folder, 'file', 'data'))
    expect(error.code).toBe('STORE_NOT_WRITABLE')
    expect(error.message).toContain('ENOTDIR')
  })

  test.skipIf(process.getuid?.() === 0)('in a folder without permission says so', async () => {
    await chmod(folder, 0o500)
    const error = await failure(join(folder, 'data'))
    await chmod(folder, 0o700)
    expect(error.code).toBe('STORE_NOT_WRITABLE')
    expect(error.message).toContain('EACCES')
  })

  test('of a newer version is refused, with nothing touched', async () => {
    await mkdir(join(folder, 'db'))
    await writeFile(join(folder, 'db', 'CURRENT'), 'as it was')
    await writeFile(join(folder, 'FORMAT'), 'sluice store 7\n')
    const error = await failure(folder)
    expect(error.code).toBe('STORE_NEWER_VERSION')
    expect(error.message).toContain(
      `written by a newer Sluice (format 7, this one reads ${FORMAT_VERSION}); nothing was changed`,
    )
    expect((await readdir(folder)).sort()).toEqual(['FORMAT', 'db'])
    expect(await readdir(join(folder, 'db'))).toEqual(['CURRENT'])
    expect(await readFile(join(folder, 'db', 'CURRENT'), 'utf8')).toBe('as it was')
  })

  test('whose version cannot be read is refused, with nothing touched', async () => {
    await writeFile(join(folder, 'FORMAT'), 'something else')
    expect((await failure(folder)).code).toBe('STORE_DAMAGED')
    expect(await readdir(folder)).toEqual(['FORMAT'])
  })

  test('in a folder that holds something else is refused, with nothing touched', async () => {
    await writeFile(join(folder, 'photo.jpg'), 'x')
    const error = await failure(folder)
    expect(error.code).toBe('STORE_FOREIGN_FOLDER')
    expect(error.message).toContain('holds no Sluice store')
    expect(await readdir(folder)).toEqual(['photo.jpg'])
  })

  test('takes the root of a fresh file system', async () => {
    await mkdir(join(folder, 'lost+found'))
    const store = await openStore({ folder, durability: 'fsync' })
    await store.close()
    expect((await readdir(folder)).sort()).toEqual(['FORMAT', 'db', 'lost+found'])
  })

  test('goes on where a first start was killed before it had written the version', async () => {
    await writeFile(join(folder, 'FORMAT.new'), '')
    const store = await openStore({ folder, durability: 'fsync' })
    await store.close()
    expect(await readFile(join(folder, 'FORMAT'), 'utf8')).toBe(`sluice store ${FORMAT_VERSION}\n`)
  })

  test('that is damaged says so', async () => {
    const store = await openStore({ folder, durability: 'fsync' })
    await store.close()
    const database = join(folder, 'db')
    const manifest = (await readdir(database)).find((name) => name.startsWith('MANIFEST')) ?? ''
    await writeFile(join(database, manifest), 'nonsense')
    const error = await failure(folder)
    expect(error.code).toBe('STORE_DAMAGED')
    expect(error.message).toContain(`${folder} is damaged`)
  })
})
