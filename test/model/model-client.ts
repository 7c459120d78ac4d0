import type { Duplex } from 'node:stream'
import { packetSize, readPacket } from '../support/wire-reader.ts'
import type { ReceivedPacket } from '../support/wire-reader.ts'
import type { Action } from './action.ts'
import type { Publication } from './reference-broker.ts'

export type ClientLimits = Pick<Action & { do: 'connect' }, 'version' | 'aliases' | 'packetBytesMax'>

/** One connection of a client that keeps what it receives until it is asked for; topic aliases are resolved. */
export class ModelClient {
  private readonly stream: Duplex
  private readonly farEnd: Duplex
  readonly version: 3 | 4 | 5
  isClosed = false
  private packets: ReceivedPacket[] = []
  private rest: Buffer = Buffer.alloc(0)
  private readonly limits: ClientLimits
  private readonly aliases = new Map<number, string>()
  private readonly ownAliases = new Map<number, string>()
  private readonly onActivity: () => void

  /** `farEnd` is the broker's. */
  constructor([stream, farEnd]: readonly [Duplex, Duplex], limits: ClientLimits, onActivity: () => void) {
    this.stream = stream
    this.farEnd = farEnd
    this.version = limits.version
    this.limits = limits
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

  /** A PUBLISH with an alias, and without the topic where the alias stands for it already. */
  withAlias(alias: number, publication: Publication): Publication {
    const isKnown = this.ownAliases.get(alias) === publication.topic
    this.ownAliases.set(alias, publication.topic)
    const properties = { ...publication.properties, topicAlias: alias }
    return { ...publication, topic: isKnown ? '' : publication.topic, properties }
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
      this.packets.push(this.checked(readPacket(bytes.subarray(offset, offset + size), this.version)))
      offset += size
    }
    this.rest = bytes.subarray(offset)
  }

  /** What a client has to refuse becomes a packet that nobody expects. */
  private checked(packet: ReceivedPacket): ReceivedPacket {
    const { version, packetBytesMax } = this.limits
    if (version === 5 && packetBytesMax > 0 && packet.size > packetBytesMax)
      return { ...packet, topic: `${packet.size} bytes` }
    const { topicAlias, ...properties } = packet.properties
    if (topicAlias === undefined) return packet
    if (topicAlias === 0 || topicAlias > this.limits.aliases) return { ...packet, topic: `alias ${topicAlias}` }
    if (packet.topic !== '') this.aliases.set(topicAlias, packet.topic)
    return { ...packet, properties, topic: this.aliases.get(topicAlias) ?? `unknown alias ${topicAlias}` }
  }
}
