import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test as plainTest, vi } from 'vitest'
import { test } from '../support/faulty-world.ts'
import { openSocket } from '../support/mosquitto-peer.ts'
import { RawClient } from '../support/raw-client.ts'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const heapRoom = new URL('../../dist/cli/heap-room.js', import.meta.url).href

const OPEN_FILES_MAX = 200
const CONNECTIONS_MAX = 100

/** A process that may open so many files. */
function limited(openFilesMax: number, ...args: string[]): ChildProcess {
  const command = `ulimit -n ${openFilesMax} && exec "$@"`
  return spawn('/bin/sh', ['-c', command, 'sh', process.execPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** What a process writes, line by line. */
class Lines {
  private readonly stream: Readable
  private text = ''

  constructor(stream: Readable | null) {
    this.stream = stream as Readable
    this.stream.on('data', (chunk) => {
      this.text += String(chunk)
    })
  }

  get all(): string[] {
    return this.text.split('\n').slice(0, -1)
  }

  /** The lines of warnings, as soon as there are so many. */
  async warnings(count: number): Promise<unknown[]> {
    for (;;) {
      const found = this.all.map((line) => JSON.parse(line) as { level: number }).filter(({ level }) => level === 40)
      if (found.length >= count) return found
      await once(this.stream, 'data')
    }
  }

  async until(count: number): Promise<string[]> {
    while (this.all.length < count) await once(this.stream, 'data')
    return this.all
  }
}

async function accepted(port: number, clientId: string): Promise<RawClient> {
  const client = new RawClient(await openSocket(port), 4).sendConnect({ clientId })
  await client.expect('connack', { reasonCode: 0 })
  return client
}

describe.runIf(process.platform === 'linux')('a process that may not open many files', () => {
  plainTest('says so at the start, and refuses the connections that files are not enough for', async () => {
    const data = await mkdtemp(join(tmpdir(), 'sluice-descriptors-'))
    const child = limited(OPEN_FILES_MAX, main, 'start', '--mqtt-port', '0', '--http-port', '0', '--data', data)
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await rm(data, { recursive: true })
    })
    const log = new Lines(child.stderr)
    const [listening = ''] = await new Lines(child.stdout).until(2)
    const port = Number(/^listening mqtt:.*:(\d+)$/.exec(listening)?.[1])
    expect(await log.warnings(1)).toEqual([
      expect.objectContaining({
        connections: CONNECTIONS_MAX,
        connectionsMax: 100_000,
        openFilesMax: OPEN_FILES_MAX,
        msg: expect.stringMatching(/100 connections.*limits\.connectionsMax.*ulimit -n.*LimitNOFILE/),
      }),
    ])
    const clients: RawClient[] = []
    for (let index = 0; index < CONNECTIONS_MAX; index++) clients.push(await accepted(port, `c${index}`))
    const late = await Promise.all(Array.from({ length: OPEN_FILES_MAX }, () => openSocket(port)))
    for (const socket of late) await new RawClient(socket, 4).expectClosed()
    expect((await log.warnings(2))[1]).toMatchObject({
      limit: 'open files',
      msg: 'closed a connection: there are too many',
    })
    // The store has what it needs.
    const [first, second] = clients as [RawClient, RawClient]
    await first.subscribe('a', 1)
    await second.publish('a', 'x', { qos: 1 })
    await first.receive({ payload: 'x' })
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([0, null])
  })

  plainTest('goes on collecting its heap when it cannot open any more', async () => {
    const script = `
      const { giveHeapRoom } = await import(${JSON.stringify(heapRoom)})
      const { openSync } = await import('node:fs')
      giveHeapRoom()
      try { for (;;) openSync('/dev/null') } catch (error) { console.log(error.code) }
      gc()
      setTimeout(() => console.log('goes on'), 50)`
    const child = limited(64, '--expose-gc', '--input-type=module', '--eval', script)
    const [output, errors] = [new Lines(child.stdout), new Lines(child.stderr)]
    expect([await once(child, 'close'), errors.all]).toEqual([[0, null], []])
    expect(output.all).toEqual(['EMFILE', 'goes on'])
  })
})

test('$SYS keeps the latest figure of the memory while no file can be opened', async ({ start }) => {
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  const rss = vi.spyOn(process.memoryUsage, 'rss').mockReturnValue(111)
  const world = await start({ sys: { intervalSeconds: 10 } })
  const watcher = await world.connect({ clientId: 'watcher' })
  await watcher.subscribe('$SYS/broker/heap/current')
  await watcher.receive({ payload: '111', retain: true })
  rss.mockImplementation(() => {
    throw Object.assign(new Error('EMFILE: too many open files, uv_resident_set_memory'), { code: 'EMFILE' })
  })
  await world.clock.advance(10_000)
  await watcher.expectNothing()
  rss.mockReturnValue(222)
  await world.clock.advance(10_000)
  await watcher.receive({ payload: '222' })
})
