import type { Duplex } from 'node:stream'
import { packetSize, readPacket } from '../support/wire-reader.ts'
import type { ReceivedPacket } from '../support/wire-reader.ts'

/** One connection of a client that keeps what it receives until it is asked for; topic aliases are resolved. */
export class ModelClient {
  private readonly stream: Duplex
  private readonly farEnd: Duplex
  readonly version: 3 | 4 | 5
  isClosed = false
  private packets: ReceivedPacket[] = []
  private rest: Buffer = Buffer.alloc(0)
  private readonly aliases = new Map<number, string>()
  private readonly onActivity: () => void

  /** `farEnd` is the broker's. */
  constructor([stream, farEnd]: readonly [Duplex, Duplex], version: 3 | 4 | 5, onActivity: () => void) {
    this.stream = stream
    this.farEnd = farEnd
    this.version = version
    this.onActivity = onActivity
    const close = (): void => {
      this.isClosed = true
      onActivity()
    }
    stream.on('error', close).on('end', close).on('close', close)
    stream.on('data', (chunk: Buffer) => this.read(chunk))
  }

  send(...bytes: Buffer[]): void {
    if (!this.isClosed) this.stream.write(bytes.length === 1 ? bytes[0] : Buffer.concat(bytes))
  }

  /** Breaks the connection: a pair in memory does not tell the other end by itself. */
  drop(): void {
    this.isClosed = true
    this.stream.destroy()
    this.farEnd.destroy()
  }

  takeAll(): ReceivedPacket[] {
    const all = this.packets
    this.packets = []
    return all
  }

  private read(chunk: Buffer): void {
    this.onActivity()
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    let offset = 0
    for (let size = packetSize(bytes, 0); size > 0; size = packetSize(bytes, offset)) {
      this.packets.push(this.named(readPacket(bytes.subarray(offset, offset + size), this.version)))
      offset += size
    }
    this.rest = bytes.subarray(offset)
  }

  private named(packet: ReceivedPacket): ReceivedPacket {
    const { topicAlias, ...properties } = packet.properties
    if (topicAlias === undefined) return packet
    if (packet.topic !== '') this.aliases.set(topicAlias, packet.topic)
    return { ...packet, properties, topic: this.aliases.get(topicAlias) ?? `unknown alias ${topicAlias}` }
  }
}
