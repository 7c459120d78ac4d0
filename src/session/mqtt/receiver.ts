import type { TransportHandler } from '../../listener/transport.ts'
import { decode } from '../../wire/mqtt/decode.ts'
import {
  LENGTH_INCOMPLETE,
  LENGTH_MALFORMED,
  packedLength,
  packedWidth,
  readRemainingLength,
} from '../../wire/mqtt/frame.ts'
import { FrameCollector, packetTooLarge } from '../../wire/mqtt/frame-collector.ts'
import { PacketType } from '../../wire/mqtt/packet-type.ts'
import type { DecodeLimits } from '../../wire/mqtt/properties.ts'
import { malformed, ProtocolError, violation } from '../../wire/mqtt/protocol-error.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import { handleConnect } from './connect.ts'
import { ClientError } from './client-error.ts'
import type { Connection } from './connection.ts'
import { handlePacket } from './handle-packet.ts'
import { IncomingPublishes } from './incoming-publishes.ts'
import { PublishRate } from './publish-rate.ts'

const PUBACK_FIRST_BYTE = 0x40
// An acknowledgement that waits for the disk is small, but a client that never stops sending is not.
const REPLIES_MAX = 4096
// Packets cut by the chunks they came in are small and soon complete.
const GATHERED_ALWAYS_BYTES = 4096
// QoS and RETAIN in the first byte of PUBLISH: a message with neither is not stored by anyone.
const CHANGES_STATE = 0x07

/**
 * What comes in on one connection: cuts chunks into frames and hands them on one after the other. While a hook or too
 * many unsent replies hold it, the socket is not read, so that the client's own flow control holds it back.
 */
export class Receiver implements TransportHandler {
  private readonly connection: Connection
  private packetBytesMax: number
  private collector: FrameCollector | undefined
  private publishes: IncomingPublishes | undefined
  private rest: Buffer[] | undefined
  private holds = 0
  private heldForReplies = false
  private heldForOutbox = false
  /** What the collector holds, as the memory of all connections counts it. */
  private gatheredBytes = 0
  private heldForStore = false
  private ended = false
  private readonly rate: PublishRate | undefined
  private rateTimer: unknown

  constructor(connection: Connection) {
    this.connection = connection
    const { config, clock } = connection.context.broker
    this.packetBytesMax = config.limits.connectPacketBytesMax
    this.rate = PublishRate.of(config.limits, clock.now())
  }

  private get decodeLimits(): DecodeLimits {
    return this.connection.context.broker.config.limits
  }

  get isHeld(): boolean {
    return this.holds > 0
  }

  /** Nothing is read because the client does not take what it is sent. */
  get isHeldForOutbox(): boolean {
    return this.heldForOutbox
  }

  data(chunk: Buffer): void {
    const { broker, readingTurn } = this.connection.context
    const nowMs = broker.clock.now()
    this.connection.lastReceivedMs = nowMs
    broker.counters.bytesReceived += chunk.length
    if (this.holds > 0 || this.rest !== undefined) {
      this.rest ??= []
      this.rest.push(chunk)
    } else if (readingTurn.admits(nowMs)) this.read(chunk)
    else {
      this.rest = [chunk]
      this.hold()
      readingTurn.postpone(this)
    }
  }

  drained(): void {
    this.connection.drained()
  }

  closed(error: Error | undefined): void {
    const { broker, readingTurn } = this.connection.context
    if (readingTurn.admits(broker.clock.now())) this.lost(error)
    else readingTurn.postpone({ release: () => this.lost(error) })
  }

  private lost(error: Error | undefined): void {
    const { conn, protocol } = this.connection.transport
    // A stream that goes without an end was cut off; of a WebSocket the frames have told.
    const cutOff = protocol !== 'ws' && protocol !== 'wss' && !conn.readableEnded
    if (error !== undefined) this.connection.fail(error)
    else if (cutOff) this.connection.fail(new Error('connection closed'))
    else this.connection.finish(ReasonCode.UnspecifiedError, undefined, true)
  }

  /** CONNECT was accepted: from now on the larger limit counts. */
  accepted(): void {
    this.packetBytesMax = this.connection.context.broker.config.limits.packetBytesMax
    this.connection.transport.admit()
    if (this.collector !== undefined) this.collector.packetBytesMax = this.packetBytesMax
  }

  /** Reads no further packet until `release` was called as often. */
  hold(): void {
    if (this.holds++ === 0) this.connection.transport.pause()
  }

  release(): void {
    if (--this.holds > 0 || this.ended) return
    const { connection } = this
    connection.lastReceivedMs = connection.context.broker.clock.now()
    while (this.holds === 0 && !this.ended) {
      const chunk = this.rest?.shift()
      if (chunk === undefined) {
        this.rest = undefined
        connection.transport.resume()
        return
      }
      this.read(chunk)
    }
  }

  repliesReleased(): void {
    if (!this.heldForReplies || this.connection.replies.count > REPLIES_MAX / 2) return
    this.heldForReplies = false
    this.release()
  }

  /** The client takes what it is sent again. */
  outboxDrained(): void {
    if (!this.heldForOutbox) return
    this.heldForOutbox = false
    this.release()
  }

  close(): void {
    this.ended = true
    this.countGathered(0)
    this.connection.context.broker.clock.clear(this.rateTimer)
    this.rest = undefined
    this.collector = undefined
  }

  private read(chunk: Buffer): void {
    try {
      this.frames(chunk)
    } catch (error) {
      const { connection } = this
      if (!(error instanceof ProtocolError) && !(error instanceof ClientError)) {
        // Not the client's doing: a mistake in the broker, which must cost this one connection and be seen.
        connection.broker.log.error(connection.logFields({ err: error }), 'a packet met a fault in the broker')
      }
      connection.fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  private frames(buffer: Buffer): void {
    const end = buffer.length
    let at = this.collected(buffer)
    while (at < end && !this.ended) {
      if (this.holds > 0) {
        this.rest ??= []
        this.rest.unshift(buffer.subarray(at))
        return
      }
      const packed = readRemainingLength(buffer, at + 1, end)
      if (packed === LENGTH_MALFORMED) throw malformed('the remaining length is malformed') // MQTT-1.5.5-1
      if (packed === LENGTH_INCOMPLETE) break
      const bodyStart = at + 1 + packedWidth(packed)
      const frameEnd = bodyStart + packedLength(packed)
      if (frameEnd - at > this.packetBytesMax) throw packetTooLarge(frameEnd - at, this.packetBytesMax)
      if (frameEnd > end) break
      at = this.frame(buffer, at, bodyStart, frameEnd)
    }
    if (at < end && !this.ended) {
      const isFirst = this.connection.session === undefined && !this.connection.connecting
      // Nothing is gathered for what speaks another protocol: its bytes may announce a frame that never comes.
      if (isFirst && (buffer[at] as number) >> 4 !== PacketType.Connect) throw violation('Invalid protocol')
      this.collector ??= new FrameCollector(this.packetBytesMax)
      this.collector.push(buffer, at, end)
      this.countGathered(this.collector.allocatedBytes)
    }
  }

  /** Completes the frame that began in an earlier chunk; returns where the next one begins. */
  private collected(buffer: Buffer): number {
    const { collector } = this
    if (collector === undefined || collector.empty) return 0
    const at = collector.push(buffer, 0, buffer.length)
    if (!collector.complete) {
      this.countGathered(collector.allocatedBytes)
      return at
    }
    const { bodyStart } = collector
    const frame = collector.take()
    this.countGathered(0)
    this.frame(frame, 0, bodyStart, frame.length)
    return at
  }

  /** Packets of which a part has come may not fill memory together, however few bytes each of them still lacks. */
  private countGathered(bytes: number): void {
    const { connectionMemory } = this.connection.broker
    const growth = bytes - this.gatheredBytes
    if (bytes > GATHERED_ALWAYS_BYTES && !connectionMemory.hasRoomFor(growth)) {
      throw new ClientError(ReasonCode.QuotaExceeded, 'there is no memory for the rest of a packet')
    }
    connectionMemory.change(this.gatheredBytes, bytes)
    this.gatheredBytes = bytes
  }

  /** Handles the frame at `at` and returns where the next one begins: a run of PUBLISH is handled in one go. */
  private frame(buffer: Buffer, at: number, bodyStart: number, frameEnd: number): number {
    const { connection } = this
    const { counters } = connection.context.broker
    const first = buffer[at] as number
    counters.packetsReceived++
    if (connection.session !== undefined) {
      if (first >> 4 === PacketType.Publish) {
        this.publishes ??= new IncomingPublishes(connection)
        const before = counters.publishReceived
        const next = this.publishes.receive(buffer, at, bodyStart, frameEnd)
        if (this.rate !== undefined) this.slowDown(this.rate, counters.publishReceived - before, next - at)
        this.holdBack((first & CHANGES_STATE) !== 0)
        return next
      }
      if (first === PUBACK_FIRST_BYTE && frameEnd - bodyStart === 2) {
        const packetId = ((buffer[bodyStart] as number) << 8) | (buffer[bodyStart + 1] as number)
        if (packetId !== 0) {
          connection.session.acknowledge(packetId, 0)
          return frameEnd
        }
      }
      if (first >> 4 === PacketType.Connect) throw outOfPlace(buffer, at, bodyStart, frameEnd)
      handlePacket(
        connection,
        decode(buffer, at, bodyStart, frameEnd, connection.wireVersion, 'client', this.decodeLimits),
      )
      this.holdBack(first >> 4 !== PacketType.Pingreq)
      return frameEnd
    }
    this.beforeSession(buffer, at, bodyStart, frameEnd)
    return frameEnd
  }

  private slowDown(rate: PublishRate, messages: number, bytes: number): void {
    const { clock } = this.connection.context.broker
    const waitMs = rate.take(messages, bytes, clock.now())
    if (waitMs === 0 || this.ended) return
    this.hold()
    this.rateTimer = clock.after(waitMs, () => this.release())
  }

  /** `changesState`: the packet may have left something to be written. */
  private holdBack(changesState: boolean): void {
    if (this.ended) return
    if (this.connection.replies.count > REPLIES_MAX && !this.heldForReplies) {
      this.heldForReplies = true
      this.hold()
    }
    // Whoever only asks and never reads the answers would fill memory with them.
    if (this.connection.outbox.isFull && !this.heldForOutbox) {
      this.heldForOutbox = true
      this.hold()
    }
    const { commit } = this.connection.broker.store
    if (!changesState || this.heldForStore || !commit.congested) return
    this.heldForStore = true
    this.hold()
    commit.wait({
      committed: () => {
        this.heldForStore = false
        this.release()
      },
    })
  }

  /** CONNECT comes first (MQTT-3.1.0-1), and only AUTH may come before its answer (MQTT-4.12.0-1). */
  private beforeSession(buffer: Buffer, at: number, bodyStart: number, frameEnd: number): void {
    const { connection } = this
    const type = (buffer[at] as number) >> 4
    if (!connection.connecting) {
      if (type !== PacketType.Connect) throw outOfPlace(buffer, at, bodyStart, frameEnd)
      const packet = decode(buffer, at, bodyStart, frameEnd, 0, 'client', this.decodeLimits)
      if (packet.type === 'connect') handleConnect(connection, packet)
      return
    }
    if (type === PacketType.Connect) throw outOfPlace(buffer, at, bodyStart, frameEnd)
    if (type !== PacketType.Auth && type !== PacketType.Disconnect) {
      throw violation('a packet before the answer to CONNECT')
    }
    handlePacket(
      connection,
      decode(buffer, at, bodyStart, frameEnd, connection.wireVersion, 'client', this.decodeLimits),
    )
  }
}

/** A first packet that is no CONNECT (MQTT-3.1.0-1), or a CONNECT that is not the first (MQTT-3.1.0-2). */
function outOfPlace(buffer: Buffer, at: number, bodyStart: number, frameEnd: number): ProtocolError {
  const type = (buffer[at] as number) >> 4
  const error = violation('Invalid protocol')
  const info = decode(buffer, at, bodyStart, frameEnd, type === PacketType.Connect ? 0 : 4)
  return Object.assign(error, { info })
}
