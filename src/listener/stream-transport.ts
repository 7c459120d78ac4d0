import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { END_GRACE_MS, type Transport, type TransportHandler, type TransportProtocol } from './transport.ts'

const kTransport = Symbol('transport')

type Carrier = Duplex & { [kTransport]?: StreamTransport; remoteAddress?: string }

// One function for all sockets instead of closures for each: 10,000 idle connections would pay for them.
function onData(this: Carrier, chunk: Buffer | string): void {
  this[kTransport]?.received(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
}

function onReadable(this: Carrier): void {
  this[kTransport]?.readSoon()
}

function readNow(transport: StreamTransport): void {
  transport.readOn()
}

function onEnd(this: Carrier): void {
  this[kTransport]?.peerEnded()
}

function onError(this: Carrier, error: Error): void {
  this[kTransport]?.failed(error)
}

function onClose(this: Carrier): void {
  this[kTransport]?.gone()
}

/** A transport over any Duplex: a TCP or TLS socket, an in-memory pair. */
export class StreamTransport implements Transport {
  readonly conn: Duplex
  readonly protocol: TransportProtocol
  readonly request: IncomingMessage | undefined
  private handler: TransportHandler | undefined = undefined
  private error: Error | undefined = undefined
  private ended = false
  private draining = false
  private paused = false
  private readScheduled = false
  /** Made with the first write that needs it. */
  private written: (() => void) | undefined = undefined
  private grace: NodeJS.Timeout | undefined = undefined

  constructor(conn: Duplex, protocol: TransportProtocol = 'stream', request?: IncomingMessage) {
    this.conn = conn
    this.protocol = protocol
    this.request = request
    ;(conn as Carrier)[kTransport] = this
    // From the first moment: an error without a listener would end the process.
    conn.on('error', onError)
    conn.on('close', onClose)
  }

  get remoteAddress(): string | undefined {
    return (this.conn as Carrier).remoteAddress
  }

  /** A stream in memory hands the very bytes on. */
  get copies(): boolean {
    return this.isSocket
  }

  get pendingBytes(): number {
    return this.conn.writableLength
  }

  private get isSocket(): boolean {
    return this.conn instanceof Socket
  }

  start(handler: TransportHandler): void {
    this.handler = handler
    this.conn.on('end', onEnd)
    if (this.conn.closed) queueMicrotask(() => this.gone())
    if (this.isSocket) {
      this.conn.on('data', onData)
      this.conn.resume()
    } else {
      // Flowing, a stream in memory would call the broker in the middle of its writer's own turn.
      this.conn.on('readable', onReadable)
    }
  }

  write(bytes: Buffer): void {
    if (this.ended || this.conn.destroyed || bytes.length === 0) return
    this.written ??= () => this.flushed()
    this.conn.write(bytes, this.written)
    this.draining = this.conn.writableLength > 0
  }

  writeMany(parts: readonly Buffer[]): void {
    if (this.ended || this.conn.destroyed) return
    this.conn.cork()
    for (const part of parts) this.write(part)
    this.conn.uncork()
    this.draining = this.conn.writableLength > 0
  }

  pause(): void {
    this.paused = true
    if (this.isSocket) this.conn.pause()
  }

  resume(): void {
    this.paused = false
    if (this.isSocket) this.conn.resume()
    else this.readSoon()
  }

  /** For streams that do not flow: as over a network, after whatever the turn that wrote has still to do. */
  readSoon(): void {
    // Without bytes it is the end.
    if (this.conn.readableLength === 0) this.readOn()
    else if (!this.readScheduled) {
      this.readScheduled = true
      setImmediate(readNow, this)
    }
  }

  readOn(): void {
    this.readScheduled = false
    while (!this.paused || this.ended) {
      const chunk = this.conn.read() as Buffer | string | null
      if (chunk === null) return
      this.received(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
    }
  }

  /** Nothing more will come: for the handler this is the end, and it ends the other direction. */
  peerEnded(): void {
    const handler = this.handler
    this.handler = undefined
    handler?.closed(this.error)
  }

  admit(): void {
    // Nothing is gathered here: each chunk goes to the connection as it comes.
  }

  end(): void {
    if (this.ended) return
    this.ended = true
    if (this.conn.destroyed) return
    if (!this.isSocket && this.conn.writableLength === 0) {
      // In memory the peer has everything already; the end tells it, where destroying alone would not.
      this.conn.end()
      this.conn.destroy()
      return
    }
    this.conn.end()
    // The peer's end is only seen by a stream that is being read.
    if (this.isSocket) this.conn.resume()
    else this.readOn()
    this.grace = setTimeout(() => this.destroy(), END_GRACE_MS)
    this.grace.unref()
  }

  destroy(error?: Error): void {
    this.ended = true
    this.error ??= error
    this.conn.destroy()
  }

  received(chunk: Buffer): void {
    if (!this.ended) this.handler?.data(chunk)
  }

  failed(error: Error): void {
    this.error ??= error
    // Not every Duplex destroys itself when it fails.
    this.conn.destroy()
  }

  gone(): void {
    this.ended = true
    clearTimeout(this.grace)
    const handler = this.handler
    this.handler = undefined
    handler?.closed(this.error)
  }

  private flushed(): void {
    if (!this.draining || this.ended || this.conn.destroyed || this.conn.writableLength > 0) return
    this.draining = false
    this.handler?.drained()
  }
}
