import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { Message } from '../message/message.ts'
import { KIND_WILL, kindKey, willKey } from '../store/keys.ts'
import { scanPrefix } from '../store/scan-prefix.ts'
import type { Store } from '../store/store.ts'
import type { ConnectionMemory } from './connection-memory.ts'
import { decodeWill, encodeWill, type Will } from './will-record.ts'

interface Pending {
  readonly will: Will
  /** Wall time at which it goes out; 0 while its client is connected. */
  dueAtMs: number
  timer: unknown
  sending: boolean
}

/** Publishes a will on behalf of the client, after asking for its permission; `done` when it is routed or refused. */
export type PublishWill = (clientId: string, message: Message, done: () => void) => void

/**
 * The wills of all clients, from CONNECT until they are published or deleted. They are stored with the time at which
 * they are due, so that a delay survives a restart and a crash of the broker counts as the end of the connection.
 */
export class Wills {
  private readonly store: Store
  private readonly clock: Clock
  private readonly log: Log
  private readonly memory: ConnectionMemory
  private readonly pending = new Map<string, Pending>()
  private publish: PublishWill = () => {}

  constructor(store: Store, clock: Clock, log: Log, memory: ConnectionMemory) {
    this.store = store
    this.clock = clock
    this.log = log
    this.memory = memory
  }

  get count(): number {
    return this.pending.size
  }

  /**
   * Reads the stored wills and goes on with their delays. A will whose client was connected belongs to a broker that
   * crashed: its delay begins now, and goes on from now should this one crash too.
   */
  async recover(publish: PublishWill): Promise<void> {
    this.publish = publish
    for await (const [, value] of scanPrefix(this.store, kindKey(KIND_WILL))) {
      const { clientId, will, dueAtMs } = decodeWill(value)
      const pending = this.keep(clientId, will, dueAtMs)
      if (dueAtMs === 0) {
        pending.dueAtMs = this.clock.now() + will.delaySeconds * 1000
        if (will.delaySeconds > 0) this.save(clientId, pending)
      }
      this.schedule(clientId, pending)
    }
    if (this.pending.size > 0) this.log.info({ wills: this.pending.size }, 'wills of clients that are gone are due')
  }

  clientIds(): Iterable<string> {
    return this.pending.keys()
  }

  get(clientId: string): Will | undefined {
    return this.pending.get(clientId)?.will
  }

  /** Whether there is memory for a will, which would replace the client's present one. */
  hasRoomFor(clientId: string, will: Will): boolean {
    const present = this.pending.get(clientId)?.will
    return this.memory.hasRoomFor(memoryOf(will) - (present === undefined ? 0 : memoryOf(present)))
  }

  /** A client connected with a will: it replaces any other of that client. */
  put(clientId: string, will: Will): void {
    this.forget(clientId)
    this.save(clientId, this.keep(clientId, will, 0))
  }

  /** DISCONNECT without will, or a session that is taken up again in time (MQTT-3.1.3-9). */
  delete(clientId: string): void {
    this.forget(clientId)
  }

  /** The connection ended; `sessionEndsInMs` is 0 when the session ends with it. */
  connectionLost(clientId: string, sessionEndsInMs: number): void {
    const pending = this.pending.get(clientId)
    if (pending === undefined) return
    const delayMs = Math.min(pending.will.delaySeconds * 1000, sessionEndsInMs)
    pending.dueAtMs = this.clock.now() + delayMs
    if (delayMs > 0) this.save(clientId, pending)
    this.schedule(clientId, pending)
  }

  /** The session ended: what is still delayed goes out now. */
  sessionEnded(clientId: string): void {
    const pending = this.pending.get(clientId)
    if (pending !== undefined && pending.dueAtMs !== 0) this.send(clientId, pending)
  }

  close(): void {
    for (const pending of this.pending.values()) this.clock.clear(pending.timer)
    this.pending.clear()
  }

  private schedule(clientId: string, pending: Pending): void {
    this.clock.clear(pending.timer)
    const delayMs = pending.dueAtMs - this.clock.now()
    if (delayMs <= 0) this.send(clientId, pending)
    else pending.timer = this.clock.after(delayMs, () => this.schedule(clientId, pending))
  }

  private send(clientId: string, pending: Pending): void {
    if (pending.sending) return
    pending.sending = true
    const { message, expirySeconds } = pending.will
    const { topic, payload, qos, retain, properties } = message
    const expiresAtMs = expirySeconds === undefined ? 0 : this.clock.now() + expirySeconds * 1000
    this.publish(clientId, new Message(topic, payload, qos, retain, properties, expiresAtMs, clientId), () => {
      // In the same batch as whatever publishing it stored: a crash leaves either the will or what it became.
      if (this.pending.get(clientId) === pending) this.forget(clientId)
    })
  }

  private keep(clientId: string, will: Will, dueAtMs: number): Pending {
    const pending: Pending = { will, dueAtMs, timer: undefined, sending: false }
    this.pending.set(clientId, pending)
    this.memory.change(0, memoryOf(will))
    return pending
  }

  private forget(clientId: string): void {
    const pending = this.pending.get(clientId)
    if (pending === undefined) return
    this.clock.clear(pending.timer)
    this.pending.delete(clientId)
    this.memory.change(memoryOf(pending.will), 0)
    this.store.commit.del(willKey(clientId))
  }

  private save(clientId: string, pending: Pending): void {
    this.store.commit.put(willKey(clientId), encodeWill(clientId, pending.will, pending.dueAtMs))
  }
}

// About what a will takes beside its bytes.
const WILL_BYTES = 400

function memoryOf({ message }: Will): number {
  return WILL_BYTES + message.topic.length + message.properties.length + message.payload.length
}
