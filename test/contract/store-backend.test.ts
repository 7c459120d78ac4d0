import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/store/backend.ts'
import { Batch } from '../../src/store/batch.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'
import { MemoryBackend } from '../../src/store/memory/memory-backend.ts'

const bytes = (...values: number[]): Buffer => Buffer.from(values)
const END = bytes(0xff, 0xff)

function write(backend: Backend, fill: (batch: Batch) => void): Promise<void> {
  const batch = new Batch()
  fill(batch)
  return new Promise((resolve, reject) => {
    backend.write(batch, (error) => (error === undefined ? resolve() : reject(error)))
  })
}

/** What the store relies on, whatever the medium. */
function backendContract(name: string, open: (folder: string) => Promise<Backend>): void {
  describe(`the ${name} back-end`, () => {
    let folder: string
    let backend: Backend

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sluice-backend-'))
      backend = await open(join(folder, 'db'))
    })

    afterEach(async () => {
      await backend.close()
      await rm(folder, { recursive: true })
    })

    test('gives back what was put, and undefined for what was not or was deleted', async () => {
      await write(backend, (batch) => {
        batch.put(bytes(1), bytes(10))
        batch.put(bytes(2), bytes())
        batch.put(bytes(3), bytes(30))
      })
      await write(backend, (batch) => batch.del(bytes(3)))
      expect(await backend.get(bytes(1))).toEqual(bytes(10))
      expect(await backend.get(bytes(2))).toEqual(bytes())
      expect(await backend.getMany([bytes(3), bytes(1), bytes(4)])).toEqual([undefined, bytes(10), undefined])
    })

    test('applies a batch in its order', async () => {
      await write(backend, (batch) => {
        batch.put(bytes(1), bytes(1))
        batch.del(bytes(1))
        batch.put(bytes(1), bytes(2))
        batch.put(bytes(2), bytes(1))
        batch.del(bytes(2))
      })
      expect(await backend.getMany([bytes(1), bytes(2)])).toEqual([bytes(2), undefined])
    })

    test('calls back after write has returned', async () => {
      const order: string[] = []
      const batch = new Batch()
      batch.put(bytes(1), bytes(1))
      await new Promise<void>((resolve) => {
        backend.write(batch, () => {
          order.push('done')
          resolve()
        })
        order.push('returned')
      })
      expect(order).toEqual(['returned', 'done'])
    })

    test('does not care what becomes of the bytes after the write', async () => {
      const value = bytes(1)
      await write(backend, (batch) => batch.put(bytes(1), value))
      value[0] = 2
      expect(await backend.get(bytes(1))).toEqual(bytes(1))
    })

    test('scans in the order of bytes, the first bound in, the second out', async () => {
      const keys = [bytes(0x80), bytes(1), bytes(1, 0), bytes(0x7f, 0xff), bytes(2), bytes(0xff)]
      await write(backend, (batch) => {
        for (const key of keys) batch.put(key, key)
      })
      const rows = await backend.scan(bytes(1), bytes(0xff), 10)
      const expected = [bytes(1), bytes(1, 0), bytes(2), bytes(0x7f, 0xff), bytes(0x80)]
      expect(rows).toEqual(expected.map((key) => [key, key]))
      expect(await backend.scanKeys(bytes(1), bytes(0xff), 10)).toEqual(expected)
    })

    test('scans no more than the limit', async () => {
      await write(backend, (batch) => {
        for (let i = 0; i < 10; i++) batch.put(bytes(i), bytes(i))
      })
      expect((await backend.scan(bytes(), END, 3)).map(([key]) => key[0])).toEqual([0, 1, 2])
      expect((await backend.scanKeys(bytes(8), END, 3)).map((key) => key[0])).toEqual([8, 9])
      expect(await backend.scan(bytes(10), END, 3)).toEqual([])
    })

    test('ends a scan soon after the size limit, but never without an entry', async () => {
      await write(backend, (batch) => {
        for (let i = 0; i < 10; i++) batch.put(bytes(i), Buffer.alloc(1000))
      })
      expect((await backend.scan(bytes(), END, 10, 3500)).length).toBe(4)
      expect((await backend.scan(bytes(), END, 10, 1)).length).toBe(1)
    })

    test('does not scan what was deleted, and finds what was added after an earlier scan', async () => {
      await write(backend, (batch) => {
        for (let i = 0; i < 5; i++) batch.put(bytes(i), bytes(i))
      })
      await backend.scanKeys(bytes(), END, 10)
      await write(backend, (batch) => {
        batch.del(bytes(1))
        batch.put(bytes(2, 5), bytes(1))
      })
      expect(await backend.scanKeys(bytes(), END, 10)).toEqual([bytes(0), bytes(2), bytes(2, 5), bytes(3), bytes(4)])
    })
  })
}

backendContract('memory', () => Promise.resolve(new MemoryBackend()))
backendContract('LevelDB', (folder) => LevelBackend.open(folder, true))
