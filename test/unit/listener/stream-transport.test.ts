import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Duplex, duplexPair } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { StreamTransport } from '../../../src/listener/stream-transport.ts'
import { END_GRACE_MS } from '../../../src/listener/transport.ts'
import { RecordingHandler } from './recording-handler.ts'

describe('a transport over a socket', () => {
  let server: Server
  let peer: Socket
  let transport: StreamTransport
  let handler: RecordingHandler

  beforeEach(async () => {
    server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const accepted = once(server, 'connection')
    peer = connect({ port: typeof address === 'object' ? (address?.port ?? 0) : 0, host: '127.0.0.1' })
    peer.on('error', () => {})
    await once(peer, 'connect')
    const [socket] = (await accepted) as [Socket]
    transport = new StreamTransport(socket, 'mqtt')
    handler = new RecordingHandler()
    transport.start(handler)
  })

  afterEach(async () => {
    vi.useRealTimers()
    peer.destroy()
    transport.destroy()
    server.close()
    await once(server, 'close')
  })

  test('tells the address of the peer', () => {
    expect(transport.remoteAddress).toBe('127.0.0.1')
  })

  test('hands on bytes as they come', async () => {
    peer.write('hello')
    await handler.received(5)
    expect(handler.text).toBe('hello')
  })

  test('writes single buffers and many in their order', async () => {
    transport.write(Buffer.from('a'))
    transport.writeMany([Buffer.from('b'), Buffer.alloc(0), Buffer.from('c')])
    transport.write(Buffer.from('d'))
    transport.end()
    let text = ''
    for await (const chunk of peer) text += String(chunk)
    expect(text).toBe('abcd')
  })

  test('has nothing pending once the kernel took it, and then says nothing about it', async () => {
    transport.write(Buffer.from('small'))
    expect(transport.pendingBytes).toBe(0)
    peer.write('x')
    await handler.received(1)
    expect(handler.drains).toBe(0)
  })

  test('counts what the kernel did not take, and tells when all of it is gone', async () => {
    peer.pause()
    const size = 32 * 1024 * 1024
    transport.write(Buffer.alloc(size))
    expect(transport.pendingBytes).toBeGreaterThan(0)
    const drained = handler.nextDrain()
    peer.resume()
    await drained
    expect(transport.pendingBytes).toBe(0)
  })

  test('reads nothing while paused', async () => {
    transport.pause()
    peer.write('later')
    // The answer to a second connection shows that the loop had its chance to read the first.
    const other = connect({ port: peer.remotePort ?? 0, host: '127.0.0.1' })
    await once(server, 'connection').then(([socket]) => (socket as Socket).end())
    await once(other.resume(), 'close')
    expect(handler.text).toBe('')
    transport.resume()
    await handler.received(5)
    expect(handler.text).toBe('later')
  })

  test('closes without an error when the peer ends', async () => {
    peer.end()
    expect(await handler.closing).toBeUndefined()
  })

  test('closes with the error when the peer resets the connection', async () => {
    peer.resetAndDestroy()
    expect(await handler.closing).toMatchObject({ code: 'ECONNRESET' })
  })

  test('closes with the error that destroy was given', async () => {
    const error = new Error('refused')
    transport.destroy(error)
    expect(await handler.closing).toBe(error)
  })

  test('hands on nothing after end, and ignores further writes', async () => {
    transport.end()
    transport.write(Buffer.from('late'))
    transport.writeMany([Buffer.from('late')])
    peer.write('late')
    let text = ''
    for await (const chunk of peer) text += String(chunk)
    await handler.closing
    expect([text, handler.text]).toEqual(['', ''])
  })

  test('destroys a peer that does not answer to the end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    peer.pause()
    transport.write(Buffer.alloc(32 * 1024 * 1024))
    transport.end()
    vi.advanceTimersByTime(END_GRACE_MS - 1)
    expect(transport.conn.destroyed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(transport.conn.destroyed).toBe(true)
    await handler.closing
  })

  test('calls closed once only', async () => {
    transport.end()
    transport.destroy(new Error('again'))
    await handler.closing
    transport.gone()
    expect(handler.closes).toBe(1)
  })
})

describe('a transport over a pair in memory', () => {
  test('ends its own half when the other one ends', async () => {
    const [near, far] = duplexPair()
    const handler = new RecordingHandler()
    const transport = new StreamTransport(near)
    transport.start(handler)
    const farEnded = once(far.resume(), 'end')
    far.end('bye')
    expect(await handler.closing).toBeUndefined()
    expect(handler.text).toBe('bye')
    transport.end()
    await farEnded
  })

  test('closes when the stream was closed before the start', async () => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    stream.destroy()
    await once(stream, 'close')
    const handler = new RecordingHandler()
    new StreamTransport(stream).start(handler)
    expect(await handler.closing).toBeUndefined()
  })

  test('survives an error of the stream before the start', async () => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const transport = new StreamTransport(stream)
    const handler = new RecordingHandler()
    stream.destroy(new Error('early'))
    await new Promise((resolve) => void stream.on('close', resolve))
    transport.start(handler)
    expect(await handler.closing).toMatchObject({ message: 'early' })
  })
})
