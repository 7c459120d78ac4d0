import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Broker, createBroker } from '../../src/index.ts'
import { backupStore, checkStore, repairStore, restoreStore } from '../../src/maintenance.ts'
import { Batch } from '../../src/store/batch.ts'
import type { StoreReport } from '../../src/store/check.ts'
import { sessionKey } from '../../src/store/keys.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'
import { lasting } from '../support/flow.ts'
import { openSocket } from '../support/mosquitto-peer.ts'
import { RawClient } from '../support/raw-client.ts'
import type { ConnectOptions } from '../support/wire-writer.ts'

const CLIENTS = 4
const EACH = 60
const RETAINED = 40
const PAYLOAD_BYTES = 2000

let root: string
let original: string
let inTables: string
let data: string
let to: string
let count = 0
let brokers: Broker[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-repair-'))
  original = join(root, 'original')
  inTables = join(root, 'in-tables')
  const broker = await start(original)
  await fill(broker)
  await broker.close()
  await cp(original, inTables, { recursive: true })
  // Opening it again makes LevelDB write its log into tables.
  await (await LevelBackend.open(join(inTables, 'db'), false)).close()
})

beforeEach(() => {
  data = join(root, `data-${++count}`)
  to = join(root, `saved-${count}`)
})

afterEach(async () => {
  for (const broker of brokers) await broker.close()
  brokers = []
})

afterAll(async () => {
  await rm(root, { recursive: true })
})

async function start(folder: string): Promise<Broker> {
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

// Does not compress, and says which one it is.
function payloadOf(topic: string): Buffer {
  const payload = Buffer.alloc(PAYLOAD_BYTES)
  let state = Buffer.from(topic).reduce((sum, byte) => Math.imul(sum, 31) + byte, 1) >>> 0
  for (let at = 0; at < payload.length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    payload[at] = 33 + ((state >>> 16) % 90)
  }
  payload.write(`${topic} `)
  return payload
}

/** Sessions that are away, each with messages waiting for it alone, and retained messages. */
async function fill(broker: Broker): Promise<void> {
  for (let i = 0; i < CLIENTS; i++) {
    const client = await connect(broker, lasting({ clientId: `client-${i}` }))
    await client.subscribe(`to/${i}/#`, 1)
    await client.disconnect()
  }
  for (let k = 0; k < EACH; k += 10) {
    const topics: string[] = []
    for (let j = k; j < k + 10; j++) for (let i = 0; i < CLIENTS; i++) topics.push(`to/${i}/${j}`)
    await publish(broker, topics, false)
  }
  await publish(
    broker,
    Array.from({ length: RETAINED }, (_, i) => `state/${i}`),
    true,
  )
}

async function publish(broker: Broker, topics: readonly string[], retain: boolean): Promise<void> {
  const one = (topic: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const packet = { cmd: 'publish', topic, payload: payloadOf(topic), qos: 1, retain, dup: false } as const
      broker.publish(packet, (error) => (error ? reject(error) : resolve()))
    })
  await Promise.all(topics.map(one))
}

/** A copy of the store, damaged. */
async function damaged(from: string, extension: string, change: (bytes: Buffer) => Buffer | void): Promise<void> {
  await cp(from, data, { recursive: true })
  const name =
    (await readdir(join(data, 'db')))
      .filter((each) => each.endsWith(extension))
      .sort()
      .at(-1) ?? ''
  const path = join(data, 'db', name)
  const bytes = await readFile(path)
  await writeFile(path, change(bytes) ?? bytes)
}

async function put(key: Buffer, value: Buffer): Promise<void> {
  const backend = await LevelBackend.open(join(data, 'db'), false)
  const batch = new Batch()
  batch.put(key, value)
  await new Promise((resolve) => backend.write(batch, resolve))
  await backend.close()
}

const flip = (bytes: Buffer, at: number): void => void (bytes[at] = (bytes[at] ?? 0) ^ 0xff)

/** Everything that comes to the sessions of a repaired store; no payload is another than was sent. */
async function received(folder: string): Promise<string[]> {
  const broker = await start(folder)
  const topics: string[] = []
  for (let i = 0; i < CLIENTS; i++) {
    const client = new RawClient(await openSocket(broker.addresses[0]?.port ?? 0), 4)
    client.sendConnect(lasting({ clientId: `client-${i}` }))
    const { sessionPresent } = await client.expect('connack', { reasonCode: 0 })
    // What comes last to each.
    await client.subscribe(`end/${i}`, 0)
    if (sessionPresent) {
      await publish(broker, [`to/${i}/end`], false)
      for (;;) {
        const { topic, payload } = await client.receive()
        expect(payload).toBe(payloadOf(topic).toString())
        if (topic === `to/${i}/end`) break
        topics.push(topic)
      }
    }
    client.drop()
  }
  await broker.close()
  return topics
}

const good = ({ kinds }: StoreReport, kind: string): number => kinds.get(kind)?.good ?? 0
const lost = ({ kinds }: StoreReport, kind: string): number => kinds.get(kind)?.damaged ?? 0

/** The report counts what is in the new folder, which has no damage. */
async function expectTrue(report: StoreReport): Promise<void> {
  const { kinds, damage } = await checkStore(to)
  expect(damage).toEqual([])
  for (const [kind, { good, leftover }] of kinds) expect(report.kinds.get(kind)).toMatchObject({ good, leftover })
}

describe('repair of a log', () => {
  test('leaves out a message of which a byte is wrong, keeps those behind it, and counts what is lost', async () => {
    await damaged(original, '.log', (bytes) => flip(bytes, bytes.indexOf('to/2/33 ') + 500))
    const report = await repairStore(data, to)
    await expectTrue(report)
    expect(report.damage.join('\n')).toMatch(
      /file db\/\d+\.log: what stands at byte \d+ has a wrong checksum: \d+ change/,
    )
    expect(lost(report, 'queued messages')).toBeGreaterThan(0)
    expect(lost(report, 'queued messages')).toBeLessThan(50)
    const found = await received(to)
    expect(found).not.toContain('to/2/33')
    expect(found).toContain('to/2/59')
    expect(found).toHaveLength(CLIENTS * EACH - lost(report, 'queued messages'))
  })

  test('counts as saved what is saved, when the last record is damaged', async () => {
    await damaged(original, '.log', (bytes) => flip(bytes, bytes.length - 20))
    const report = await repairStore(data, to)
    await expectTrue(report)
    expect(good(report, 'queues')).toBe(CLIENTS)
    expect([good(report, 'queued messages'), lost(report, 'queued messages')]).toEqual([CLIENTS * EACH, 0])
    expect(await received(to)).toHaveLength(CLIENTS * EACH)
  })
})

describe('repair of a table', () => {
  test('saves everything of one of which only the end is damaged', async () => {
    await damaged(inTables, '.ldb', (bytes) => flip(bytes, bytes.length - 5))
    const report = await repairStore(data, to)
    await expectTrue(report)
    expect(report.damage).toEqual([expect.stringMatching(/^file db\/\d+\.ldb: /)])
    expect(good(report, 'sessions')).toBe(CLIENTS)
    expect(good(report, 'retained messages')).toBe(RETAINED)
    expect(await received(to)).toHaveLength(CLIENTS * EACH)
  })

  test('saves the first half of one of which the other is gone, and says behind what', async () => {
    await damaged(inTables, '.ldb', (bytes) => Buffer.from(bytes.subarray(0, bytes.length >> 1)))
    const report = await repairStore(data, to)
    await expectTrue(report)
    expect(report.damage.join('\n')).toMatch(
      /cannot be read: what came behind 'messages of queue \d+ from number \d+ on'/,
    )
    expect(good(report, 'sessions')).toBe(CLIENTS)
    expect(good(report, 'retained messages')).toBe(RETAINED)
    const found = await received(to)
    expect(found.length).toBeGreaterThan((CLIENTS * EACH) / 4)
    expect(found).toHaveLength(good(report, 'queued messages'))
    expect(lost(report, 'queued messages')).toBe(CLIENTS * EACH - found.length)
  })

  test('tells messages whose session is lost as lost, and does not take them along', async () => {
    await cp(original, data, { recursive: true })
    await put(sessionKey('client-1'), Buffer.of(9))
    const report = await repairStore(data, to)
    await expectTrue(report)
    expect(good(report, 'sessions')).toBe(CLIENTS - 1)
    const told = report.damage.filter((line) =>
      /^queued messages: 60 are lost with the session, .* \(of queue \d+\)$/.test(line),
    )
    expect(told).toHaveLength(1)
    expect([good(report, 'queued messages'), lost(report, 'queued messages')]).toEqual([3 * EACH, EACH])
    expect(report.kinds.get('queued messages')?.leftover).toBe(0)
  })
})

describe('repair of a store whose FORMAT', () => {
  test.each([
    ['is missing', undefined],
    ['does not name a store format', ''],
    ['does not name a store format', Buffer.of(0, 0xff, 10)],
  ])('%s saves everything, and says so', async (what, content) => {
    await cp(original, data, { recursive: true })
    if (content === undefined) await rm(join(data, 'FORMAT'))
    else await writeFile(join(data, 'FORMAT'), content)
    const report = await repairStore(data, to)
    await expectTrue(report)
    expect(report.damage).toEqual([`file FORMAT: ${what}; everything was read as format 2`])
    expect(good(report, 'queued messages')).toBe(CLIENTS * EACH)
  })

  test('is missing is refused where the records are none of Sluice, and leaves nothing behind', async () => {
    await mkdir(data)
    await put(Buffer.from('someone'), Buffer.from('else'))
    await expect(repairStore(data, join(to, 'deep'))).rejects.toMatchObject({ code: 'STORE_FOREIGN_FOLDER' })
    expect(await readdir(root)).not.toContain(to.slice(root.length + 1))
  })
})

describe('a target inside a store is refused, and nothing is changed, for', () => {
  const refused = { code: 'STORE_TARGET_INSIDE' }

  test('a repair', async () => {
    await cp(original, data, { recursive: true })
    const before = await readdir(data, { recursive: true })
    await expect(repairStore(data, join(data, 'inside'))).rejects.toMatchObject(refused)
    await symlink(data, to)
    await expect(repairStore(data, join(to, 'db', 'inside'))).rejects.toMatchObject(refused)
    await expect(repairStore(to, join(data, 'deep', 'inside'))).rejects.toMatchObject(refused)
    await expect(repairStore(data, join(original, 'inside'))).rejects.toMatchObject(refused)
    expect(await readdir(data, { recursive: true })).toEqual(before)
  })

  test('a backup and a restore', async () => {
    const broker = await start(data)
    await expect(backupStore(data, join(data, 'inside'))).rejects.toMatchObject(refused)
    await backupStore(data, to)
    await broker.close()
    await expect(restoreStore(to, join(to, 'inside'))).rejects.toMatchObject(refused)
    await expect(restoreStore(to, join(data, 'inside'))).rejects.toMatchObject(refused)
    expect((await readdir(data)).sort()).toEqual(['FORMAT', 'db'])
    await truncate(join(data, 'FORMAT'))
    await expect(repairStore(data, join(data, 'inside'))).rejects.toMatchObject(refused)
  })
})
