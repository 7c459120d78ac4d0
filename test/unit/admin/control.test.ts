import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ControlClient } from '../../../src/admin/control-client.ts'
import { ControlServer } from '../../../src/admin/control-server.ts'
import { LINE_BYTES_MAX, LineReader, SOCKET_NAME } from '../../../src/admin/control-socket.ts'
import { SluiceError } from '../../../src/base/errors.ts'
import { RecordingLog } from '../../support/recording-log.ts'

let folder: string
let server: ControlServer
let log: RecordingLog

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-control-'))
  log = new RecordingLog()
  server = new ControlServer(log)
  server.on('echo', async (given, progress) => {
    progress('half')
    return given
  })
  server.on('refuse', () => Promise.reject(new SluiceError('NOT_TODAY', 'not today')))
  server.on('break', () => Promise.reject(new TypeError('broken')))
  server.on('wait', () => new Promise(() => {}))
  await server.listen(folder)
})

afterEach(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

async function raw(): Promise<Socket> {
  const socket = createConnection(join(folder, SOCKET_NAME))
  await once(socket, 'connect')
  return socket
}

describe('the control socket', () => {
  test('answers each request under its number, with its progress before', async () => {
    const client = await ControlClient.connect(folder)
    const progress: unknown[] = []
    const [first, second] = await Promise.all([
      client.ask('echo', { text: 'über' }, (what) => progress.push(what)),
      client.ask('echo', { number: 2 }),
    ])
    expect([first, second]).toEqual([{ text: 'über' }, { number: 2 }])
    expect(progress).toEqual(['half'])
    client.close()
  })

  test('tells what a command refuses by its code, and logs what nobody foresaw', async () => {
    const client = await ControlClient.connect(folder)
    await expect(client.ask('refuse', {})).rejects.toMatchObject({ code: 'NOT_TODAY', message: 'not today' })
    await expect(client.ask('break', {})).rejects.toMatchObject({ code: 'CONTROL_FAILED', message: 'broken' })
    expect(log.lines.map(({ text }) => text)).toEqual(['a control command failed'])
    client.close()
  })

  test.each(['no json', '{}', 'null', '{"id":"1","command":"echo"}', '{"id":1,"command":"echo","arguments":1}'])(
    'refuses the line %j and stays open',
    async (line) => {
      const socket = await raw()
      socket.write(`${line}\n{"id":7,"command":"echo"}\n`)
      let text = ''
      socket.setEncoding('utf8')
      while (!text.includes('"result"')) text += ((await once(socket, 'data')) as [string])[0]
      expect(text).toContain('CONTROL_MALFORMED')
      expect(text).toContain('{"id":7,"result":{}}')
      socket.destroy()
    },
  )

  test('is closed to who asks for too much at once', async () => {
    const socket = await raw()
    const closed = once(socket, 'close')
    for (let id = 1; id <= 17; id++) socket.write(`{"id":${id},"command":"wait"}\n`)
    await closed
    expect(log.lines.at(-1)?.text).toContain('sent nonsense')
    const client = await ControlClient.connect(folder)
    expect(await client.ask('echo', {})).toEqual({})
    client.close()
  })

  test('tells who waits for an answer that the broker has ended', async () => {
    const client = await ControlClient.connect(folder)
    const answer = client.ask('wait', {})
    await client.ask('echo', {})
    const lost = expect(answer).rejects.toMatchObject({ code: 'CONTROL_LOST' })
    await server.close()
    await lost
    await expect(ControlClient.connect(folder)).rejects.toMatchObject({ code: 'CONTROL_NO_BROKER' })
  })
})

describe('lines', () => {
  test('come whole, wherever the chunks are cut', () => {
    const bytes = Buffer.from('eins\nzwei\n\nüber\nrest')
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new LineReader()
      const lines = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))]
      expect(lines).toEqual(['eins', 'zwei', '', 'über'])
    }
  })

  test('are refused beyond their limit', () => {
    const reader = new LineReader()
    expect(reader.push(Buffer.alloc(LINE_BYTES_MAX, 0x61))).toEqual([])
    expect(() => reader.push(Buffer.from('a'))).toThrow(RangeError)
  })
})
