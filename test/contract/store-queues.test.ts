import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBroker } from '../../src/index.ts'
import { checkStore, repairStore } from '../../src/maintenance.ts'
import { Batch } from '../../src/store/batch.ts'
import {
  blockDataKey,
  exchangeKey,
  KIND_BLOCK,
  KIND_BLOCK_DATA,
  KIND_BODY,
  KIND_DELAYED,
  KIND_REDELIVERY,
  KIND_SEEN,
  kindKey,
  queueKey,
} from '../../src/store/keys.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'

let root: string
let data: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-queues-'))
  data = join(root, 'data')
  await fill()
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

const open = (folder = data) => createBroker({ data: folder, durability: 'os', mqtt: { port: 0 } })

/** Two queues with the same three messages and more, a message that came back, a delayed one, one that was seen. */
async function fill(): Promise<void> {
  const broker = await open()
  const { queues } = broker
  await queues.declareExchange('orders', { type: 'topic' })
  await queues.declare('all', { maxPriority: 2, bindings: [{ exchange: 'orders', key: '#' }] })
  await queues.declare('some', { deduplicationWindowMs: 60_000, bindings: [{ exchange: 'orders', key: 'tea.*' }] })
  for (let i = 0; i < 3; i++) {
    await queues.publish('orders', 'tea.green', `both ${i}`, {
      messageId: `id ${i}`,
      headers: { long: 'x'.repeat(2000) },
    })
  }
  await queues.publish('orders', 'coffee', 'one', { priority: 2 })
  for (let i = 0; i < 2; i++) void queues.enqueue('all', `more ${i} ${'y'.repeat(2000)}`)
  await queues.enqueue('some', 'later', { delayMs: 3_600_000 })
  ;(await queues.get('some'))?.nack()
  await broker.close()
}

async function payloads(folder: string, queue: string): Promise<string[]> {
  const broker = await open(folder)
  const found: string[] = []
  for (;;) {
    const message = await broker.queues.dequeue(queue)
    if (message === undefined) break
    found.push(message.text.split(' y')[0] ?? '')
  }
  await broker.close()
  return found
}

async function inStore<T>(work: (backend: LevelBackend, batch: Batch) => Promise<T>): Promise<T> {
  const backend = await LevelBackend.open(join(data, 'db'), true)
  const batch = new Batch()
  const result = await work(backend, batch)
  if (batch.length > 0) await new Promise((resolve) => backend.write(batch, resolve))
  await backend.close()
  return result
}

const keysOf = (backend: LevelBackend, kind: number): Promise<Buffer[]> =>
  backend.scanKeys(kindKey(kind), kindKey(kind + 1), 1000)

describe('checking a store with queues', () => {
  test('accounts for every key', async () => {
    const { kinds, damage } = await checkStore(data)
    expect(damage).toEqual([])
    const counts = Object.fromEntries([...kinds].map(([name, { good, leftover }]) => [name, [good, leftover]]))
    expect(counts).toMatchObject({
      'queue definitions': [2, 0],
      exchanges: [1, 0],
      bindings: [2, 0],
      'queued messages': [9, 0],
      'shared messages': [3, 0],
      'redelivery counts': [1, 0],
      'delayed messages': [1, 0],
      'message identifiers seen': [3, 0],
    })
  })

  test('tells what a deleted queue has left, which the next start deletes', async () => {
    await inStore(async (_backend, batch) => batch.del(queueKey('some')))
    const { kinds, damage } = await checkStore(data)
    expect(damage).toEqual([])
    for (const name of ['bindings', 'redelivery counts', 'delayed messages']) expect(kinds.get(name)?.leftover).toBe(1)
    expect(kinds.get('message identifiers seen')?.leftover).toBe(3)
    expect(kinds.get('queued messages')?.leftover).toBe(3)
    await (await open()).close()
    const after = [...(await checkStore(data)).kinds.values()]
    expect(after.every(({ leftover, damaged }) => leftover === 0 && damaged === 0)).toBe(true)
  })

  test('tells of bindings whose exchange is gone', async () => {
    await inStore(async (_backend, batch) => batch.del(exchangeKey('orders')))
    expect((await checkStore(data)).kinds.get('bindings')).toEqual({ good: 0, leftover: 2, damaged: 0 })
  })

  test.each([
    ['redelivery counts', KIND_REDELIVERY],
    ['delayed messages', KIND_DELAYED],
    ['message identifiers seen', KIND_SEEN],
  ])('finds %s that cannot be read', async (name, kind) => {
    await inStore(async (backend, batch) => {
      const [key] = await keysOf(backend, kind)
      batch.put(key as Buffer, Buffer.from([9]))
    })
    expect((await checkStore(data)).kinds.get(name)?.damaged).toBe(1)
  })
})

describe('repairing queues', () => {
  test('loses no more of a block than the message that has lost its body', async () => {
    await inStore(async (backend, batch) => {
      const [, body] = await keysOf(backend, KIND_BODY)
      batch.del(body as Buffer)
    })
    const to = join(root, 'saved')
    const { damage, kinds } = await repairStore(data, to)
    expect(damage.join('\n')).toContain('its message is missing')
    expect(kinds.get('queued messages')).toEqual({ good: 7, leftover: 0, damaged: 2 })
    expect((await checkStore(to)).damage).toEqual([])
    expect(await payloads(to, 'some')).toEqual(['both 0', 'both 2'])
    expect(await payloads(to, 'all')).toEqual(['one', 'both 0', 'both 2', 'more 0', 'more 1'])
  })

  test('saves the messages of which nobody knows any more what was acknowledged', async () => {
    await inStore(async (backend, batch) => {
      for (const key of await keysOf(backend, KIND_BLOCK_DATA)) {
        const block = Buffer.from(key)
        block[0] = KIND_BLOCK
        batch.del(block)
      }
    })
    const to = join(root, 'saved')
    const { damage } = await repairStore(data, to)
    expect(damage.join('\n')).toContain('what of it was acknowledged is not known')
    expect((await checkStore(to)).damage).toEqual([])
    expect(await payloads(to, 'all')).toEqual(['one', 'both 0', 'both 1', 'both 2', 'more 0', 'more 1'])
  })

  test('leaves out a block whose messages cannot be read, and saves the others', async () => {
    await inStore(async (backend, batch) => {
      for (const key of await keysOf(backend, KIND_BLOCK_DATA)) batch.put(key, Buffer.from('nonsense'))
      batch.put(blockDataKey(1, 999), Buffer.from([1]))
    })
    const to = join(root, 'saved')
    const { damageCount } = await repairStore(data, to)
    expect(damageCount).toBeGreaterThan(1)
    expect((await checkStore(to)).damage).toEqual([])
    expect(await payloads(to, 'some')).toEqual(['both 0', 'both 1', 'both 2'])
  })
})
