import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { recordKinds } from '../../src/maintenance.ts'
import { accountFor } from '../../src/store/account.ts'
import { Batch } from '../../src/store/batch.ts'
import { checkFolder } from '../../src/store/check.ts'
import {
  exchangeKey,
  KIND_BINDING,
  KIND_BLOCK,
  KIND_BLOCK_DATA,
  KIND_BODY,
  KIND_EXCHANGE,
  KIND_HEAD,
  KIND_QUEUE,
  KIND_RETAINED,
  KIND_SUBSCRIPTION,
} from '../../src/store/keys.ts'
import { decodeMessage, encodeMessage } from '../../src/store/message-record.ts'
import { LevelBackend } from '../../src/store/level/level-backend.ts'
import { repairFolder } from '../../src/store/repair.ts'
import { bytesLike } from '../support/damaged-bytes.ts'
import { fuzzTimes, runsWithin } from '../support/property-runs.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { backendOf, brokerOn, type Row, rowsOf, SmallClient, smallStore, within } from '../support/small-store.ts'
import { publishPacket, subscribePacket } from '../support/wire-writer.ts'

let root: string
let whole: Row[]
let folders = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-damaged-'))
  whole = await smallStore(new RecordingLog())
})

afterAll(async () => {
  await rm(root, { recursive: true })
})

/** Why a start refuses these rows, or what goes wrong when it serves a few clients; empty: nothing does. */
async function faultsOf(rows: readonly Row[]): Promise<{ refusal?: SluiceError; faults: string[] }> {
  const log = new RecordingLog()
  let broker: Awaited<ReturnType<typeof brokerOn>>
  try {
    broker = await brokerOn(await backendOf(rows), log)
  } catch (error) {
    if (error instanceof SluiceError) return { refusal: error, faults: [] }
    throw error
  }
  const faults: string[] = []
  const clients: SmallClient[] = []
  const client = async (clientId: string, version: 4 | 5, options = {}): Promise<SmallClient> => {
    const made = new SmallClient(broker, version, { clientId, ...options })
    clients.push(made)
    await made.expect('connack')
    return made
  }
  try {
    const publisher = await client('publisher', 5, { clean: true, properties: {} })
    await client('five', 5)
    const four = await client('four', 4)
    for (const topic of ['a/1', 's', '$queue/work', '$queue/once']) {
      publisher.send(publishPacket(5, { topic, payload: 'one more', qos: 1, packetId: 9 }))
      await publisher.expect('puback')
    }
    four.send(subscribePacket(4, 9, [{ filter: '#', qos: 1 }]))
    await four.expect('suback')
    await broker.queues.publish('orders', 'tea.green', 'more tea', { headers: { kind: 'tea' } }).catch(() => false)
    for (const name of broker.queues.names()) {
      for (let i = 0; i < 20 && (await broker.queues.dequeue(name)) !== undefined; i++);
    }
    if (clients.some(({ isClosed }) => isClosed)) faults.push('a connection was closed')
  } catch (error) {
    faults.push((error as Error).stack ?? String(error))
  }
  for (const each of clients) each.drop()
  await within(() => broker.connectedClients === 0)
  await broker.close()
  for (const { level, text, fields } of log.lines) {
    if (level === 'error') faults.push(`${text} ${(fields['err'] as Error | undefined)?.stack ?? ''}`)
  }
  return { faults }
}

async function damageOf(rows: readonly Row[]): Promise<string[]> {
  const found: string[] = []
  await accountFor(await backendOf(rows), recordKinds, (key, _value, { state, kind, why }) => {
    if (state === 'damaged') found.push(`${kind}: ${key.toString('hex')}: ${why}`)
  })
  return found
}

/** Through files, as a person does it: what the check says, and what the repair leaves. */
async function repaired(rows: readonly Row[]): Promise<{ damage: string[]; left: Row[]; leftDamage: string[] }> {
  const [from, to] = [join(root, `damaged ${folders}`), join(root, `repaired ${folders++}`)]
  await mkdir(from)
  await writeFile(join(from, 'FORMAT'), 'sluice store 2\n')
  const backend = await LevelBackend.open(join(from, 'db'), false)
  const batch = new Batch()
  for (const [key, value] of rows) batch.put(key, value)
  await new Promise((resolve) => backend.write(batch, resolve))
  await backend.close()
  const { damage } = await checkFolder(from, recordKinds)
  expect((await repairFolder(from, to, recordKinds)).damageCount > 0).toBe(damage.length > 0)
  const leftDamage = (await checkFolder(to, recordKinds)).damage
  const saved = await LevelBackend.open(join(to, 'db'), false)
  const left = await rowsOf(saved)
  await saved.close()
  await rm(from, { recursive: true })
  await rm(to, { recursive: true })
  return { damage, left, leftDamage }
}

// What JavaScript says of bytes that are not there helps nobody.
const JAVASCRIPT_WORDS = /is not iterable|is not a function|out of range|buffer bounds|Cannot read/

async function expectAgreement(change: Damage): Promise<void> {
  const rows = damaged(change)
  const damage = await damageOf(rows)
  const { refusal, faults } = await faultsOf(rows)
  if (damage.length === 0) {
    expect(refusal).toBeUndefined()
    expect(faults).toEqual([])
    return
  }
  expect(refusal?.message ?? '').not.toMatch(JAVASCRIPT_WORDS)
  if (!change.isRepaired) return
  const saved = await repaired(rows)
  expect(saved.damage).not.toEqual([])
  expect(saved.leftDamage).toEqual([])
  const after = await faultsOf(saved.left)
  expect(after.refusal).toBeUndefined()
  expect(after.faults).toEqual([])
}

test('the small store has a record of every kind', async () => {
  const kinds = new Set(whole.map(([key]) => key[0]))
  const known = [...recordKinds.keys(), KIND_HEAD, KIND_BODY, KIND_BLOCK, KIND_BLOCK_DATA]
  expect(known.filter((kind) => !kinds.has(kind))).toEqual([])
  expect(await damageOf(whole)).toEqual([])
  expect(await faultsOf(whole)).toEqual({ faults: [] })
})

interface Damage {
  readonly kind: number
  readonly number: number
  readonly part: 'key' | 'value'
  readonly bytes: Buffer
  /** It takes ten times as long: not each time. */
  readonly isRepaired: boolean
}

/** The store with one record changed; nothing else is random, so that a failure can be read. */
const damages: fc.Arbitrary<Damage> = fc
  .tuple(
    fc.constantFrom(...recordKinds.keys(), KIND_HEAD, KIND_BODY, KIND_BLOCK, KIND_BLOCK_DATA),
    fc.nat(20),
    fc.constantFrom('key' as const, 'value' as const, 'value' as const, 'value' as const),
  )
  .chain(([kind, number, part]) => {
    const [key, value] = rowOf(kind, number)
    const valid = part === 'value' ? value : key.subarray(1)
    const isRepaired = fc.nat(2).map((one) => one === 0)
    return fc.record({
      kind: fc.constant(kind),
      number: fc.constant(number),
      part: fc.constant(part),
      bytes: bytesLike(fc.constant(valid)),
      isRepaired,
    })
  })

function rowOf(kind: number, number: number): Row {
  const ofKind = whole.filter(([key]) => key[0] === kind)
  return ofKind[number % ofKind.length] as Row
}

function damaged({ kind, number, part, bytes }: Damage): Row[] {
  const row = rowOf(kind, number)
  const [key, value] = row
  const changed: Row = part === 'value' ? [key, bytes] : [Buffer.concat([key.subarray(0, 1), bytes]), value]
  return [...whole.filter((each) => each !== row), changed]
}

test('check, repair, start and service agree on a store of which one record is damaged', {
  timeout: 30_000 * fuzzTimes,
}, async () => {
  await fc.assert(fc.asyncProperty(damages, expectAgreement), runsWithin(2000, 6000))
})

// A field of a table: its name, its type, its value.
const field = (name: string, type: string, value: Buffer): Buffer =>
  Buffer.concat([Buffer.of(name.length), Buffer.from(name + type), value])
const textField = (name: string, text: string): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return field(name, 'S', Buffer.concat([length, Buffer.from(text)]))
}
const bindingWith = (...fields: Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.of(1),
    textField('source', 'amq.topic'),
    textField('targetKind', 'queue'),
    textField('target', 'work'),
    ...fields,
  ])
const noArguments = field('arguments', 'F', Buffer.alloc(4))
const keyIsNumber = field('key', 'I', Buffer.of(0, 0, 0, 5))
const withArgument = (value: Buffer): Buffer => Buffer.concat([value, textField('x-max-priority', 'abc')])
const misspelt = (value: Buffer): Buffer =>
  Buffer.from(value.toString('latin1').replace('arguments', 'brguments'), 'latin1')

// Each of them ended in a dead end: the start refused, the check found nothing, and what the repair had saved did not
// start either.
describe('a damaged definition is found, left out and named:', () => {
  test.each<[string, number, string, (row: Row) => Row]>([
    ['a binding with a part misspelt', KIND_BINDING, 'binding', ([key, value]) => [key, misspelt(value)]],
    ['a binding without parts', KIND_BINDING, 'binding', ([key]) => [key, bindingWith()]],
    [
      'a binding with a key that is a number',
      KIND_BINDING,
      'binding',
      ([key]) => [key, bindingWith(keyIsNumber, noArguments)],
    ],
    ['a binding whose key is cut off', KIND_BINDING, '32', ([key, value]) => [key.subarray(0, -1), value]],
    [
      'a binding whose key is too long',
      KIND_BINDING,
      'binding',
      ([key, value]) => [Buffer.concat([key, Buffer.of(0)]), value],
    ],
    [
      'a queue with an argument that cannot be',
      KIND_QUEUE,
      "queue 'once'",
      ([key, value]) => [key, withArgument(value)],
    ],
    ['a queue without a name', KIND_QUEUE, "queue ''", ([key, value]) => [key.subarray(0, 1), value]],
    [
      'an exchange of an unknown type',
      KIND_EXCHANGE,
      'exchange',
      ([key, value]) => [key, Buffer.concat([value.subarray(0, 2), Buffer.of(9), value.subarray(3)])],
    ],
    [
      'an exchange with a name of the broker',
      KIND_EXCHANGE,
      "exchange 'amq.topic'",
      ([, value]) => [exchangeKey('amq.topic'), value],
    ],
  ])('%s', async (_, kind, named, change) => {
    const row = rowOf(kind, 0)
    const rows = [...whole.filter((each) => each !== row), change(row)]
    const damage = await damageOf(rows)
    expect(damage.length).toBeGreaterThan(0)
    const { refusal } = await faultsOf(rows)
    expect(refusal).toMatchObject({ code: 'STORE_DAMAGED', message: expect.stringContaining(named) })
    const saved = await repaired(rows)
    expect(saved.damage.length).toBeGreaterThan(0)
    expect(saved.leftDamage).toEqual([])
    expect(await faultsOf(saved.left)).toEqual({ faults: [] })
  })
})

// The first message that matched closed the connection of who had published it.
test('a subscription identifier that cannot be sent ends the start, and not the publishers', async () => {
  const row = rowOf(KIND_SUBSCRIPTION, 0)
  const rows = [...whole.filter((each) => each !== row), [row[0], Buffer.from('010970000000', 'hex')] as const]
  expect(await damageOf(rows)).toEqual([expect.stringContaining('subscription identifier 1879048192')])
  expect((await faultsOf(rows)).refusal?.message).toContain("the stored subscription to 'a/#' cannot be read")
})

test.each([
  ['that are cut off', (value: Buffer) => value.subarray(0, -1)],
  ['that are no text', (value: Buffer) => Buffer.concat([value.subarray(0, -1), Buffer.of(0xff)])],
])('the check looks at the properties of a stored message %s', async (_, change) => {
  const [key, value] = rowOf(KIND_RETAINED, 0)
  const message = decodeMessage(value)
  const other = Object.assign(Object.create(Object.getPrototypeOf(message)), message, {
    properties: change(message.properties),
  })
  const damage = await damageOf([[key, encodeMessage(other)]])
  expect(damage).toEqual([expect.stringMatching(/^retained messages: /)])
})

test('a block key that is cut off does not end the check', async () => {
  const [key, value] = rowOf(KIND_BLOCK, 0)
  expect(await damageOf([[key.subarray(0, 3), value]])).toEqual([expect.stringMatching(/^queued messages: /)])
})

// The start took the bodies for ones that nobody refers to, and deleted them.
test('the check finds a block that does not say that it refers to bodies', async () => {
  const rows = whole.map((row): Row => {
    const [key, value] = row
    return key[0] === KIND_BLOCK ? [key, Buffer.concat([Buffer.of(1, (value[1] ?? 0) & 0xfe), value.subarray(2)])] : row
  })
  expect(await damageOf(rows)).toContainEqual(expect.stringContaining('it does not say that it refers to bodies'))
})
