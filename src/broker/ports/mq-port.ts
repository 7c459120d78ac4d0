import type { Message } from '../../message/message.ts'
import type { Delivery } from '../../router/destination.ts'
import type { Router } from '../../router/router.ts'
import { fromAedesPacket, type LoosePacket, toAedesPacket } from '../aedes-packet.ts'
import { emptyLevelsAgree, filterIn, type MqDialect, topicIn } from './mq-dialect.ts'
import { type ListenerHost, MqListener, type Notified, type Notify } from './mq-listener.ts'

/** Numbers packets as aedes does: `brokerId` and `brokerCounter`. */
export interface MqNumbering {
  readonly id: string
  counter: number
}

const ignore = (): void => {}

/**
 * Sluice's router with the face of mqemitter, for `Aedes.mq`, `broker.subscribe` and plugins.
 *
 * A listener is one more destination of the router, so it gets each message in the order of publishing. As for any
 * subscription, filters that begin with a wildcard do not match `$SYS/…` (MQTT-4.7.2-1). `emit` reaches listeners and
 * sessions alike, past retained messages and hooks.
 */
export class MqPort implements ListenerHost {
  closed = false
  /** Packets whose listeners have not all called back. */
  current = 0
  /** Told of exceptions in listeners, which must not reach whoever published. Default: a warning of the process. */
  onListenerError: (error: unknown, filter: string) => void = warn
  private readonly router: Router
  private readonly dialect: MqDialect
  private readonly listeners = new Map<string, MqListener[]>()
  private numbering: MqNumbering = { id: '', counter: 0 }
  private lastMessage: Message | undefined
  private lastPacket: object = {}

  constructor(router: Router, dialect: MqDialect = {}) {
    this.router = router
    this.dialect = dialect
  }

  /** Whose numbers the packets bear. */
  useNumbering(numbering: MqNumbering): void {
    this.numbering = numbering
  }

  /** mqemitter has it; no packet ever waits for a free slot here. */
  get length(): number {
    return 0
  }

  /** `done` is called in a later turn. The same function may listen several times. */
  on(topic: string, notify: Notify, done?: () => void): this {
    const filter = filterIn(this.dialect, topic)
    const listener = new MqListener(this, filter, notify)
    const present = this.listeners.get(filter)
    if (present === undefined) this.listeners.set(filter, [listener])
    else present.push(listener)
    this.router.subscribe(filter, listener, {
      filter,
      qos: 2,
      noLocal: false,
      retainAsPublished: true,
      identifier: 0,
    })
    if (done !== undefined) setImmediate(done)
    return this
  }

  removeListener(topic: string, notify: Notify, done?: () => void): this {
    const filter = filterIn(this.dialect, topic)
    const present = this.listeners.get(filter)
    const place = present?.findIndex((listener) => listener.notify === notify) ?? -1
    if (present !== undefined && place >= 0) {
      for (const removed of present.splice(place, 1)) this.router.unsubscribe(filter, removed)
      if (present.length === 0) this.listeners.delete(filter)
    }
    if (done !== undefined) setImmediate(done)
    return this
  }

  removeAllListeners(topic: string, done?: () => void): this {
    const filter = filterIn(this.dialect, topic)
    for (const listener of this.listeners.get(filter) ?? []) this.router.unsubscribe(filter, listener)
    this.listeners.delete(filter)
    if (done !== undefined) setImmediate(done)
    return this
  }

  /**
   * Hands a packet to whoever subscribed to its topic. `done` is called when each listener has called back, with the
   * first error; or with an error when the port is closed or the packet is none.
   */
  emit(packet: LoosePacket, done: Notified = ignore): this {
    if (this.closed) {
      done(new Error('mqemitter is closed'))
      return this
    }
    const topic = topicIn(this.dialect, packet.topic)
    const { deliveries } = this.router.route(topic)
    this.current++
    let waiting = 1
    let failure: Error | null = null
    const finished = (error?: Error | null): void => {
      failure ??= error ?? null
      if (--waiting > 0) return
      this.current--
      if (failure === null) done()
      else done(failure)
    }
    let message: Message | undefined
    for (const delivery of deliveries) {
      const { destination } = delivery
      if (destination instanceof MqListener) {
        if (!emptyLevelsAgree(this.dialect, destination.filter, topic)) continue
        waiting++
        this.notify(destination, packet, finished)
      } else {
        try {
          message ??= fromAedesPacket(packet, packet.clientId ?? '', Date.now())
          destination.offer(message, delivery satisfies Delivery)
        } catch (error) {
          failure ??= error instanceof Error ? error : new Error(String(error))
        }
      }
    }
    finished(message !== undefined && message.refusal !== 0 ? new Error('a destination refused the message') : null)
    return this
  }

  close(done: () => void = ignore): this {
    this.closed = true
    setImmediate(done)
    return this
  }

  packetOf(message: Message): object {
    if (message !== this.lastMessage) {
      this.lastPacket = toAedesPacket(message, this.numbering)
      this.lastMessage = message
    }
    return this.lastPacket
  }

  listenerFailed(error: unknown, filter: string): void {
    this.onListenerError(error, filter)
  }

  private notify(listener: MqListener, packet: object, done: Notified): void {
    let returned = false
    try {
      listener.call(packet, (error) => {
        returned = true
        done(error)
      })
    } catch (error) {
      this.listenerFailed(error, listener.filter)
      if (!returned) done(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}
