import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChildBroker, type Ended, Sluice } from './broker-child.ts'

const CLOSE_MS_MAX = 5_000

let folder: string
const closing: (() => unknown)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-process-'))
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await rm(folder, { recursive: true })
})

async function running(...flags: string[]): Promise<ChildBroker> {
  const broker = await ChildBroker.start(...flags)
  closing.push(() => broker.stop())
  return broker
}

/** Starts what should not start. */
function refused(...flags: string[]): Promise<Ended> {
  const sluice = new Sluice('start', '--mqtt-port', '0', '--http-port', '0', ...flags)
  closing.push(() => sluice.end('SIGKILL'))
  return sluice.ended()
}

function expectOneLine(ended: Ended, ...texts: string[]): void {
  expect(ended).toMatchObject({ code: 1, signal: null, output: '' })
  expect(ended.errors).toMatch(/^sluice: [^\n]+\n$/)
  for (const text of texts) expect(ended.errors).toContain(text)
}

describe('a start that cannot be says so in one line and exits with 1', () => {
  test('when another broker uses the data folder', async () => {
    const broker = await running()
    expectOneLine(await refused('--data', broker.folder), broker.folder, 'in use by another process')
    const client = await broker.connect()
    await client.publish('a', 'the first one goes on', { qos: 1 })
  })

  test('when the data folder cannot be made', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    for (const data of [file, join(file, 'data')]) {
      expectOneLine(await refused('--data', data), data, 'cannot be used as the data folder')
    }
  })

  test('when the data folder is of an unknown version, and leaves it as it is', async () => {
    await writeFile(join(folder, 'FORMAT'), 'sluice store 99\n')
    expectOneLine(await refused('--data', folder), folder, 'format 99', 'nothing was changed')
    expect(await readdir(folder)).toEqual(['FORMAT'])
    expect(await readFile(join(folder, 'FORMAT'), 'utf8')).toBe('sluice store 99\n')
  })

  test('when the data folder is full of something else, and leaves it as it is', async () => {
    await writeFile(join(folder, 'thesis.txt'), 'x')
    expectOneLine(await refused('--data', folder), folder, 'no Sluice store')
    expect(await readdir(folder)).toEqual(['thesis.txt'])
  })

  test.each(['--mqtt-port', '--http-port'])('when the port of %s is taken', async (flag) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => server.close())
    const { port } = server.address() as AddressInfo
    expectOneLine(await refused('--memory', flag, String(port)), `127.0.0.1:${port}`, 'in use', flag)
  })

  test('and leaves the data folder free when it is the port', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const data = join(folder, 'data')
    expectOneLine(await refused('--data', data, '--mqtt-port', String(port)), 'in use')
    const again = new Sluice('start', '--mqtt-port', '0', '--http-port', '0', '--data', data)
    closing.push(() => again.end('SIGKILL'))
    expect(await again.port()).toBeGreaterThan(0)
  })
})

describe('SIGTERM', () => {
  test('ends the broker with exit code 0 in time, though clients stay and one does not read', async () => {
    const broker = await running()
    const idle = await broker.connect({ clientId: 'idle' })
    const silent = await broker.open()
    const slow = await broker.connect({ clientId: 'slow' })
    await slow.subscribe('a')
    slow.stopReading()
    for (let index = 0; index < 100; index++) idle.sendPublish({ topic: 'a', payload: Buffer.alloc(100_000) })
    await idle.publish('b')
    const start = performance.now()
    const ended = await broker.process.end('SIGTERM')
    expect(ended).toMatchObject({ code: 0, signal: null })
    expect(performance.now() - start).toBeLessThan(CLOSE_MS_MAX)
    await idle.end()
    await silent.end()
  })

  test('says DISCONNECT 0x8B to clients of version 5 and closes the others', async () => {
    const broker = await running()
    const five = await broker.connect({ version: 5, clientId: 'five' })
    const four = await broker.connect({ version: 4, clientId: 'four' })
    expect((await broker.process.end('SIGTERM')).code).toBe(0)
    await five.expectDisconnected(0x8b)
    await four.expectClosed()
  })

  test('keeps everything that was acknowledged, and each will goes out once', async () => {
    const broker = await running()
    const { client } = await broker.resume({ clientId: 'c' })
    await client.subscribe('#', 1)
    await client.disconnect()
    const publisher = await broker.connect({ clientId: 'p', will: { topic: 'will', payload: 'gone', qos: 1 } })
    await publisher.publish('a', 'x', { qos: 1 })
    expect((await broker.process.end('SIGTERM')).code).toBe(0)
    await broker.restart()
    const { client: back, present } = await broker.resume({ clientId: 'c' })
    expect(present).toBe(true)
    await back.receive({ topic: 'a', payload: 'x' })
    await back.receive({ topic: 'will', payload: 'gone' })
    await back.expectNothing()
  })

  test('frees the data folder and the port', async () => {
    const broker = await running()
    expect((await broker.process.end('SIGINT')).code).toBe(0)
    const args = ['start', '--mqtt-port', String(broker.port), '--http-port', '0', '--data', broker.folder]
    const next = new Sluice(...args)
    closing.push(() => next.end('SIGKILL'))
    expect(await next.port()).toBe(broker.port)
  })

  test('a second time ends a broker that is stuck at once', async () => {
    const hangs = 'import { Server } from "node:net"; Server.prototype.close = function () { console.error("stuck") }'
    process.env['NODE_OPTIONS'] = `--import data:text/javascript,${encodeURIComponent(hangs)}`
    const stuck = new Sluice('start', '--mqtt-port', '0', '--http-port', '0', '--memory')
    delete process.env['NODE_OPTIONS']
    closing.push(() => stuck.end('SIGKILL'))
    await stuck.port()
    stuck.signal('SIGTERM')
    await stuck.error('stuck')
    // Two within a moment count as one, since npm passes on what the terminal has sent already.
    await new Promise((resolve) => setTimeout(resolve, 300))
    const start = performance.now()
    expect(await stuck.end('SIGTERM')).toMatchObject({ code: 143 })
    expect(performance.now() - start).toBeLessThan(1_000)
  })
})
