import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Broker, createBroker } from '../../src/index.ts'
import { checkStore } from '../../src/maintenance.ts'
import type { Batch } from '../../src/store/batch.ts'
import { entriesToBlocks } from '../../src/store/entries-to-blocks.ts'
import { KIND_BLOCK, KIND_ENTRY, kindKey } from '../../src/store/keys.ts'
import { FORMAT_VERSION } from '../../src/store/level/format-file.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'
import { lasting } from '../support/flow.ts'
import { openSocket } from '../support/mosquitto-peer.ts'
import { RawClient } from '../support/raw-client.ts'

// Written by the last version with format 1. Away are: `one` and `two` with the same 40 messages, `three` with a QoS 2
// message that it had answered with PUBREC and eight that were sent to it; five wait for the group of all three.
const ORIGINAL = join(import.meta.dirname, 'support', 'format-1')

let data: string
let broker: Broker | undefined

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'sluice-old-'))
  await cp(ORIGINAL, data, { recursive: true })
})

afterEach(async () => {
  await broker?.close()
  broker = undefined
  await rm(data, { recursive: true })
})

async function start(): Promise<Broker> {
  broker = await createBroker({ data, durability: 'os', mqtt: { port: 0 }, sys: { intervalSeconds: 0 } })
  return broker
}

async function resume(clientId: string): Promise<RawClient> {
  const client = new RawClient(await openSocket(broker?.addresses[0]?.port ?? 0), 4)
  client.sendConnect(lasting({ clientId, version: 4 }))
  await client.expect('connack', { reasonCode: 0, sessionPresent: true })
  return client
}

async function countOf(kind: number): Promise<number> {
  const backend = await LevelBackend.open(join(data, 'db'), false)
  const keys = await backend.scanKeys(kindKey(kind), kindKey(kind + 1), 1000)
  await backend.close()
  return keys.length
}

describe('a store of format 1', () => {
  test('has its messages in blocks after the first start, and is backed up', async () => {
    await (await start()).close()
    expect(await readFile(join(data, 'FORMAT'), 'utf8')).toBe(`sluice store ${FORMAT_VERSION}\n`)
    expect([await countOf(KIND_ENTRY), await countOf(KIND_BLOCK)]).toEqual([0, 4])
    const { kinds, damage } = await checkStore(data)
    expect(damage).toEqual([])
    expect(kinds.get('queued messages')).toEqual({ good: 94, leftover: 0, damaged: 0 })
    expect(kinds.get('shared messages')).toEqual({ good: 40, leftover: 0, damaged: 0 })
    expect(await readFile(join(data, 'backup-format-1', 'FORMAT'), 'utf8')).toBe('sluice store 1\n')
    expect((await readdir(join(data, 'backup-format-1'))).sort()).toEqual(['FORMAT', 'db'])
  })

  test.each(['one', 'two'])('gives client %s what waited, in order', async (clientId) => {
    await start()
    const client = await resume(clientId)
    const payloads: string[] = []
    while (payloads.length < 40) {
      const { topic, payload } = await client.receive()
      if (topic.startsWith('a/')) payloads.push(payload)
    }
    client.drop()
    expect(payloads).toEqual(Array.from({ length: 40 }, (_, i) => `a ${i}`))
  })

  test('goes on with an exchange at QoS 2 where it stood', async () => {
    await start()
    const client = await resume('three')
    await client.expect('pubrel', {})
    const payloads: string[] = []
    while (payloads.length < 8) {
      const { topic, payload } = await client.receive()
      if (topic === 'b/1') payloads.push(payload)
    }
    client.drop()
    expect(payloads).toEqual(Array.from({ length: 8 }, (_, i) => `b ${i + 2}`))
  })

  test('that is cut off in the middle of its migration is migrated by the next start', async () => {
    const backend = await LevelBackend.open(join(data, 'db'), true)
    let writes = 0
    const halting = Object.create(backend) as LevelBackend
    halting.scan = (from, to) => backend.scan(from, to, 30)
    halting.write = (batch: Batch, done) => {
      if (++writes < 3) backend.write(batch, done)
      else queueMicrotask(() => done(new Error('power cut')))
    }
    await expect(entriesToBlocks(halting)).rejects.toThrow('power cut')
    await backend.close()
    expect(await countOf(KIND_ENTRY)).toBe(34)
    await (await start()).close()
    const { kinds, damage } = await checkStore(data)
    expect(damage).toEqual([])
    expect(kinds.get('queued messages')?.good).toBe(94)
  })
})
