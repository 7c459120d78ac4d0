import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkStore, repairStore } from '../../src/maintenance.ts'
import { Message } from '../../src/message/message.ts'
import { Batch } from '../../src/store/batch.ts'
import { retainedKey } from '../../src/store/keys.ts'
import { findDamageOfStart } from '../../src/store/level/folder-damage.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'
import { openFolder } from '../../src/store/level/open-folder.ts'
import { encodeMessage } from '../../src/store/message-record.ts'
import { openStore } from '../../src/store/open-store.ts'
import { damagedRecords } from '../../src/store/level/log-file.ts'

const HEADER_BYTES = 7
const FROM = Buffer.of(0)
const TO = Buffer.of(0xff)

let root: string
let data: string
let database: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-damage-'))
  data = join(root, 'data')
  database = join(data, 'db')
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

// Does not compress, so that sizes are what they seem.
function noise(bytes: number, seed: number): Buffer {
  let state = seed + 1
  return Buffer.from(
    Uint8Array.from({ length: bytes }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 16) | 1
    }),
  )
}

function write(backend: LevelBackend, topics: readonly string[], bytes = 1000): Promise<void> {
  const batch = new Batch()
  for (const [i, topic] of topics.entries()) {
    batch.put(retainedKey(topic), encodeMessage(new Message(topic, noise(bytes, i), 1, true)))
  }
  return new Promise((resolve, reject) => {
    backend.write(batch, (error) => (error === undefined ? resolve() : reject(error)))
  })
}

const topics = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}/${i}`)

/** A table with 200 messages, and a log with 300 in 30 records and one more of three blocks. */
async function fill(): Promise<void> {
  const backend = await openFolder(data, true)
  await write(backend, topics('table', 200))
  await backend.compact(FROM, TO)
  for (let i = 0; i < 30; i++) await write(backend, topics(`log/${i}`, 10))
  await write(backend, ['last'], 80_000)
  await backend.close()
}

async function fileWith(ending: RegExp): Promise<string> {
  const names = (await readdir(database)).filter((name) => ending.test(name))
  expect(names).toHaveLength(1)
  return join(database, names[0] as string)
}

const LOG = /\.log$/
const TABLE = /\.ldb$/
const MANIFEST = /^MANIFEST/

async function change(ending: RegExp, edit: (bytes: Buffer) => Buffer | undefined): Promise<void> {
  const file = await fileWith(ending)
  const bytes = await readFile(file)
  await writeFile(file, edit(bytes) ?? bytes)
}

function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
}

/** As a crash before the table was noted would leave it, except that its log is gone. */
async function loseEndOfManifest(): Promise<void> {
  const manifest = await fileWith(MANIFEST)
  const bytes = await readFile(manifest)
  const second = HEADER_BYTES + bytes.readUInt16LE(4)
  await truncate(manifest, second + HEADER_BYTES + bytes.readUInt16LE(second + 4))
}

async function contents(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found.set(path, (await readFile(path)).toString('base64'))
  }
  return found
}

async function messages(): Promise<number> {
  const backend = await openFolder(data, true)
  const keys = await backend.scanKeys(FROM, TO, 10_000)
  await backend.close()
  return keys.length
}

type Damage = [what: string, file: RegExp, work: () => Promise<void>]

const DAMAGES: Damage[] = [
  ['a byte in the middle of the log', /db\/\d+\.log/, () => change(LOG, (bytes) => void flip(bytes, 100_000))],
  ['a byte of the first header of the log', /db\/\d+\.log/, () => change(LOG, (bytes) => void flip(bytes, 2))],
  [
    'a byte in the last record of the log',
    /db\/\d+\.log/,
    () => change(LOG, (bytes) => void flip(bytes, -20 + bytes.length)),
  ],
  ['a length in the last block of a log', /db\/\d+\.log/, () => change(LOG, (bytes) => shortLogWithWrongLength(bytes))],
  ['zeros in the middle of the log', /db\/\d+\.log/, () => change(LOG, (bytes) => bytes.fill(0, 100_000, 140_000))],
  ['a log that is gone', /db\/\d+\.log/, async () => rm(await fileWith(LOG))],
  ['a MANIFEST without its end', /db\/\d+\.log/, loseEndOfManifest],
  ['a MANIFEST with nothing in it', /db\/MANIFEST/, () => change(MANIFEST, () => Buffer.alloc(0))],
  ['a byte in the MANIFEST', /db\/MANIFEST/, () => change(MANIFEST, (bytes) => void flip(bytes, 60))],
  ['a MANIFEST that is gone', /db\/MANIFEST/, async () => rm(await fileWith(MANIFEST))],
  ['a CURRENT that names nothing', /db\/CURRENT/, () => writeFile(join(database, 'CURRENT'), 'xxxx')],
  [
    'a database of which all files are gone',
    /db\/CURRENT/,
    () => rm(database, { recursive: true }).then(() => mkdir(database)),
  ],
  ['a database that is gone', /: db: is missing/, () => rm(database, { recursive: true })],
  ['a table that is gone', /db\/\d+\.ldb/, async () => rm(await fileWith(TABLE))],
  ['a table that is cut', /db\/\d+\.ldb/, () => change(TABLE, (bytes) => bytes.subarray(0, 100_000))],
  ['a table with a damaged end', /db\/\d+\.ldb/, () => change(TABLE, (bytes) => void flip(bytes, bytes.length - 5))],
  [
    'a table with a damaged index',
    /db\/\d+\.ldb/,
    () => change(TABLE, (bytes) => void flip(bytes, bytes.length - 200)),
  ],
]

/** Two whole records, of which the first says that it goes beyond the end. */
function shortLogWithWrongLength(bytes: Buffer): Buffer {
  const first = HEADER_BYTES + bytes.readUInt16LE(4)
  const second = first + HEADER_BYTES + bytes.readUInt16LE(first + 4)
  const cut = Buffer.from(bytes.subarray(0, second))
  cut.writeUInt16LE(second + 100, 4)
  return cut
}

describe('damage that LevelDB would start with', () => {
  test.each(DAMAGES)(
    '%s ends the start with what to do, is found by check, and nothing is changed',
    async (...damage) => {
      const [, file, work] = damage
      await fill()
      await work()
      const before = await contents()
      const start = openStore({ folder: data, durability: 'fsync' })
      await expect(start).rejects.toMatchObject({ code: 'STORE_DAMAGED', message: expect.stringMatching(file) })
      await expect(start).rejects.toThrow(`sluice store check --data ${data}`)
      const { damageCount, damage: lines } = await checkStore(data)
      expect(damageCount).toBeGreaterThan(0)
      expect(lines.join()).not.toContain('sluice-view-')
      expect(await contents()).toEqual(before)
    },
  )

  test('is not taken for there when a broker is at work in the folder', async () => {
    const backend = await openFolder(data, false)
    let isDone = false
    const busy = (async () => {
      while (!isDone) {
        await write(backend, topics('busy', 100))
        await backend.compact(FROM, TO)
      }
    })()
    for (let i = 0; i < 20; i++) await expect(openFolder(data, false)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    isDone = true
    await busy
    await backend.close()
  })
})

describe('what a crash leaves', () => {
  test.each([
    ['at a record boundary', -1],
    ['in a header', 3],
    ['right behind a header', HEADER_BYTES],
    ['in the record', 20_000],
    ['between two parts of the record', 32_768],
    ['in its last part', 75_000],
  ])('a log that ends early %s is no damage', async (_where, extra) => {
    await fill()
    const bytes = await readFile(await fileWith(LOG))
    const last = await lastRecord(bytes)
    const end = extra === 32_768 ? Math.ceil(last / 32_768) * 32_768 : last + Math.max(extra, 0)
    await change(LOG, () => bytes.subarray(0, end))
    expect((await checkStore(data)).damage).toEqual([])
    expect(await messages()).toBe(500)
  })

  test.each([
    ['behind the last record', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(100_000)]), 501],
    ['in the place of the last record', (bytes: Buffer, last: number) => bytes.fill(0, last), 500],
    ['from the middle of the last record on', (bytes: Buffer, last: number) => bytes.fill(0, last + 40_000), 500],
    ['in the last record', (bytes: Buffer, last: number) => bytes.fill(0, last + 36_864, last + 45_056), 500],
  ])('zeros %s are no damage', async (_where, edit, expected) => {
    await fill()
    const last = await lastRecord(await readFile(await fileWith(LOG)))
    await change(LOG, (bytes) => edit(bytes, last))
    expect((await checkStore(data)).damage).toEqual([])
    expect(await messages()).toBe(expected)
  })

  test('the end of a log that is not the last may not be missing', async () => {
    await fill()
    const log = await fileWith(LOG)
    const bytes = await readFile(log)
    const next = log.replace(/\d+(?=\.log$)/, (number) => String(Number(number) + 4).padStart(6, '0'))
    await writeFile(log, bytes.subarray(0, bytes.length - 10))
    // As an attempt to open the database on a full disk leaves it.
    await writeFile(next, '')
    expect(await findDamageOfStart(database)).toEqual([])
    await writeFile(next, bytes)
    expect(await findDamageOfStart(database)).toHaveLength(1)
  })

  test.each(['FORMAT.new alone', 'half a database', 'a whole database'])(
    'a first start that was killed leaves %s, and the next one goes on',
    async (what) => {
      await mkdir(data)
      await writeFile(join(data, 'FORMAT.new'), '')
      if (what === 'half a database') {
        await mkdir(database)
        await writeFile(join(database, 'MANIFEST-000001'), '')
      } else if (what === 'a whole database') {
        const backend = await LevelBackend.open(database, false)
        await backend.close()
      }
      expect(await messages()).toBe(0)
      expect((await readdir(data)).sort()).toEqual(['FORMAT', 'db'])
    },
  )

  async function lastRecord(bytes: Buffer): Promise<number> {
    for (let end = bytes.length - 80_000; ; end--) {
      if (bytes[end + 6] === 2 && damagedRecords(bytes.subarray(0, end), false).length === 0) return end
    }
  }
})

describe('the original', () => {
  test('is not written to where its MANIFEST has LevelDB give the number of a table again', async () => {
    await fill()
    await loseEndOfManifest()
    const before = await contents()
    const { damage } = await checkStore(data)
    expect(damage.join('\n')).toMatch(/file db\/\d+\.log: is missing/)
    expect(damage.join('\n')).toMatch(/file db\/\d+\.ldb: is not known to the MANIFEST/)
    expect(await contents()).toEqual(before)
    const to = join(root, 'saved')
    await repairStore(data, to)
    expect(await contents()).toEqual(before)
    await rm(data, { recursive: true })
    await cp(to, data, { recursive: true })
    // One more is the number that a repair sets.
    expect(await messages()).toBe(502)
  })
})
