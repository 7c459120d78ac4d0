import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ControlClient } from '../../src/admin/control-client.ts'
import { type Broker, createBroker } from '../../src/index.ts'
import { backupStore, checkStore, repairStore, restoreStore } from '../../src/maintenance.ts'
import { Batch } from '../../src/store/batch.ts'
import {
  bodyKey,
  headKey,
  KIND_BODY,
  KIND_HEAD,
  KIND_RETAINED,
  kindKey,
  metaKey,
  retainedKey,
  sessionKey,
  subscriptionKey,
} from '../../src/store/keys.ts'
import { FORMAT_VERSION } from '../../src/store/level/format-file.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'
import { openFolder } from '../../src/store/level/open-folder.ts'
import { lasting } from '../support/flow.ts'
import { openSocket } from '../support/mosquitto-peer.ts'
import { RawClient } from '../support/raw-client.ts'
import type { ConnectOptions } from '../support/wire-writer.ts'

let root: string
let data: string
let brokers: Broker[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-keep-'))
  data = join(root, 'data')
  brokers = []
})

afterEach(async () => {
  for (const broker of brokers) await broker.close()
  await rm(root, { recursive: true })
})

async function start(folder = data): Promise<Broker> {
  const broker = await createBroker({ data: folder, durability: 'os', mqtt: { port: 0 }, sys: { intervalSeconds: 0 } })
  brokers.push(broker)
  return broker
}

async function connect(broker: Broker, options: ConnectOptions): Promise<RawClient> {
  const client = new RawClient(await openSocket(broker.addresses[0]?.port ?? 0), options.version ?? 4)
  client.sendConnect(options)
  await client.expect('connack', { reasonCode: 0 })
  return client
}

/** Two clients that are away with two messages waiting for both, a shared group, retained messages, an open QoS 2. */
async function fill(broker: Broker): Promise<void> {
  for (const clientId of ['one', 'two']) {
    const client = await connect(broker, lasting({ clientId }))
    await client.subscribe(['a/#', '$share/group/s'], 1)
    await client.disconnect()
  }
  const publisher = await connect(broker, lasting({ clientId: 'publisher' }))
  await publisher.publish('a/1', 'first', { qos: 1 })
  await publisher.publish('a/2', 'second', { qos: 1, retain: true })
  await publisher.publish('s', 'for the group', { qos: 1 })
  publisher.sendPublish({ topic: 'nobody', qos: 2, packetId: 9 })
  await publisher.expect('pubrec', { packetId: 9 })
  for (let i = 0; i < 100; i++) {
    await publisher.publish(`state/${i}`, Buffer.from(noise(i)), { qos: 1, retain: true })
  }
  await publisher.disconnect()
}

// Does not compress, so that a table has many blocks.
function noise(seed: number): Uint8Array {
  let state = seed + 1
  return Uint8Array.from({ length: 1000 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 16
  })
}

async function filled(): Promise<void> {
  const broker = await start()
  await fill(broker)
  await broker.close()
}

/** Opening it again makes LevelDB write its log into tables. */
async function intoTables(): Promise<string> {
  const backend = await LevelBackend.open(join(data, 'db'), false)
  await backend.close()
  const tables = (await readdir(join(data, 'db'))).filter((name) => name.endsWith('.ldb'))
  return join(data, 'db', tables.at(-1) ?? '')
}

async function change(...changes: [key: Buffer, value: Buffer | undefined][]): Promise<void> {
  const backend = await LevelBackend.open(join(data, 'db'), true)
  const batch = new Batch()
  for (const [key, value] of changes) {
    if (value === undefined) batch.del(key)
    else batch.put(key, value)
  }
  await new Promise((resolve) => backend.write(batch, resolve))
  await backend.close()
}

async function keysOf(kind: number): Promise<Buffer[]> {
  const backend = await LevelBackend.open(join(data, 'db'), false)
  const keys = await backend.scanKeys(kindKey(kind), kindKey(kind + 1), 1000)
  await backend.close()
  return keys
}

async function contents(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found.set(path, (await readFile(path)).toString('base64'))
  }
  return found
}

async function received(folder: string, clientId: string): Promise<string[]> {
  const broker = await start(folder)
  const client = await connect(broker, lasting({ clientId }))
  const payloads: string[] = []
  // What waits for the group comes to whoever is first.
  while (payloads.length < 2) {
    const { topic, payload } = await client.receive()
    if (topic.startsWith('a/')) payloads.push(payload)
  }
  client.drop()
  await broker.close()
  return payloads
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: { code: string }) => error.code,
  )
}

describe('checking a store', () => {
  test('accounts for every key of one that is whole, and changes nothing', async () => {
    await filled()
    const before = await contents(data)
    const { kinds, damage, damageCount } = await checkStore(data)
    expect([damageCount, damage]).toEqual([0, []])
    expect(kinds.get('sessions')).toEqual({ good: 3, leftover: 0, damaged: 0 })
    expect(kinds.get('subscriptions')?.good).toBe(4)
    expect(kinds.get('retained messages')?.good).toBe(101)
    expect(kinds.get('queued messages')).toEqual({ good: 5, leftover: 0, damaged: 0 })
    expect(kinds.get('shared messages')).toEqual({ good: 2, leftover: 0, damaged: 0 })
    expect(kinds.get('unreleased packet identifiers')?.good).toBe(1)
    expect([...kinds.values()].every(({ leftover }) => leftover === 0)).toBe(true)
    expect(await contents(data)).toEqual(before)
  })

  test('is refused while a broker has it', async () => {
    await start()
    expect(await codeOf(checkStore(data))).toBe('STORE_LOCKED')
    expect(await codeOf(repairStore(data, join(root, 'saved')))).toBe('STORE_LOCKED')
  })

  test('is refused where there is none', async () => {
    await mkdir(data)
    expect(await codeOf(checkStore(data))).toBe('STORE_FOREIGN_FOLDER')
    expect(await codeOf(checkStore(join(root, 'nowhere')))).toBe('STORE_NOT_FOUND')
  })

  test('names records that cannot be read, that belong to nobody and that nobody knows', async () => {
    await filled()
    const [body] = await keysOf(KIND_BODY)
    await change(
      [retainedKey('state/7'), Buffer.from('nonsense')],
      [sessionKey('two'), Buffer.from([9])],
      [body as Buffer, undefined],
      [metaKey('surprise'), Buffer.alloc(1)],
      [Buffer.from([0x77]), Buffer.alloc(1)],
    )
    const { damage } = await checkStore(data)
    const text = damage.join('\n')
    expect(text).toContain("retained messages: 'state/7': a stored message cannot be read")
    expect(text).toContain("sessions: 'two': a stored session cannot be read (version 9)")
    expect(text).toContain("the session of client 'two' is missing")
    expect(text).toContain('queued messages: key ')
    expect(text).toContain('its message is missing')
    expect(text).toContain("settings: 'surprise': nobody knows it")
    expect(text).toContain('unknown keys')
  })

  test('tells leftovers of a crash from damage', async () => {
    await filled()
    const [body] = await keysOf(KIND_BODY)
    const backend = await LevelBackend.open(join(data, 'db'), false)
    const record = (await backend.get(body as Buffer)) as Buffer
    await backend.close()
    await change([bodyKey(60_000), record])
    const { kinds, damageCount } = await checkStore(data)
    expect(damageCount).toBe(0)
    expect(kinds.get('shared messages')).toEqual({ good: 2, leftover: 1, damaged: 0 })
  })

  test('finds a changed byte in a table, which LevelDB would hand out as if it were right', async () => {
    await filled()
    const table = await intoTables()
    const bytes = await readFile(table)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    await writeFile(table, bytes)
    const { damage } = await checkStore(data)
    expect(damage[0]).toMatch(/^file db\/\d+\.ldb: 1 damaged block \(at byte \d+\)$/)
  })

  test('takes a table that a compaction has left half written, and that is in no manifest, for no damage', async () => {
    await filled()
    const bytes = await readFile(await intoTables())
    await writeFile(join(data, 'db', '900000.ldb'), bytes.subarray(0, 20))
    expect((await checkStore(data)).damage).toEqual([])
    await writeFile(await intoTables(), bytes.subarray(0, 20))
    expect((await checkStore(data)).damage[0]).toMatch(/^file db\/\d+\.ldb: cannot be read: it is cut off$/)
  })

  test('finds a changed byte in the log, and takes a record that was cut off for none', async () => {
    await filled()
    const log = join(data, 'db', (await readdir(join(data, 'db'))).find((name) => name.endsWith('.log')) ?? '')
    const bytes = await readFile(log)
    await writeFile(log, bytes.subarray(0, bytes.length - 5))
    expect((await checkStore(data)).damage.filter((line) => line.startsWith('file'))).toEqual([])
    bytes[100] = (bytes[100] ?? 0) ^ 1
    await writeFile(log, bytes)
    expect((await checkStore(data)).damage.join('\n')).toMatch(/file db\/\d+\.log: 1 damaged record/)
  })
})

describe('repairing a store', () => {
  test('saves everything of one that is whole', async () => {
    await filled()
    const to = join(root, 'saved')
    const before = await contents(data)
    expect((await repairStore(data, to)).damageCount).toBe(0)
    expect(await contents(data)).toEqual(before)
    expect((await checkStore(to)).kinds).toEqual((await checkStore(data)).kinds)
    expect(await received(to, 'two')).toEqual(['first', 'second'])
  })

  test('saves what is not in a damaged block, reports the rest, and never touches the original', async () => {
    await filled()
    const table = await intoTables()
    const bytes = await readFile(table)
    // In the last part, where the keys of retained messages are many.
    const at = Math.floor(bytes.length / 2)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(table, bytes)
    const before = await contents(data)
    const to = join(root, 'saved')
    const { damage, kinds } = await repairStore(data, to)
    expect(damage[0]).toContain('1 damaged block')
    const saved = kinds.get('retained messages')?.good ?? 0
    expect(saved).toBeGreaterThan(80)
    expect(saved).toBeLessThan(101)
    expect(await contents(data)).toEqual(before)
    expect((await checkStore(to)).damageCount).toBe(0)
    expect(await received(to, 'one')).toEqual(['first', 'second'])
  })

  test('finds the tables of a database whose own list of them is damaged', async () => {
    await filled()
    await intoTables()
    const names = await readdir(join(data, 'db'))
    await writeFile(join(data, 'db', names.find((name) => name.startsWith('MANIFEST')) ?? ''), 'nonsense')
    expect((await checkStore(data)).damage.join('\n')).toContain('database: it cannot be opened')
    const to = join(root, 'saved')
    expect((await repairStore(data, to)).kinds.get('retained messages')?.good).toBe(101)
    expect(await received(to, 'two')).toEqual(['first', 'second'])
  })

  test('makes the head of a queue again, and its messages are kept', async () => {
    await filled()
    await change(...(await keysOf(KIND_HEAD)).map((key): [Buffer, undefined] => [key, undefined]))
    const to = join(root, 'saved')
    const { damage } = await repairStore(data, to)
    expect(damage.join('\n')).toContain('was made again, and its messages are saved')
    expect(await received(to, 'one')).toEqual(['first', 'second'])
  })

  test('gives no number again whose reservation is lost', async () => {
    await filled()
    await change([metaKey('next-number'), undefined])
    const to = join(root, 'saved')
    await repairStore(data, to)
    const broker = await start(to)
    const heads = await keysOf(KIND_HEAD)
    expect(broker.store.numbers.next(broker.store.commit)).toBeGreaterThan(
      Math.max(...heads.map((key) => key.readUIntBE(1, 6))),
    )
  })

  test('does not write into a folder that holds something', async () => {
    await filled()
    expect(await codeOf(repairStore(data, data))).toBe('STORE_TARGET_NOT_EMPTY')
  })
})

describe('a backup', () => {
  test('of a running broker holds what was acknowledged before it, at one moment, and can be restored', async () => {
    const broker = await start()
    await fill(broker)
    const publisher = await connect(broker, { clientId: 'busy' })
    const folder = join(root, 'backup')
    const backup = backupStore(data, folder)
    for (let i = 0; i < 50; i++) await publisher.publish('busy', String(i), { qos: 1, retain: true })
    expect((await backup).entries).toBeGreaterThan(100)
    publisher.drop()
    await broker.close()
    const report = await checkStore(folder)
    expect(report.damageCount).toBe(0)
    expect(report.kinds.get('sessions')?.good).toBe(3)
    const restored = join(root, 'restored')
    await restoreStore(folder, restored)
    expect(await received(restored, 'two')).toEqual(['first', 'second'])
  })

  test('is refused where something is, and the broker goes on', async () => {
    const broker = await start()
    await mkdir(join(root, 'full', 'of'), { recursive: true })
    expect(await codeOf(backupStore(data, join(root, 'full')))).toBe('STORE_TARGET_NOT_EMPTY')
    const client = await connect(broker, { clientId: 'c' })
    await client.expectNothing()
    client.drop()
  })

  test.skipIf(process.platform !== 'linux')(
    'where there can be no folder is refused, and the broker goes on',
    async () => {
      const broker = await start()
      const nowhere = '/proc/nope/deeper'
      await expect(backupStore(data, nowhere)).rejects.toMatchObject({
        code: 'STORE_TARGET_NOT_WRITABLE',
        message: expect.stringMatching(`^${nowhere} cannot be written to: ENOENT: .+`),
      })
      const client = await connect(broker, { clientId: 'c' })
      client.drop()
      await expect(start(nowhere)).rejects.toMatchObject({ code: 'STORE_NOT_WRITABLE' })
    },
  )

  test('that is damaged, or was not finished, is not restored', async () => {
    await filled()
    await change([retainedKey('state/7'), Buffer.from('nonsense')])
    expect(await codeOf(restoreStore(data, join(root, 'restored')))).toBe('STORE_DAMAGED')
    await rm(join(data, 'FORMAT'))
    expect(await codeOf(restoreStore(data, join(root, 'restored')))).toBe('STORE_FOREIGN_FOLDER')
    expect(await readdir(root)).toEqual(['data'])
  })

  test('without a broker says so', async () => {
    await filled()
    expect(await codeOf(backupStore(data, join(root, 'backup')))).toBe('CONTROL_NO_BROKER')
  })
})

describe('the control socket', () => {
  test('is for the user of the broker alone, and goes with it', async () => {
    const broker = await start()
    expect((await stat(join(data, 'control.sock'))).mode & 0o777).toBe(0o600)
    await broker.close()
    expect((await readdir(data)).sort()).toEqual(['FORMAT', 'db'])
  })

  test('takes the place of one that a killed broker has left', async () => {
    await filled()
    await writeFile(join(data, 'control.sock'), '')
    await chmod(join(data, 'control.sock'), 0o644)
    await start()
    const client = await ControlClient.connect(data)
    await expect(client.ask('no.such', {})).rejects.toMatchObject({ code: 'CONTROL_UNKNOWN_COMMAND' })
    client.close()
  })

  test.skipIf(process.platform !== 'linux')('works below a path longer than the system allows', async () => {
    data = join(root, 'x'.repeat(120), 'data')
    await start()
    expect((await backupStore(data, join(root, 'backup'))).entries).toBeGreaterThanOrEqual(0)
  })
})

describe('a damaged store', () => {
  test.each([
    ['the head of a queue', headKey(4711)],
    ['a session', sessionKey('broken')],
    ['a subscription', subscriptionKey('one', 'a/#')],
  ])('ends the start with what to do when %s cannot be read', async (_what, key) => {
    await filled()
    await change([key, Buffer.from('no')])
    await expect(start()).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      message: expect.stringContaining(`sluice store check --data ${data}`),
    })
    expect((await checkStore(data)).damageCount).toBeGreaterThan(0)
  })

  test('is not taken for a new one when LevelDB has lost its way in', async () => {
    await filled()
    await rm(join(data, 'db', 'CURRENT'))
    await expect(start()).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    expect((await checkStore(data)).damage[0]).toContain('file db/CURRENT: is missing')
    const to = join(root, 'saved')
    await repairStore(data, to)
    expect(await received(to, 'one')).toEqual(['first', 'second'])
  })
})

describe('a store of an older version', () => {
  const key = retainedKey('old')

  test('is backed up, then migrated step by step, once', async () => {
    await filled()
    const asked: number[] = []
    const step = (version: number, payload: string) => async (backend: Pick<LevelBackend, 'write'>) => {
      asked.push(version)
      const batch = new Batch()
      batch.put(key, Buffer.from(payload))
      await new Promise((resolve) => backend.write(batch, resolve))
    }
    const steps = new Map([
      [FORMAT_VERSION, step(FORMAT_VERSION, 'of the next')],
      [FORMAT_VERSION + 1, step(FORMAT_VERSION + 1, 'of the last')],
    ])
    for (let start = 0; start < 2; start++) {
      const backend = await openFolder(data, true, { version: FORMAT_VERSION + 2, steps })
      expect((await backend.get(key))?.toString()).toBe('of the last')
      await backend.close()
    }
    expect(asked).toEqual([FORMAT_VERSION, FORMAT_VERSION + 1])
    expect(await readFile(join(data, 'FORMAT'), 'utf8')).toBe(`sluice store ${FORMAT_VERSION + 2}\n`)
    const backup = join(data, `backup-format-${FORMAT_VERSION}`)
    expect((await checkStore(backup)).kinds.get('retained messages')?.good).toBe(101)
    expect(await received(backup, 'one')).toEqual(['first', 'second'])
  })

  test('keeps the backup from before the first change when a migration is interrupted', async () => {
    await filled()
    const failing = new Map([
      [
        FORMAT_VERSION,
        async (backend: Pick<LevelBackend, 'write'>) => {
          const batch = new Batch()
          batch.del(retainedKey('state/1'))
          await new Promise((resolve) => backend.write(batch, resolve))
          throw new Error('power cut')
        },
      ],
    ])
    for (let start = 0; start < 2; start++) {
      await expect(openFolder(data, true, { version: FORMAT_VERSION + 1, steps: failing })).rejects.toThrow('power cut')
    }
    expect(await readFile(join(data, 'FORMAT'), 'utf8')).toBe(`sluice store ${FORMAT_VERSION}\n`)
    expect((await checkStore(join(data, `backup-format-${FORMAT_VERSION}`))).kinds.get('retained messages')?.good).toBe(
      101,
    )
  })

  test('that cannot be migrated from is refused, with nothing changed', async () => {
    await filled()
    await expect(openFolder(data, true, { version: FORMAT_VERSION + 1, steps: new Map() })).rejects.toMatchObject({
      code: 'STORE_OLDER_VERSION',
    })
    expect((await readdir(data)).sort()).toEqual(['FORMAT', 'db'])
  })

  test('has keys of the kinds that its check counts', async () => {
    await filled()
    expect(await keysOf(KIND_RETAINED)).toHaveLength(101)
  })
})
