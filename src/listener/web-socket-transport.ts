import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type WebSocket from 'ws'
import { END_GRACE_MS, type Transport, type TransportHandler } from './transport.ts'

const kTransport = Symbol('transport')

type Carrier = WebSocket & { [kTransport]?: WebSocketTransport }
type Underneath = Duplex & { [kTransport]?: WebSocketTransport; remoteAddress?: string }

const FRAME_HEADER_BYTES_MAX = 14
const CLOSE_UNSUPPORTED_DATA = 1003
const CLOSE_TOO_BIG = 1009
const TOO_LARGE = 'too large a message before CONNECT'

// One function for all connections instead of closures for each.
function onMessage(this: Carrier, data: WebSocket.RawData, isBinary: boolean): void {
  this[kTransport]?.received(data as Buffer[], isBinary)
}

function onEarlyData(this: Underneath, chunk: Buffer): void {
  this[kTransport]?.arrived(chunk.length)
}

function onError(this: Carrier, error: Error): void {
  this[kTransport]?.failed(error)
}

function onClose(this: Carrier): void {
  this[kTransport]?.gone()
}

const BINARY = { binary: true, compress: false }

/** A transport whose bytes travel in binary WebSocket messages (MQTT 5, section 6). */
export class WebSocketTransport implements Transport {
  readonly conn: Duplex
  readonly protocol = 'ws'
  readonly copies = true
  readonly request: IncomingMessage
  private readonly socket: WebSocket
  private handler: TransportHandler | undefined = undefined
  private error: Error | undefined = undefined
  private ended = false
  private draining = false
  private written: (() => void) | undefined = undefined
  private grace: NodeJS.Timeout | undefined = undefined
  /** Bytes since the last whole message, which ws keeps in memory; NaN: a message ended in the present chunk. */
  private gathered = 0
  private readonly earlyBytesMax: number
  /** Until admit(). */
  private early = true

  /** `earlyBytesMax` bounds a message until admit(); afterwards the `maxPayload` of the server does. */
  constructor(socket: WebSocket, request: IncomingMessage, earlyBytesMax: number) {
    this.socket = socket
    this.conn = request.socket
    this.request = request
    this.earlyBytesMax = earlyBytesMax
    ;(socket as Carrier)[kTransport] = this
    ;(this.conn as Underneath)[kTransport] = this
    // No copy to join fragments: an MQTT packet may be cut anywhere anyway.
    socket.binaryType = 'fragments'
    socket.on('error', onError)
    socket.on('close', onClose)
  }

  get remoteAddress(): string | undefined {
    return (this.conn as Underneath).remoteAddress
  }

  get pendingBytes(): number {
    return this.socket.bufferedAmount
  }

  start(handler: TransportHandler): void {
    this.handler = handler
    // After ws had its turn with the chunk, so that a message which ended in it has started the count anew.
    this.conn.on('data', onEarlyData)
    this.socket.on('message', onMessage)
  }

  write(bytes: Buffer): void {
    if (this.ended || bytes.length === 0 || this.socket.readyState !== this.socket.OPEN) return
    this.written ??= () => this.flushed()
    this.socket.send(bytes, BINARY, this.written)
    this.draining = this.socket.bufferedAmount > 0
  }

  writeMany(parts: readonly Buffer[]): void {
    this.write(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  admit(): void {
    this.early = false
    this.conn.off('data', onEarlyData)
  }

  end(): void {
    this.close(1000)
  }

  destroy(error?: Error): void {
    this.ended = true
    this.error ??= error
    this.socket.terminate()
  }

  received(fragments: readonly Buffer[], isBinary: boolean): void {
    if (this.ended) return
    if (!isBinary) {
      // MQTT-6.0.0-1
      this.refuse(CLOSE_UNSUPPORTED_DATA, 'a text message came over WebSocket, MQTT takes binary ones only')
      return
    }
    if (this.early && sizeOf(fragments) > this.earlyBytesMax) {
      this.refuse(CLOSE_TOO_BIG, TOO_LARGE)
      return
    }
    this.gathered = Number.NaN
    for (const fragment of fragments) if (!this.ended) this.handler?.data(fragment)
  }

  arrived(bytes: number): void {
    this.gathered = Number.isNaN(this.gathered) ? 0 : this.gathered + bytes
    if (this.gathered <= this.earlyBytesMax + FRAME_HEADER_BYTES_MAX || this.ended) return
    this.refuse(CLOSE_TOO_BIG, TOO_LARGE)
    // ws would go on gathering it.
    this.socket.pause()
  }

  failed(error: Error): void {
    this.error ??= error
  }

  gone(): void {
    this.ended = true
    clearTimeout(this.grace)
    const handler = this.handler
    this.handler = undefined
    handler?.closed(this.error)
  }

  private refuse(code: number, text: string): void {
    this.error ??= new Error(text)
    this.close(code)
  }

  private close(code: number): void {
    if (this.ended) return
    this.ended = true
    this.socket.close(code)
    // The peer's close frame is only seen by a socket that is being read.
    this.socket.resume()
    this.grace = setTimeout(() => this.destroy(), END_GRACE_MS)
    this.grace.unref()
  }

  private flushed(): void {
    if (!this.draining || this.ended || this.socket.bufferedAmount > 0) return
    this.draining = false
    this.handler?.drained()
  }
}

function sizeOf(fragments: readonly Buffer[]): number {
  return fragments.reduce((bytes, { length }) => bytes + length, 0)
}
