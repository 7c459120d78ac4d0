import { once } from 'node:events'
import { connect, Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConnectionLimit } from '../../../src/listener/connection-limit.ts'
import { authority, type Listener } from '../../../src/listener/listener.ts'
import { listenTcp } from '../../../src/listener/tcp.ts'
import type { Transport } from '../../../src/listener/transport.ts'
import { listenWebSocket } from '../../../src/listener/web-socket.ts'
import { RecordingHandler } from './recording-handler.ts'

const open: Listener[] = []
const peers: Socket[] = []

interface Opened {
  listener: Listener
  port: number
  limit: ConnectionLimit
  handlers: RecordingHandler[]
}

const onFault = vi.fn((_error: Error) => {})

async function listen(kind: string, max = 10, port = 0): Promise<Opened> {
  const limit = new ConnectionLimit(max)
  const handlers: RecordingHandler[] = []
  const accept = (transport: Transport): void => {
    const handler = new RecordingHandler()
    handlers.push(handler)
    transport.start(handler)
    void handler.closing.then(() => transport.end())
  }
  const options = {
    host: '127.0.0.1',
    port,
    limit,
    onFault,
    accept,
    connectTimeoutMs: 10_000,
    messageBytesMax: 1000,
    earlyMessageBytesMax: 100,
  }
  const listener = await (kind === 'tcp' ? listenTcp(options) : listenWebSocket(options))
  open.push(listener)
  return { listener, port: Number(new URL(listener.url).port), limit, handlers }
}

function dial(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  peers.push(socket)
  return socket
}

async function ended(socket: Socket): Promise<void> {
  await once(socket.resume(), 'close')
}

afterEach(async () => {
  vi.restoreAllMocks()
  for (const peer of peers.splice(0)) peer.destroy()
  await Promise.all(open.splice(0).map((listener) => listener.close()))
})

describe.each([
  ['tcp', 'mqtt:', '--mqtt-port'],
  ['web socket', 'ws:', '--http-port'],
])('a %s listener', (kind, protocol, flag) => {
  test('on port 0 says the port it got', async () => {
    const { listener, port } = await listen(kind)
    expect(new URL(listener.url).protocol).toBe(protocol)
    expect(port).toBeGreaterThan(0)
  })

  test('on a port in use says what to do', async () => {
    const { port } = await listen(kind)
    await expect(listen(kind, 10, port)).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      exitCode: 1,
      message: `cannot listen on 127.0.0.1:${port}: the port is in use; stop the other program or choose another with ${flag}`,
    })
  })

  test('takes as many connections as it may and closes the next at once', async () => {
    const { port, limit } = await listen(kind, 2)
    await Promise.all([once(dial(port), 'connect'), once(dial(port), 'connect')])
    await ended(dial(port))
    expect([limit.open, limit.refused]).toEqual([2, 1])
  })

  test('goes on when the system cannot hand over a connection', async () => {
    const listening = vi.spyOn(Server.prototype, 'listen')
    const { port } = await listen(kind)
    const fault = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' })
    ;(listening.mock.contexts[0] as Server).emit('error', fault)
    expect(onFault).toHaveBeenLastCalledWith(fault)
    await once(dial(port), 'connect')
  })

  test('takes another connection when one has gone', async () => {
    const { port, limit } = await listen(kind, 1)
    const first = dial(port)
    await once(first, 'connect')
    await ended(dial(port))
    first.end()
    await ended(first)
    const third = dial(port)
    await once(third, 'connect')
    expect([third.destroyed, limit.refused]).toEqual([false, 1])
  })

  test('takes no further connections once stopped, and keeps those it has', async () => {
    const { listener, port, limit } = await listen(kind)
    const kept = dial(port)
    await once(kept, 'connect')
    await until(() => limit.open === 1)
    listener.stop()
    await expect(once(dial(port), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect([kept.destroyed, limit.open]).toEqual([false, 1])
  })

  test('closes with its connections, after a stop too', async () => {
    const { listener, port, limit } = await listen(kind)
    const peer = dial(port)
    await once(peer, 'connect')
    await until(() => limit.open === 1)
    listener.stop()
    await listener.close()
    await ended(peer)
    expect(limit.open).toBe(0)
  })
})

describe('a listener', () => {
  test('hands on bytes from TCP', async () => {
    const { port, handlers } = await listen('tcp')
    const peer = dial(port)
    peer.write('hello')
    await until(() => handlers.length === 1)
    await handlers[0]?.received(5)
    expect(handlers[0]?.text).toBe('hello')
  })

  test('on an address that is not of this machine says so', async () => {
    const options = { host: '192.0.2.1', port: 0, limit: new ConnectionLimit(1), onFault, accept: () => {} }
    await expect(listenTcp(options)).rejects.toThrow(
      'cannot listen on 192.0.2.1:0: this machine does not have the address; choose another with --host',
    )
  })

  test('puts an IPv6 address in brackets', () => {
    expect([authority('::1', 1883), authority('127.0.0.1', 1883)]).toEqual(['[::1]:1883', '127.0.0.1:1883'])
  })
})

/** Waits turn by turn for what another end of a socket does. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}
