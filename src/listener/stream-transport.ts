import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { END_GRACE_MS, type Transport, type TransportHandler, type TransportProtocol } from './transport.ts'

const kTransport = Symbol('transport')

type Carrier = Duplex & { [kTransport]?: StreamTransport; remoteAddress?: string }

// One function for all sockets instead of closures for each: 10,000 idle connections would pay for them.
function onData(this: Carrier, chunk: Buffer | string): void {
  this[kTransport]?.received(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
}

function onEnd(this: Carrier): void {
  this[kTransport]?.end()
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

  get pendingBytes(): number {
    return this.conn.writableLength
  }

  start(handler: TransportHandler): void {
    this.handler = handler
    // A socket ends its own half by itself, a Duplex with half-open allowed does not.
    if (this.conn.allowHalfOpen) this.conn.on('end', onEnd)
    if (this.conn.closed) queueMicrotask(() => this.gone())
    this.conn.on('data', onData)
    this.conn.resume()
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
    this.conn.pause()
  }

  resume(): void {
    this.conn.resume()
  }

  admit(): void {
    // Nothing is gathered here: each chunk goes to the connection as it comes.
  }

  end(): void {
    if (this.ended) return
    this.ended = true
    if (this.conn.destroyed) return
    this.conn.end()
    // The peer's end is only seen by a stream that is being read.
    this.conn.resume()
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
