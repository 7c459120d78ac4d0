import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

class Sluice {
  output = ''
  errors = ''
  readonly process: ChildProcess
  readonly ended: Promise<number | null>

  constructor(...args: string[]) {
    this.process = spawn(process.execPath, [main, 'start', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.process.stdout?.on('data', (chunk) => {
      this.output += String(chunk)
    })
    this.process.stderr?.on('data', (chunk) => {
      this.errors += String(chunk)
    })
    this.ended = once(this.process, 'close').then(([code]) => code as number | null)
  }

  /** The port of the line `listening scheme://…`. */
  async port(scheme = 'mqtt'): Promise<number> {
    const line = new RegExp(`^listening ${scheme}://127\\.0\\.0\\.1:(\\d+)`, 'm')
    for (;;) {
      const port = line.exec(this.output)?.[1]
      if (port !== undefined) return Number(port)
      const event = await Promise.race([once(this.process.stdout as NodeJS.EventEmitter, 'data'), this.ended])
      if (!Array.isArray(event)) throw new Error(`ended with ${event}: ${this.errors}`)
    }
  }
}

describe('the process', () => {
  let folder: string
  let running: Sluice[]

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-process-'))
    running = []
  })

  afterEach(async () => {
    for (const { process: child, ended } of running) {
      child.kill('SIGKILL')
      await ended
    }
    await rm(folder, { recursive: true })
  })

  function start(...args: string[]): Sluice {
    const sluice = new Sluice('--mqtt-port', '0', '--http-port', '0', ...args)
    running.push(sluice)
    return sluice
  }

  test.each(['SIGTERM', 'SIGINT'] as const)('says where it listens and ends with 0 on %s', async (signal) => {
    const sluice = start('--data', folder)
    await sluice.port('ws')
    sluice.process.kill(signal)
    expect(await sluice.ended).toBe(0)
    expect(sluice.output).toMatch(/^listening mqtt:\/\/127\.0\.0\.1:\d+\nlistening ws:\/\/127\.0\.0\.1:\d+\/mqtt\n$/)
  })

  test('logs to standard error only, as JSON when nobody watches', async () => {
    const sluice = start('--memory')
    const socket = connect({ port: await sluice.port(), host: '127.0.0.1' })
    // Not a CONNECT: the broker closes the connection and logs it.
    socket.end(Buffer.from('c000', 'hex'))
    await once(socket.resume(), 'close')
    sluice.process.kill('SIGTERM')
    await sluice.ended
    // The first line may be about the open files that this machine allows.
    const line = sluice.errors.split('\n').find((each) => each.includes('127.0.0.1'))
    expect(JSON.parse(line ?? '')).toMatchObject({ level: 40, address: '127.0.0.1' })
    expect(sluice.output.split('\n')).toHaveLength(3)
  })

  test('tells a version 5 client that it shuts down, with reason 0x8B', async () => {
    const sluice = start('--memory')
    const socket = connect({ port: await sluice.port(), host: '127.0.0.1' })
    // CONNECT: version 5, clean start, keep alive 60 s, client identifier 'p'.
    socket.write(Buffer.from('100e00044d5154540502003c00000170', 'hex'))
    const [connack] = (await once(socket, 'data')) as [Buffer]
    expect(connack[0]).toBe(0x20)
    sluice.process.kill('SIGTERM')
    const [disconnect] = (await once(socket, 'data')) as [Buffer]
    expect([disconnect[0], disconnect[2]]).toEqual([0xe0, 0x8b])
    expect(await sluice.ended).toBe(0)
    socket.destroy()
  })

  test('ends with 0 within 5 seconds though a client takes nothing', async () => {
    const sluice = start('--memory')
    const socket = connect({ port: await sluice.port(), host: '127.0.0.1' })
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.pause()
    const began = performance.now()
    sluice.process.kill('SIGTERM')
    expect(await sluice.ended).toBe(0)
    expect(performance.now() - began).toBeLessThan(5000)
    socket.destroy()
  })

  test('on a port in use says so in one line and ends with 1', async () => {
    const port = await start('--memory').port()
    const second = start('--memory', '--mqtt-port', String(port))
    expect(await second.ended).toBe(1)
    expect(second.errors).toBe(
      `sluice: cannot listen on 127.0.0.1:${port}: the port is in use; stop the other program or choose another with --mqtt-port\n`,
    )
  })

  test('on a data folder of another process says so in one line and ends with 1', async () => {
    await start('--data', folder).port()
    const second = start('--data', folder)
    expect(await second.ended).toBe(1)
    expect(second.errors).toMatch(/^sluice: .*sluice-process-\S+ is in use by another process; [^\n]+\n$/)
  })

  test('on a data folder that is a file says so in one line and ends with 1', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    const sluice = start('--data', file)
    expect(await sluice.ended).toBe(1)
    expect(sluice.errors).toMatch(/^sluice: [^\n]*file[^\n]* cannot be used as the data folder: [^\n]+\n$/)
  })

  test('on a store of an unknown version says so in one line, ends with 1 and touches nothing', async () => {
    const first = start('--data', folder)
    await first.port()
    first.process.kill('SIGTERM')
    await first.ended
    const format = join(folder, 'FORMAT')
    await writeFile(format, 'sluice store 99\n')
    const sluice = start('--data', folder)
    expect(await sluice.ended).toBe(1)
    expect(sluice.errors).toMatch(/^sluice: [^\n]*99[^\n]+\n$/)
    expect(await readFile(format, 'utf8')).toBe('sluice store 99\n')
  })

  test('with a mistake in the config file names its place and ends with 2', async () => {
    const file = join(folder, 'sluice.yaml')
    await writeFile(file, 'limits:\n  packetByteMax: 1\n')
    const sluice = start('--config', file)
    expect(await sluice.ended).toBe(2)
    expect(sluice.errors).toBe(
      `sluice: ${file}:2:3 limits: unrecognised key 'packetByteMax'; did you mean 'packetBytesMax'?\n`,
    )
  })
})
