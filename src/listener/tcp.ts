import { createServer } from 'node:net'
import { OpenSockets } from './connection-limit.ts'
import { authority, bind, type Listener, type ListenerOptions } from './listener.ts'
import { StreamTransport } from './stream-transport.ts'

/** Listens for MQTT over plain TCP. */
export async function listenTcp(options: ListenerOptions): Promise<Listener> {
  const { host, limit, rate, accept } = options
  const sockets = new OpenSockets(limit)
  // Half open, so that a connection of which the peer's end has come is closed when its turn comes, not at once by Node:
  // of thousands that are lost in the same moment each costs several system calls.
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    if (!sockets.add(socket)) return
    const transport = new StreamTransport(socket, 'mqtt')
    if (rate === undefined) accept(transport)
    else rate.admit(socket, () => accept(transport))
  })
  const port = await bind(server, options, '--mqtt-port')
  return {
    url: `mqtt://${authority(host, port)}`,
    stop: () => void server.close(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        sockets.destroyAll()
      }),
  }
}
