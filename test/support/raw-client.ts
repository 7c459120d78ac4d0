import type { Duplex } from 'node:stream'
import { expect } from 'vitest'
import type { ProtocolVersion, Properties } from '../../src/wire/mqtt/packet.ts'
import { isReferencePeer } from './peer.ts'
import {
  ackPacket,
  connectPacket,
  disconnectPacket,
  PINGREQ,
  publishPacket,
  subscribePacket,
  unsubscribePacket,
} from './wire-writer.ts'
import type { AckType, ConnectOptions, FilterOptions, PublishOptions } from './wire-writer.ts'
import { packetSize, readPacket } from './wire-reader.ts'
import type { PacketType, ReceivedPacket } from './wire-reader.ts'

// The reference broker looks at its timers once a second or less often.
const WAIT_MS = isReferencePeer ? 7_000 : 3_000

export type Expected = { [Key in keyof ReceivedPacket]?: ReceivedPacket[Key] | object }

/** A client that does just what a test tells it: nothing is acknowledged, answered or repeated by itself. */
export class RawClient {
  readonly stream: Duplex
  readonly version: ProtocolVersion
  /** Packets that no test line has taken yet, in the order of arrival. */
  readonly received: ReceivedPacket[] = []
  isClosed = false
  private rest: Buffer = Buffer.alloc(0)
  private fault: Error | undefined
  private wake: (() => void) | undefined
  private lastPacketId = 0

  constructor(stream: Duplex, version: ProtocolVersion) {
    this.stream = stream
    this.version = version
    const close = (): void => {
      this.isClosed = true
      this.wake?.()
    }
    // A reset is a close too: the broker may close while bytes are still on their way to it.
    stream.on('error', close).on('end', close).on('close', close)
    stream.on('data', (chunk: Buffer) => this.read(chunk))
  }

  send(...bytes: Buffer[]): this {
    this.stream.write(bytes.length === 1 ? bytes[0] : Buffer.concat(bytes))
    return this
  }

  sendConnect(options: ConnectOptions = {}): this {
    return this.send(connectPacket({ version: this.version, ...options }))
  }

  sendPublish(options: PublishOptions): this {
    return this.send(publishPacket(this.version, options))
  }

  sendAck(type: AckType, packetId: number, reasonCode?: number, properties?: Properties): this {
    return this.send(ackPacket(type, packetId, reasonCode, properties))
  }

  /** A packet identifier that this client has not used for a while. */
  nextPacketId(): number {
    this.lastPacketId = (this.lastPacketId % 0xffff) + 1
    return this.lastPacketId
  }

  /** Sends SUBSCRIBE and returns the reason codes of its SUBACK; messages that arrive meanwhile stay in order. */
  async subscribe(
    filters: string | FilterOptions | (string | FilterOptions)[],
    qos = 0,
    properties: Properties = {},
  ): Promise<number[]> {
    const list = [filters].flat().map((filter) => (typeof filter === 'string' ? { filter, qos } : { qos, ...filter }))
    const packetId = this.nextPacketId()
    this.send(subscribePacket(this.version, packetId, list, properties))
    return (await this.take('suback', { packetId })).reasonCodes
  }

  async unsubscribe(...filters: string[]): Promise<number[]> {
    const packetId = this.nextPacketId()
    this.send(unsubscribePacket(this.version, packetId, filters))
    return (await this.take('unsuback', { packetId })).reasonCodes
  }

  /** Publishes and completes the handshake of the QoS; returns PUBACK, PUBREC or (QoS 0) the answer to a ping. */
  async publish(topic: string, payload: string | Buffer = '', options: PublishOptions = {}): Promise<ReceivedPacket> {
    const packetId = options.packetId ?? this.nextPacketId()
    this.sendPublish({ topic, payload, packetId, ...options })
    if (options.qos === 1) return this.take('puback', { packetId })
    if (options.qos !== 2) return this.send(PINGREQ).take('pingresp')
    const received = await this.take('pubrec', { packetId })
    if (received.reasonCode >= 0x80) return received
    this.sendAck('pubrel', packetId)
    await this.take('pubcomp', { packetId })
    return received
  }

  /** The next packet must be of this type and have these fields. */
  async expect(type: PacketType, fields: Expected = {}): Promise<ReceivedPacket> {
    await this.until(() => this.received.length > 0, type)
    const packet = this.received.shift()
    expect(packet).toMatchObject({ type, ...fields })
    return packet as ReceivedPacket
  }

  /** The first packet of this type, wherever it stands; it must have these fields. */
  async take(type: PacketType, fields: Expected = {}): Promise<ReceivedPacket> {
    const index = (): number => this.received.findIndex((packet) => packet.type === type)
    await this.until(() => index() >= 0, type)
    const [packet] = this.received.splice(index(), 1)
    expect(packet).toMatchObject({ type, ...fields })
    return packet as ReceivedPacket
  }

  /** The next packet must be this PUBLISH; acknowledges it to the end of its handshake. */
  async receive(fields: Expected = {}): Promise<ReceivedPacket> {
    const packet = await this.expect('publish', fields)
    await this.acknowledge(packet)
    return packet
  }

  async acknowledge({ qos, packetId }: ReceivedPacket): Promise<void> {
    if (qos === 1) this.sendAck('puback', packetId)
    if (qos !== 2) return
    this.sendAck('pubrec', packetId)
    await this.take('pubrel', { packetId })
    this.sendAck('pubcomp', packetId)
  }

  /** Receives and acknowledges `count` messages; returns them in order. */
  async receiveMany(count: number): Promise<ReceivedPacket[]> {
    const packets: ReceivedPacket[] = []
    while (packets.length < count) packets.push(await this.receive())
    return packets
  }

  /** Everything the broker did for this client before now has been read: nothing is there but the PINGRESP. */
  async expectNothing(): Promise<void> {
    this.send(PINGREQ)
    await this.expect('pingresp')
  }

  /** The broker ends the connection: version 5 with DISCONNECT and this reason, the others without a word. */
  async expectDisconnected(reasonCode: number): Promise<void> {
    // DISCONNECT is a MAY in most places of the standard, and the reference leaves it out in some.
    if (this.version === 5 && !isReferencePeer) await this.expect('disconnect', { reasonCode })
    await this.end()
    const rest = this.received.filter((packet) => !(isReferencePeer && packet.type === 'disconnect'))
    expect(rest).toEqual([])
  }

  /** The broker ends the connection and says nothing before. */
  async expectClosed(): Promise<void> {
    await this.end()
    expect(this.received).toEqual([])
  }

  /** Waits until the broker has ended the connection, whatever it says before. */
  async end(): Promise<void> {
    await this.until(() => this.isClosed, 'the end of the connection', true)
    expect(this.isClosed).toBe(true)
  }

  /** Says DISCONNECT and waits until the broker has closed. */
  async disconnect(reasonCode?: number, properties?: Properties): Promise<void> {
    this.send(disconnectPacket(reasonCode, properties))
    await this.end()
  }

  /** Breaks the connection without DISCONNECT. */
  drop(): void {
    this.stream.destroy()
  }

  /** Ends the sending side only. */
  halfClose(): void {
    this.stream.end()
  }

  stopReading(): void {
    this.stream.pause()
  }

  goOnReading(): void {
    this.stream.resume()
  }

  private read(chunk: Buffer): void {
    try {
      const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
      let offset = 0
      for (let size = packetSize(bytes, 0); size > 0; size = packetSize(bytes, offset)) {
        this.received.push(readPacket(bytes.subarray(offset, offset + size), this.version))
        offset += size
      }
      this.rest = bytes.subarray(offset)
    } catch (error) {
      this.fault ??= error as Error
    }
    this.wake?.()
  }

  private async until(holds: () => boolean, what: string, closeIsFine = false): Promise<void> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.wake?.()
    }, WAIT_MS)
    try {
      while (!holds()) {
        if (this.fault) throw this.fault
        const seen = this.received.map((packet) => packet.type).join(', ') || 'nothing'
        if (late) throw new Error(`waited ${WAIT_MS} ms for ${what}; not taken so far: ${seen}`)
        if (this.isClosed && !closeIsFine) {
          throw new Error(`waited for ${what}, but the broker ended the connection; not taken so far: ${seen}`)
        }
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }
}
