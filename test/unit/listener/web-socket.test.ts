import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { ConnectionLimit } from '../../../src/listener/connection-limit.ts'
import type { Listener } from '../../../src/listener/listener.ts'
import { END_GRACE_MS, type Transport } from '../../../src/listener/transport.ts'
import { listenWebSocket } from '../../../src/listener/web-socket.ts'
import { RecordingHandler } from './recording-handler.ts'

const EARLY_BYTES_MAX = 1000
const MESSAGE_BYTES_MAX = 4_000_000
const CONNECT_TIMEOUT_MS = 200

describe('MQTT over WebSocket', () => {
  let listener: Listener
  let transport: Transport
  let handler: RecordingHandler
  let accepted: Promise<void>
  let client: WebSocket | undefined

  beforeEach(async () => {
    let resolve = (): void => {}
    accepted = new Promise((done) => {
      resolve = done
    })
    handler = new RecordingHandler()
    listener = await listenWebSocket({
      host: '127.0.0.1',
      port: 0,
      limit: new ConnectionLimit(10),
      onFault() {},
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      messageBytesMax: MESSAGE_BYTES_MAX,
      earlyMessageBytesMax: EARLY_BYTES_MAX,
      accept(given) {
        transport = given
        transport.start(handler)
        resolve()
      },
    })
  })

  afterEach(async () => {
    vi.useRealTimers()
    client?.terminate()
    await listener.close()
  })

  async function open(protocols: string | string[] = 'mqtt'): Promise<WebSocket> {
    client = new WebSocket(listener.url, protocols)
    client.on('error', () => {})
    await once(client, 'open')
    await accepted
    return client
  }

  async function refusal(url: string, protocols: string[]): Promise<[status: number | undefined, body: string]> {
    const refused = new WebSocket(url, protocols)
    refused.on('error', () => {})
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage]
    let body = ''
    for await (const chunk of response) body += String(chunk)
    refused.terminate()
    return [response.statusCode, body]
  }

  // MQTT-6.0.0-3 and -4
  test.each([
    [['mqtt'], 'mqtt'],
    [['mqttv3.1'], 'mqttv3.1'],
    [['mqttv3.1', 'mqtt'], 'mqtt'],
    [['other', 'mqtt'], 'mqtt'],
  ])('agrees with an offer of %j on %s', async (offered, agreed) => {
    expect((await open(offered)).protocol).toBe(agreed)
  })

  test.each([[[]], [['other']]])('refuses an offer of %j and says what to offer', async (offered) => {
    expect(await refusal(listener.url, offered)).toEqual([400, 'Offer the WebSocket subprotocol mqtt or mqttv3.1.\n'])
  })

  test('refuses another path and says the right one', async () => {
    expect(await refusal(listener.url.replace('/mqtt', '/'), ['mqtt'])).toEqual([
      404,
      'MQTT over WebSocket is at /mqtt.\n',
    ])
  })

  test('has the request and the socket for hooks', async () => {
    await open()
    expect([transport.request?.url, transport.remoteAddress, transport.protocol]).toEqual(['/mqtt', '127.0.0.1', 'ws'])
    expect(transport.conn).toBe(transport.request?.socket)
  })

  // MQTT-6.0.0-2: packets may be cut over messages and fragments in any way.
  test('hands on the bytes of whole messages and of fragments in order', async () => {
    const socket = await open()
    socket.send(Buffer.from('ab'))
    socket.send(Buffer.from('cd'), { fin: false })
    socket.send(Buffer.from('ef'))
    await handler.received(6)
    expect(handler.text).toBe('abcdef')
  })

  test('sends several buffers as one binary message', async () => {
    const socket = await open()
    transport.writeMany([Buffer.from('a'), Buffer.from('b')])
    const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
    expect([data.toString(), isBinary, transport.pendingBytes]).toEqual(['ab', true, 0])
  })

  test('counts what the kernel did not take, and tells when all of it is gone', async () => {
    const socket = await open()
    socket.pause()
    transport.write(Buffer.alloc(32 * 1024 * 1024))
    expect(transport.pendingBytes).toBeGreaterThan(0)
    const drained = handler.nextDrain()
    socket.resume()
    await drained
    expect(transport.pendingBytes).toBe(0)
  })

  test('reads nothing while paused', async () => {
    const socket = await open()
    transport.pause()
    socket.send(Buffer.from('later'))
    // A pong would come if the ping was read.
    const ponged = vi.fn()
    socket.on('pong', ponged)
    socket.ping()
    await refusal(listener.url, ['other'])
    expect([handler.text, ponged.mock.calls.length]).toEqual(['', 0])
    transport.resume()
    await handler.received(5)
    expect(handler.text).toBe('later')
  })

  // MQTT-6.0.0-1
  test('closes on a text message with code 1003', async () => {
    const socket = await open()
    socket.send('text')
    expect((await once(socket, 'close'))[0]).toBe(1003)
    expect(await handler.closing).toMatchObject({ message: expect.stringContaining('text message') })
  })

  test('takes a message of the most bytes before CONNECT', async () => {
    const socket = await open()
    socket.send(Buffer.alloc(EARLY_BYTES_MAX))
    socket.send(Buffer.alloc(EARLY_BYTES_MAX))
    await handler.received(2 * EARLY_BYTES_MAX)
    expect(handler.closes).toBe(0)
  })

  test('closes on a larger message before CONNECT, without gathering it', async () => {
    const socket = await open()
    // What comes in one read is in memory already; a message of many reads is refused with the first of them.
    socket.send(Buffer.alloc(MESSAGE_BYTES_MAX))
    const refusal = await handler.closing
    expect([refusal?.message, handler.bytes]).toEqual(['too large a message before CONNECT', 0])
    expect((transport.conn as Socket).bytesRead).toBeLessThan(1_000_000)
  })

  test('closes with code 1009 on a message before CONNECT of one byte more', async () => {
    const socket = await open()
    socket.send(Buffer.alloc(EARLY_BYTES_MAX + 1))
    expect((await once(socket, 'close'))[0]).toBe(1009)
    expect([(await handler.closing)?.message, handler.bytes]).toEqual(['too large a message before CONNECT', 0])
  })

  test('takes a message of the most bytes once CONNECT was accepted', async () => {
    const socket = await open()
    transport.admit()
    socket.send(Buffer.alloc(MESSAGE_BYTES_MAX))
    await handler.received(MESSAGE_BYTES_MAX)
    expect(handler.closes).toBe(0)
  })

  test('closes on a message of one byte more', async () => {
    const socket = await open()
    transport.admit()
    socket.send(Buffer.alloc(MESSAGE_BYTES_MAX + 1))
    expect((await once(socket, 'close'))[0]).toBe(1009)
    expect(await handler.closing).toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
  })

  test('says goodbye with code 1000 and hands on nothing after it', async () => {
    const socket = await open()
    transport.end()
    transport.write(Buffer.from('late'))
    socket.send(Buffer.from('late'))
    expect((await once(socket, 'close'))[0]).toBe(1000)
    await handler.closing
    expect(handler.text).toBe('')
  })

  test('destroys a peer that does not answer to the goodbye', async () => {
    const socket = await open()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    socket.pause()
    transport.end()
    vi.advanceTimersByTime(END_GRACE_MS)
    expect(transport.conn.destroyed).toBe(true)
    await handler.closing
  })

  test('closes when the peer vanishes', async () => {
    const socket = await open()
    socket.terminate()
    await handler.closing
    expect(handler.closes).toBe(1)
  })

  test.each([
    ['nothing', ''],
    ['half of its headers', 'GET /mqtt HTTP/1.1\r\nHost: here\r\n'],
  ])('closes a connection that sends %s instead of asking for the upgrade in time', async (_what, bytes) => {
    const began = performance.now()
    const socket = connect(Number(new URL(listener.url).port), '127.0.0.1')
    socket.write(bytes)
    await once(socket.resume(), 'close')
    expect(performance.now() - began).toBeLessThan(10 * CONNECT_TIMEOUT_MS)
  })

  test('an upgraded connection is not closed by the time limit of the request', async () => {
    const socket = await open()
    await setTimeout(3 * CONNECT_TIMEOUT_MS)
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })

  test.each([
    ['GET', '/', 200, /^Sluice is running\. .*\/mqtt/],
    ['GET', '/mqtt', 426, /WebSocket/],
    ['GET', '/else', 404, /nothing here/],
    ['POST', '/', 405, /Only GET/],
  ])('answers %s %s without an upgrade with %i', async (method, path, status, text) => {
    const response = await fetch(listener.url.replace('ws:', 'http:').replace('/mqtt', path), { method })
    expect(response.status).toBe(status)
    expect(await response.text()).toMatch(text)
  })
})
