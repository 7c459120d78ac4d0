import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { BrokerClient } from '../../broker/broker.ts'
import { callHook, HookFailure } from '../../broker/hooks.ts'
import type { Transport } from '../../listener/transport.ts'
import { unsentBytes } from '../../listener/unsent-bytes.ts'
import { EMPTY } from '../../message/message.ts'
import { encodeWithin } from '../../wire/mqtt/fit-properties.ts'
import type { Packet, Properties, ProtocolVersion } from '../../wire/mqtt/packet.ts'
import { ProtocolError } from '../../wire/mqtt/protocol-error.ts'
import { ReasonCode, reasonName } from '../../wire/mqtt/reason-codes.ts'
import { refuseBrokenConnect } from './connack.ts'
import type { MqttContext } from './context.ts'
import type { Authentication } from './enhanced-authentication.ts'
import { AedesClient } from './aedes-client.ts'
import { ClientError } from './client-error.ts'
import { Outbox } from './outbox.ts'
import { Receiver } from './receiver.ts'
import { Replays } from './replays.ts'
import { Replies } from './replies.ts'
import type { OutgoingAliases } from './topic-aliases.ts'

/**
 * One network connection of an MQTT client: what aedes calls a client. It begins before CONNECT and ends once, in
 * `finish`, whoever closes it.
 */
export class Connection extends AedesClient implements BrokerClient {
  readonly context: MqttContext
  readonly transport: Transport
  readonly conn: Duplex
  declare readonly req: IncomingMessage
  readonly connDetails: unknown
  readonly outbox: Outbox
  readonly replies: Replies
  readonly replays = new Replays(this)
  readonly receiver: Receiver

  closed = false
  connackSent = false
  errored = false

  /** Of CONNECT, accepted or not; 4 before that, since 3.1.1 is what answers can be read by everyone. */
  wireVersion: ProtocolVersion = 4
  version5 = false
  /** mosquitto's bridges set a bit of the protocol level: their own messages do not come back to them. */
  bridge = false
  /** Maximum Packet Size of the client. */
  packetBytesMax = Number.POSITIVE_INFINITY
  aliases: OutgoingAliases | undefined
  /** Request Problem Information (MQTT-3.1.2-29). */
  wantsProblems = true
  authentication: Authentication | undefined
  keepAliveMs = 0
  /** When something came last, or when reading went on after it was held. */
  lastReceivedMs: number
  /** At the latest look at the keep alive. */
  private unsentBytes = 0
  private timer: unknown
  private drainTimer: unknown
  private warned: Set<string> | undefined
  private registered = false
  private willIsOff = false

  constructor(context: MqttContext, transport: Transport, request: IncomingMessage | undefined) {
    super()
    this.context = context
    this.transport = transport
    this.conn = transport.conn
    if (request !== undefined) this.req = request
    this.connDetails = (request as { connDetails?: unknown } | undefined)?.connDetails ?? null
    ;(this.conn as { client?: unknown }).client = this
    const { broker } = context
    const { outboxBytesMax } = broker.config.limits
    this.outbox = new Outbox(context.flusher, transport, outboxBytesMax, this, broker.connectionMemory)
    this.replies = new Replies(broker.store.commit, this.outbox, broker.counters, () => this.receiver.repliesReleased())
    this.receiver = new Receiver(this)
    this.lastReceivedMs = broker.clock.now()
    broker.counters.connectionsOpened++
    this.timer = broker.clock.after(broker.connectTimeout, () => {
      this.fail(new Error('connect did not arrive in time'))
    })
    transport.start(this.receiver)
  }

  get broker(): MqttContext['broker'] {
    return this.context.broker
  }

  /** The packet's bytes, within the client's Maximum Packet Size; empty when no form of it fits. */
  encode(packet: Packet): Buffer {
    return encodeWithin(packet, this.wireVersion, this.packetBytesMax) ?? EMPTY
  }

  /** Encodes and appends a packet that waits for nothing. */
  send(packet: Packet): void {
    const bytes = this.encode(packet)
    if (bytes.length === 0) return
    this.broker.counters.packetsSent++
    this.outbox.append(bytes, 0, bytes.length)
  }

  /** What the client is told about a fault besides the reason code, where it wants to know. */
  problem(reasonString: string): Properties {
    return this.version5 && this.wantsProblems ? { reasonString } : {}
  }

  /** The client has as long to prove itself as it had for CONNECT. */
  startAuthenticationTimer(): void {
    const { clock, connectTimeout } = this.broker
    this.stopTimer()
    this.timer = clock.after(connectTimeout, () => {
      this.fail(new ClientError(ReasonCode.NotAuthorized, 'authentication did not finish in time'))
    })
  }

  /** CONNECT is being handled: its timer becomes that of the keep alive. */
  startKeepAlive(seconds: number): void {
    this.stopTimer()
    if (seconds === 0) return
    this.keepAliveMs = seconds * 1500 // MQTT-3.1.2-22
    this.checkKeepAlive()
  }

  /** Bytes stay behind because the socket takes none. */
  blocked(): void {
    const { clock, drainTimeoutMs } = this.broker
    if (drainTimeoutMs === 0 || this.drainTimer !== undefined) return
    this.drainTimer = clock.after(drainTimeoutMs, () => this.fail(new Error('drain timeout')))
  }

  /** The socket took everything. */
  drained(): void {
    this.broker.clock.clear(this.drainTimer)
    this.drainTimer = undefined
    this.outbox.drained()
    this.receiver.outboxDrained()
    this.session?.drained()
  }

  stopTimer(): void {
    this.broker.clock.clear(this.timer)
    this.timer = undefined
  }

  /** The session is attached and CONNACK is out. */
  register(): void {
    this.registered = true
    this.broker.registerClient(this)
  }

  /** DISCONNECT without will: the will is deleted and not published (MQTT-3.1.2-10). */
  dropWill(): void {
    this.willIsOff = true
  }

  /**
   * The peer broke the protocol, or something of it cannot go on: told to the log, the counters, aedes' events and,
   * where its version can say so, the client.
   */
  fail(error: Error): void {
    if (this.closed || this.errored) return
    this.errored = true
    if (this.session === undefined && error instanceof ProtocolError && refuseBrokenConnect(this, error)) {
      // Whoever waits for the refusal finds the events still to come, as in aedes.
      this.outbox.flush()
      this.receiver.hold()
      setImmediate(() => this.failNow(error))
      return
    }
    this.failNow(error)
  }

  private failNow(error: Error): void {
    if (this.closed) return
    const { broker } = this
    const reasonCode = reasonCodeOf(error)
    if (error instanceof ProtocolError) {
      broker.counters.protocolErrors++
      broker.log.warn(this.logFields({ reason: error.describe() }), 'closed a connection that broke the protocol')
    } else if (broker.log.isLevelEnabled('info')) {
      broker.log.info(this.logFields({ reason: error.message }), 'connection failed')
    }
    this.disconnect(reasonCode, error.message, () => {
      if (this.listenerCount('error') > 0) super.emit('error', error)
      broker.emit(this.id ? 'clientError' : 'connectionError', this, error)
    })
  }

  /**
   * Closes from the broker's side: DISCONNECT with the reason to a connected client of version 5. `announce` runs when
   * the stream is closed and the session not yet left.
   */
  disconnect(reasonCode: number, reasonString: string, announce?: () => void): void {
    if (this.closed) return
    if (this.version5 && this.connackSent) {
      this.send({ type: 'disconnect', reasonCode, properties: this.problem(reasonString) })
    }
    this.finish(reasonCode, announce)
  }

  /** The one end of a connection. The rest of what it was to send still goes out. */
  finish(reasonCode: number, announce?: () => void, hasEnded = false): void {
    if (this.closed) return
    this.closed = true
    this.stopTimer()
    this.broker.clock.clear(this.drainTimer)
    this.receiver.close()
    this.replies.close()
    this.replays.close()
    const peerIsGone = hasEnded || this.conn.destroyed
    const neverFlushed = peerIsGone ? this.outbox.nextFlush : NONE_NEVER_FLUSHED
    if (!peerIsGone) this.outbox.flush()
    this.outbox.close()
    this.transport.end()
    announce?.()
    const { session, broker } = this
    if (session?.connection === this) this.context.sessions.disconnected(session, !this.willIsOff, neverFlushed)
    this.connected = false
    this.connecting = false
    if (this.registered) {
      if (broker.log.isLevelEnabled('info')) {
        broker.log.info(
          this.logFields({ reason: reasonCode === 0 ? 'the client disconnected' : reasonName(reasonCode) }),
          'client disconnected',
        )
      }
      broker.unregisterClient(this)
    }
  }

  close(done?: () => void): void {
    this.disconnect(ReasonCode.AdministrativeAction, 'closed by the broker')
    done?.()
  }

  shutDown(): void {
    this.disconnect(ReasonCode.ServerShuttingDown, 'the broker is shutting down')
  }

  /** Another connection uses the client identifier (MQTT-3.1.4-3). */
  takeOver(): void {
    this.disconnect(ReasonCode.SessionTakenOver, 'another connection uses this client identifier')
  }

  /**
   * Asks a hook and goes on with its answer. Until it answers, nothing more of this client is read; others are not
   * concerned. Once the connection is closed `tooLate` is called instead of `next`.
   */
  ask<T>(
    name: string,
    hook: (callback: (error?: Error | null, value?: T) => void) => void,
    next: (error: Error | null, value: T | undefined) => void,
    tooLate: () => void = () => {},
  ): void {
    const { broker } = this
    let held = false
    const answeredAtOnce = callHook<T>(broker.clock, broker.config.limits.hookTimeoutMs, name, hook, (error, value) => {
      if (error instanceof HookFailure) {
        broker.counters.hookFailures++
        broker.log.error(this.logFields({ err: error.cause }), `${error.message}: ${error.reason}`)
      }
      if (this.closed) tooLate()
      else next(error, value)
      if (held) this.receiver.release()
    })
    if (answeredAtOnce) return
    held = true
    this.receiver.hold()
  }

  /** Counts QoS 0 messages that a slow client did not get. */
  dropped(count: number): void {
    this.broker.counters.publishDropped += count
    this.warnOnce('outbox full')
  }

  /** One line for each kind of trouble of a connection, not one for each message. */
  warnOnce(what: string): void {
    this.warned ??= new Set()
    if (this.warned.has(what)) return
    this.warned.add(what)
    this.broker.log.warn(this.logFields({}), `${what}: messages for a slow client are dropped`)
  }

  logFields(fields: object): object {
    return { clientId: this.id ?? undefined, address: this.transport.remoteAddress, ...fields }
  }

  // An error given to a client closes it, as in aedes, whether or not anybody listens.
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event !== 'error') return super.emit(event, ...values)
    const error = values[0]
    this.fail(error instanceof Error ? error : new Error(String(error)))
    return true
  }

  private checkKeepAlive(): void {
    const { clock } = this.broker
    const unsentBefore = this.unsentBytes
    this.unsentBytes = unsentBytes(this.conn)
    // While it is not read, its packets wait with us and not with it. But if that is because it does not take what it
    // is sent, it has to take some of it.
    const isStuck = this.receiver.isHeldForOutbox && this.unsentBytes === unsentBefore
    const leftMs = this.lastReceivedMs + this.keepAliveMs - clock.now()
    const again = this.receiver.isHeld && !isStuck ? this.keepAliveMs : leftMs
    if (again > 0) {
      this.timer = clock.after(again, () => this.checkKeepAlive())
      return
    }
    this.broker.counters.keepAliveTimeouts++
    this.broker.emit('keepaliveTimeout', this)
    this.fail(new ClientError(ReasonCode.KeepAliveTimeout, 'keep alive timeout'))
  }
}

const NONE_NEVER_FLUSHED = -2

function reasonCodeOf(error: Error): number {
  return error instanceof ProtocolError || error instanceof ClientError ? error.reasonCode : ReasonCode.UnspecifiedError
}
