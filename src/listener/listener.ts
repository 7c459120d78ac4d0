import type { Server } from 'node:net'
import { SluiceError } from '../base/errors.ts'
import type { ConnectRate } from './connect-rate.ts'
import type { ConnectionLimit } from './connection-limit.ts'
import type { Transport } from './transport.ts'

export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  readonly limit: ConnectionLimit
  /** None: connections begin at once. */
  readonly rate?: ConnectRate
  /** The system could not hand over a connection; the listener goes on. */
  readonly onFault: (error: Error) => void
  /** Gets each new client; calls `transport.start` before it returns. */
  readonly accept: (transport: Transport) => void
}

/** One address that clients connect to. */
export interface Listener {
  /** What a client connects to: `mqtt://127.0.0.1:1883`, with the actual port. */
  readonly url: string
  /** Takes no further connections; those that are open go on. */
  stop(): void
  /** Takes no further connections, destroys those that are open, and resolves when the port is free. */
  close(): Promise<void>
}

// Devices come back all at once after a power cut, and one that finds no place here waits for seconds before it knocks
// again. The system cuts this to what it allows (Linux: net.core.somaxconn).
const BACKLOG = 65_535

/** Binds `server`; resolves to the actual port. Throws SluiceError that says what is in the way. */
export async function bind(server: Server, options: ListenerOptions, portFlag: string): Promise<number> {
  const { host, port, onFault } = options
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port, portFlag))
    server.once('error', fail)
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', fail)
      // An error that nobody listens to would end the process.
      server.on('error', onFault)
      resolve()
    })
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/** `host:port` as in a URL: IPv6 addresses in brackets. */
export function authority(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number, portFlag: string): SluiceError {
  const [code, text] = explain(error, portFlag)
  return new SluiceError(code, `cannot listen on ${authority(host, port)}: ${text}`, { cause: error })
}

function explain(error: NodeJS.ErrnoException, portFlag: string): [code: string, text: string] {
  switch (error.code) {
    case 'EADDRINUSE':
      return ['PORT_IN_USE', `the port is in use; stop the other program or choose another with ${portFlag}`]
    case 'EACCES':
      return ['PORT_NOT_PERMITTED', `this user may not use the port; choose one above 1023 with ${portFlag}`]
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return ['HOST_NOT_HERE', 'this machine does not have the address; choose another with --host']
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['HOST_UNKNOWN', 'the host name is not known; choose another with --host']
    default:
      return ['LISTEN_FAILED', error.message]
  }
}
