import type { Duplex } from 'node:stream'
import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import { lasting } from '../../support/flow.ts'
import { packetSize, type ReceivedPacket, readPacket } from '../../support/wire-reader.ts'
import {
  ackPacket,
  type AckType,
  connectPacket,
  type ConnectOptions,
  disconnectPacket,
  publishPacket,
  subscribePacket,
  unsubscribePacket,
} from '../../support/wire-writer.ts'
import { DeviceSession, type Publish } from './device-session.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

const ANSWER_MS_MAX = 20_000

interface Request {
  readonly askedAtMs: number
  readonly resolve: (packet: ReceivedPacket) => void
  readonly reject: (error: Error) => void
}

export interface DeviceOptions {
  readonly version: ProtocolVersion
  /** Seconds for which the session outlives its connection; 0: not at all. */
  readonly expirySeconds: number
  readonly receiveMaximum?: number
}

/**
 * A client as the standard wants it: what it has to remember of its session outlives every connection, and after a
 * failure it goes on where it was (MQTT 5, section 4.4).
 */
export class Device {
  readonly name: string
  readonly version: ProtocolVersion
  readonly session: DeviceSession
  /** True: it is answered later, with `answerMessage`. */
  onMessage: (packet: ReceivedPacket) => boolean | void = () => {}
  sessionPresent = false
  /** How long an acknowledgement waits. */
  ackDelayMs: () => number = () => 0
  isConnected = false
  /** It has asked for what the broker closes a connection for. */
  mayBeClosed = false
  /** Place of the last CONNACK in the row of events. */
  connectedAt = 0
  private readonly stage: Stage
  private readonly options: DeviceOptions
  private stream: Duplex | undefined
  private rest: Buffer = Buffer.alloc(0)
  private readonly requests = new Map<string, Request>()
  private sessionIsKnown = false
  private acks: Promise<void> = Promise.resolve()
  private lastRequestId = 0
  private connecting: Promise<void> | undefined
  private reason = ''
  /** The broker that the connection is with. */
  private upSinceMs = 0

  constructor(stage: Stage, name: string, options: DeviceOptions) {
    this.stage = stage
    this.name = name
    this.version = options.version
    this.options = options
    this.session = new DeviceSession(stage.journal, name)
  }

  /** Connected, as soon as the broker lets it. */
  ensureConnected(): Promise<void> {
    this.connecting ??= this.tryToConnect().finally(() => {
      this.connecting = undefined
    })
    return this.connecting
  }

  private async tryToConnect(): Promise<void> {
    while (!this.isConnected) {
      await this.stage.up()
      try {
        await this.connect()
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        await pause(1)
      }
    }
  }

  async connect(more: ConnectOptions = {}): Promise<void> {
    const stream = await this.stage.open()
    this.stream = stream
    this.upSinceMs = this.stage.upSinceMs
    this.rest = Buffer.alloc(0)
    this.reason = ''
    stream.on('data', (chunk: Buffer) => this.stream === stream && this.read(chunk))
    const lost = (): void => this.lost(stream)
    stream.on('error', lost).on('end', lost).on('close', lost)
    const { version, expirySeconds, receiveMaximum } = this.options
    const given: ConnectOptions = {
      version,
      clientId: this.name,
      ...more,
      properties: { ...(receiveMaximum === undefined ? {} : { receiveMaximum }), ...more.properties },
    }
    this.stage.connected.add(this)
    this.stage.sessions.connecting(this.name)
    const answer = this.request('connack')
    stream.write(connectPacket(expirySeconds === 0 ? given : lasting(given, expirySeconds)))
    const { sessionPresent } = await answer
    this.sessionPresent = sessionPresent
  }

  /** `answered` gets the reason code of PUBACK or of the first PUBREC, over all connections that it takes. */
  publish(
    topic: string,
    payload: string,
    qos: number,
    retain: boolean,
    answered: (reasonCode: number) => void,
    more: Pick<Publish, 'properties' | 'repeated'> = {},
  ): void {
    const packetId = this.session.begin({ topic, payload, qos, retain, ...more }, answered)
    // Else it goes out behind CONNACK.
    if (this.isConnected) this.send(publishPacket(this.version, { topic, payload, qos, retain, packetId, ...more }))
  }

  /** Answers a message of QoS 1 that `onMessage` has kept for itself by answering true. */
  answerMessage(packetId: number, reasonCode?: number): void {
    this.send(ackPacket('puback', packetId, reasonCode))
  }

  /** As `publish`; resolves with the reason code, over all connections that it takes. */
  published(topic: string, payload: string, qos: number, retain = false): Promise<number> {
    return new Promise((resolve) => this.publish(topic, payload, qos, retain, resolve))
  }

  async subscribe(filters: string[], qos: number): Promise<void> {
    const packetId = this.nextRequestId()
    const answer = this.request(`suback ${packetId}`)
    const list = filters.map((filter) => ({ filter, qos }))
    this.note(filters, undefined)
    this.send(subscribePacket(this.version, packetId, list))
    const { reasonCodes } = await answer
    this.note(filters, true)
    if (reasonCodes.some((code) => code !== qos))
      this.stage.journal.violation(`${this.name}: SUBACK ${reasonCodes.join()}`)
  }

  async unsubscribe(...filters: string[]): Promise<void> {
    const packetId = this.nextRequestId()
    const answer = this.request(`unsuback ${packetId}`)
    this.note(filters, undefined)
    this.send(unsubscribePacket(this.version, packetId, filters))
    await answer
    this.note(filters, false)
  }

  /** What was asked `beforeMs` on this connection, and is not answered. */
  overdue(beforeMs: number): string[] {
    const { isConnected, name, requests, session } = this
    const asked = [...requests].filter(([, { askedAtMs }]) => askedAtMs < beforeMs).map(([key]) => key)
    const sent = isConnected ? [...session.open()].filter(({ sentAtMs }) => sentAtMs < beforeMs) : []
    return [...asked, ...sent.map(({ state, packetId }) => `${state} ${packetId}`)].map((what) => `${name}: ${what}`)
  }

  /** Breaks the connection without a word. */
  drop(): void {
    const { stream } = this
    this.leave()
    stream?.destroy()
  }

  /** Says DISCONNECT; resolves with true when the broker has closed the connection, and false when it failed. */
  disconnect(): Promise<boolean> {
    const { stream, stage } = this
    this.leave()
    if (stream === undefined) return Promise.resolve(false)
    return new Promise((resolve) => {
      stream.once('end', () => {
        stream.destroy()
        resolve(stage.isUp)
      })
      stream.once('close', () => resolve(false))
      stream.write(disconnectPacket())
    })
  }

  private leave(): void {
    this.stream = undefined
    this.isConnected = false
    this.stage.connected.delete(this)
    for (const { reject } of this.requests.values()) reject(new ConnectionLost())
    this.requests.clear()
  }

  private lost(stream: Duplex): void {
    stream.destroy()
    if (this.stream !== stream) return
    this.leave()
    const { isUp, journal, upSinceMs } = this.stage
    // A stage is told of a crash before its clients can see anything of it.
    if (!isUp || upSinceMs !== this.upSinceMs || this.mayBeClosed) return
    journal.violation(`the broker closed the connection of ${this.name}${this.reason}`)
  }

  private note(filters: readonly string[], isSubscribed: boolean | undefined): void {
    if (this.options.expirySeconds > 0) this.stage.sessions.change(this.name, filters, isSubscribed)
  }

  private send(bytes: Buffer): void {
    this.stream?.write(bytes)
  }

  private nextRequestId(): number {
    // Apart from those of messages.
    this.lastRequestId = (this.lastRequestId % 1000) + 1
    return 60_000 + this.lastRequestId
  }

  private request(key: string): Promise<ReceivedPacket> {
    return new Promise((resolve, reject) => {
      if (this.stream === undefined) {
        reject(new ConnectionLost())
        return
      }
      const timer = setTimeout(() => {
        this.stage.journal.violation(`${this.name} waited in vain for ${key}`)
        this.drop()
      }, ANSWER_MS_MAX)
      this.requests.set(key, {
        askedAtMs: performance.now(),
        resolve: (packet) => {
          clearTimeout(timer)
          resolve(packet)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
    })
  }

  private read(chunk: Buffer): void {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    let offset = 0
    for (let size = packetSize(bytes, 0); size > 0; size = packetSize(bytes, offset)) {
      this.take(readPacket(bytes.subarray(offset, offset + size), this.version))
      offset += size
      if (this.stream === undefined) return
    }
    this.rest = Buffer.from(bytes.subarray(offset))
  }

  private take(packet: ReceivedPacket): void {
    const { packetId, reasonCode } = packet
    switch (packet.type) {
      case 'connack':
        this.accepted(packet)
        return
      case 'publish':
        if (this.session.isNew(packet) && this.onMessage(packet) === true) return
        if (packet.qos > 0) this.acknowledge(packet.qos === 1 ? 'puback' : 'pubrec', packetId)
        return
      case 'pubrel':
        this.session.released(packetId)
        this.acknowledge('pubcomp', packetId)
        return
      case 'puback':
      case 'pubcomp':
        this.session.finished(packet.type, packetId, reasonCode)
        return
      case 'pubrec':
        if (this.session.received(packetId, reasonCode)) this.send(ackPacket('pubrel', packetId))
        return
      case 'disconnect':
        this.reason = ` with ${reasonCode}: ${packet.properties.reasonString}`
        return
      default:
        this.answer(`${packet.type} ${packetId}`, packet)
    }
  }

  private accepted(packet: ReceivedPacket): void {
    const { journal, isUp } = this.stage
    if (packet.reasonCode !== 0) {
      if (isUp) journal.violation(`${this.name} was refused with ${packet.reasonCode}`)
      this.drop()
      return
    }
    journal.counts.connections++
    this.isConnected = true
    this.connectedAt = journal.now()
    const { expirySeconds } = this.options
    if (expirySeconds === 0) this.stage.sessions.ended(this.name)
    else this.stage.sessions.connected(this.name, this.mustLast, packet.sessionPresent || this.version === 3)
    // 3.1 does not say it.
    if (!packet.sessionPresent && this.version > 3) {
      if (this.sessionIsKnown && this.mustLast) journal.violation(`the session of ${this.name} is lost`)
      this.session.forget()
    }
    this.sessionIsKnown = expirySeconds > 0
    for (const open of this.session.open()) {
      const { state, packetId, publish } = open
      open.sentAtMs = performance.now()
      if (state === 'released') this.send(ackPacket('pubrel', packetId))
      else {
        publish.repeated?.()
        this.send(publishPacket(this.version, { ...publish, packetId, dup: true }))
      }
    }
    this.answer('connack', packet)
  }

  private get mustLast(): boolean {
    return this.options.expirySeconds >= 600
  }

  private acknowledge(type: AckType, packetId: number): void {
    const { stream } = this
    const delayMs = this.ackDelayMs()
    // MQTT-4.6.0-2: in the order of what they acknowledge.
    this.acks = this.acks.then(async () => {
      if (delayMs > 0 && this.stream === stream) await pause(delayMs)
      if (this.stream === stream) this.send(ackPacket(type, packetId))
    })
  }

  private answer(key: string, packet: ReceivedPacket): void {
    const request = this.requests.get(key)
    this.requests.delete(key)
    request?.resolve(packet)
  }
}
