import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { lasting } from '../support/flow.ts'
import { openSocket } from '../support/mosquitto-peer.ts'
import { RawClient } from '../support/raw-client.ts'
import type { ConnectOptions } from '../support/wire-writer.ts'
import { Sluice } from './broker-child.ts'

const PAYLOAD = 'x'.repeat(10_000)

/** Takes the space for `run` away, and gives it back. */
interface Shortage {
  readonly begin: (broker: Sluice) => Promise<void> | void
  readonly end: (broker: Sluice) => Promise<void> | void
}

let processes: Sluice[] = []
let cleanUps: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const each of processes) await each.end('SIGKILL')
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
  processes = []
  cleanUps = []
})

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-full-'))
  cleanUps.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

function start(data: string): Sluice {
  const broker = new Sluice('start', '--mqtt-port', '0', '--http-port', '0', '--data', data)
  processes.push(broker)
  return broker
}

async function connect(port: number, options: ConnectOptions): Promise<RawClient> {
  const client = new RawClient(await openSocket(port), options.version ?? 4)
  client.sendConnect(options)
  await client.expect('connack', { reasonCode: 0 })
  return client
}

/** The whole story: a shortage in the middle of traffic, its end, a kill, and what a restart finds. */
async function survives(data: string, { begin, end }: Shortage): Promise<void> {
  const broker = start(data)
  const port = await broker.port()
  const keeper = await connect(port, lasting({ version: 4, clientId: 'keeper' }))
  await keeper.subscribe('kept', 1)
  await keeper.disconnect()
  const watcher = await connect(port, { version: 4, clientId: 'watcher' })
  await watcher.subscribe('live', 0)
  const old = await connect(port, { version: 4, clientId: 'old' })
  const young = await connect(port, { version: 5, clientId: 'young' })
  await old.publish('kept', `1 ${PAYLOAD}`, { qos: 1 })
  await begin(broker)
  old.sendPublish({ topic: 'kept', payload: `2 ${PAYLOAD}`, qos: 1, packetId: 2 })
  await broker.error('the store cannot write')
  await old.expectNothing()
  expect((await young.publish('kept', 'refused', { qos: 1 })).reasonCode).toBe(0x97)
  await young.publish('live', 'goes on', { qos: 0 })
  await watcher.receive({ payload: 'goes on' })
  await end(broker)
  await broker.error('the store writes again')
  await old.expect('puback', { packetId: 2 })
  expect((await young.publish('kept', '3', { qos: 1 })).reasonCode).toBe(0)
  for (const client of [old, young, watcher]) client.drop()
  await broker.end('SIGKILL')
  const again = await connect(await start(data).port(), lasting({ version: 4, clientId: 'keeper' }))
  const payloads = (await again.receiveMany(3)).map(({ payload }) => payload.slice(0, 1))
  expect(payloads).toEqual(['1', '2', '3'])
  await again.expectNothing()
  again.drop()
}

const canLimit = process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0

describe.skipIf(!canLimit)('a broker whose files may not grow', () => {
  test('acknowledges nothing, serves who needs no disk, and goes on by itself', async () => {
    const limit = (size: string) => (broker: Sluice) => {
      execFileSync('prlimit', ['--pid', String(broker.pid), `--fsize=${size}:`])
    }
    await survives(join(temporaryFolder(), 'data'), { begin: limit('1'), end: limit('unlimited') })
  }, 40_000)
})

const canMount = process.platform === 'linux' && process.getuid?.() === 0

describe.skipIf(!canMount)('a broker whose file system', () => {
  function mounted(): string | undefined {
    const folder = temporaryFolder()
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder]).status !== 0) return undefined
    cleanUps.push(() => void spawnSync('umount', ['-l', folder]))
    return folder
  }

  test('is full goes on by itself when there is room again', async ({ skip }) => {
    const folder = mounted()
    if (folder === undefined) skip('may not mount')
    const filler = join(folder as string, 'filler')
    await survives(join(folder as string, 'data'), {
      // As much as there is: the last bytes are refused.
      begin: () => writeFile(filler, Buffer.alloc(32 * 1024 * 1024)).catch(() => undefined),
      end: () => rm(filler),
    })
  }, 40_000)
})
