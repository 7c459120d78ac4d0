import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { connect as openSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Broker, createBroker } from '../../src/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { RawClient } from '../support/raw-client.ts'
import type { ConnectOptions } from '../support/wire-writer.ts'

let folder = ''
let clock = new FakeClock()
let lives = 0
const clients: RawClient[] = []
const brokers: Broker[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-time-'))
  clock = new FakeClock()
  lives = 0
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.drop()
  for (const broker of brokers.splice(0)) await broker.close()
  rmSync(folder, { recursive: true, force: true })
})

async function start(): Promise<Broker> {
  const broker = await createBroker({ data: join(folder, String(lives)), durability: 'os', mqtt: { port: 0 }, clock })
  brokers.push(broker)
  return broker
}

/** The next broker finds what is on disk now; the one before knows nothing of that. */
async function crash(broker: Broker): Promise<Broker> {
  await broker.store.commit.flush()
  const left = join(folder, String(lives++))
  const found = join(folder, String(lives))
  // As it is at one moment: the database may be writing a table of its own accord.
  for (let before = ''; before !== filesOf(left); ) {
    before = filesOf(left)
    rmSync(found, { recursive: true, force: true })
    try {
      cpSync(left, found, { recursive: true, filter: (path) => !path.endsWith('.sock') })
    } catch {
      before = 'a file has gone meanwhile'
    }
  }
  return start()
}

function filesOf(data: string): string {
  const names = readdirSync(join(data, 'db'))
  return names.map((name) => `${name} ${statSync(join(data, 'db', name), { throwIfNoEntry: false })?.size}`).join()
}

async function connect(broker: Broker, options: ConnectOptions): Promise<{ client: RawClient; present: boolean }> {
  const { host, port } = broker.addresses[0] as { host: string; port: number }
  const client = new RawClient(openSocket(port, host), 5)
  clients.push(client)
  client.sendConnect({ version: 5, ...options })
  const { sessionPresent } = await client.expect('connack', { reasonCode: 0 })
  return { client, present: sessionPresent }
}

const lasting = (seconds: number): ConnectOptions => ({ clean: false, properties: { sessionExpiryInterval: seconds } })

it('a session expires in time over crashes: the first one was the end of its connection', async () => {
  const first = await start()
  await connect(first, { clientId: 'short', ...lasting(20) })
  await connect(first, { clientId: 'long', ...lasting(40) })
  const second = await crash(first)
  await clock.advance(15_000)
  const third = await crash(second)
  await clock.advance(10_000)
  expect((await connect(third, { clientId: 'short', ...lasting(20) })).present).toBe(false)
  expect((await connect(third, { clientId: 'long', ...lasting(40) })).present).toBe(true)
})

it('a delayed will goes out in time over crashes', async () => {
  const first = await start()
  const will = { topic: 'will', payload: 'gone', properties: { willDelayInterval: 20 } }
  await connect(first, { clientId: 'c', ...lasting(3600), will })
  const second = await crash(first)
  await clock.advance(15_000)
  const third = await crash(second)
  const { client: watcher } = await connect(third, { clientId: 'watcher' })
  await watcher.subscribe('will')
  await clock.advance(4_000)
  await watcher.expectNothing()
  await clock.advance(2_000)
  await watcher.receive({ topic: 'will', payload: 'gone' })
})

it('a crash ends a session that ends with its connection, and so the delay of its will', async () => {
  const first = await start()
  const will = { topic: 'will', payload: 'gone', retain: true, properties: { willDelayInterval: 3600 } }
  await connect(first, { clientId: 'c', will })
  const second = await crash(first)
  const { client: watcher } = await connect(second, { clientId: 'watcher' })
  await watcher.subscribe('will')
  await watcher.receive({ topic: 'will', payload: 'gone', retain: true })
})
