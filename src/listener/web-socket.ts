import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { OpenSockets } from './connection-limit.ts'
import { authority, bind, type Listener, type ListenerOptions } from './listener.ts'
import { END_GRACE_MS } from './transport.ts'
import { WebSocketTransport } from './web-socket-transport.ts'

const PATH = '/mqtt'
// MQTT-6.0.0-3 names `mqtt`; clients of version 3.1 say `mqttv3.1`.
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1']

// Between two requests that are answered and do not become a WebSocket.
const KEEP_ALIVE_MS = 5_000
// How often Node looks for requests that take too long.
const TIMEOUT_CHECK_MS = 1000

export interface WebSocketListenerOptions extends ListenerOptions {
  /** How long a connection may take to ask for the upgrade. */
  readonly connectTimeoutMs: number
  /** Largest message; packets may be cut over several messages and several may share one. */
  readonly messageBytesMax: number
  /** Largest message until `Transport.admit()`. */
  readonly earlyMessageBytesMax: number
}

/** Listens for HTTP; a WebSocket at /mqtt carries MQTT. */
export async function listenWebSocket(options: WebSocketListenerOptions): Promise<Listener> {
  const { host, limit, rate, accept, connectTimeoutMs, messageBytesMax, earlyMessageBytesMax } = options
  const sockets = new OpenSockets(limit)
  const upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
    handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
  })
  const timeouts = {
    headersTimeout: connectTimeoutMs,
    requestTimeout: connectTimeoutMs,
    connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, connectTimeoutMs),
    keepAliveTimeout: Math.min(KEEP_ALIVE_MS, connectTimeoutMs),
  }
  const server = createServer(timeouts, answer)
  server.on('connection', (socket) => sockets.add(socket))
  server.on('upgrade', (request, socket, head) => {
    const refusal = whyNot(request)
    if (refusal !== undefined) {
      refuse(socket, ...refusal)
      return
    }
    const upgrade = (): void =>
      upgrader.handleUpgrade(request, socket, head, (webSocket) => {
        accept(new WebSocketTransport(webSocket, request, earlyMessageBytesMax))
      })
    if (rate === undefined) upgrade()
    else rate.admit(request.socket, upgrade)
  })
  const port = await bind(server, options, '--http-port')
  return {
    url: `ws://${authority(host, port)}${PATH}`,
    stop: () => void server.close(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        sockets.destroyAll()
      }),
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/'
}

/** Answers what is no WebSocket: a person with a browser, a health check. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  // What follows in the connection after an unread body would not be a request.
  if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) {
    response.setHeader('connection', 'close')
  }
  const path = pathOf(request)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end('Only GET and HEAD are answered here.\n')
  } else if (path === '/') {
    response.writeHead(200).end(`Sluice is running. MQTT over WebSocket is at ${PATH}, subprotocol mqtt.\n`)
  } else if (path === PATH) {
    response.writeHead(426, { upgrade: 'websocket' }).end('This is for WebSocket clients that speak MQTT.\n')
  } else {
    response.writeHead(404).end('There is nothing here.\n')
  }
}

function whyNot(request: IncomingMessage): [status: string, text: string] | undefined {
  if (pathOf(request) !== PATH) return ['404 Not Found', `MQTT over WebSocket is at ${PATH}.`]
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  if (offered.some((name) => SUBPROTOCOLS.includes(name))) return undefined
  return ['400 Bad Request', `Offer the WebSocket subprotocol ${SUBPROTOCOLS.join(' or ')}.`]
}

function refuse(socket: Duplex, status: string, text: string): void {
  socket.on('error', () => socket.destroy())
  // Only a socket that is read sees the peer's end; one that never ends is not waited for.
  socket.resume()
  setTimeout(() => socket.destroy(), END_GRACE_MS).unref()
  const body = `${text}\n`
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
