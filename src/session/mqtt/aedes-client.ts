import { EventEmitter } from 'node:events'
import { toAedesPacket } from '../../broker/aedes-packet.ts'
import type { Broker, Done } from '../../broker/broker.ts'
import type { Message } from '../../message/message.ts'
import type { ProtocolVersion } from '../../wire/mqtt/packet.ts'
import * as face from './client-face.ts'
import type { Connection } from './connection.ts'
import type { Session } from './session.ts'

/** What aedes documents of a client, and what its plugins and its own suite look at; `Connection` is the one kind. */
export abstract class AedesClient extends EventEmitter {
  // null before CONNECT is accepted: `connectionError` and `clientError` are told apart by that.
  id: string = null as unknown as string
  version: ProtocolVersion = null as unknown as ProtocolVersion
  clean = true
  connecting = false
  connected = false
  session: Session | undefined

  abstract get broker(): Broker

  get will(): object | null {
    return face.willOf(this.itself)
  }

  get subscriptions(): Record<string, unknown> {
    return face.subscriptionsOf(this.itself)
  }

  /** aedes clears it for brokers of a cluster that start again. */
  get duplicates(): Record<string, unknown> {
    return Object.create(null)
  }

  // The name by which aedes' own suite looks at it.
  get _inboundInflight(): { readonly size: number } {
    return { size: this.session?.incomingCount ?? 0 }
  }

  publish(message: object, done: Done = () => {}): void {
    face.publish(this.itself, message as never, done)
  }

  subscribe(subscriptions: object, done: Done = () => {}): void {
    face.subscribe(this.itself, subscriptions as never, done)
  }

  unsubscribe(filters: object, done: Done = () => {}): void {
    face.unsubscribe(this.itself, filters as never, done)
  }

  /** Drops everything that waits to be sent to this client or to be acknowledged by it. */
  emptyOutgoingQueue(done: () => void = () => {}): void {
    this.session?.outgoing.clear()
    done()
  }

  /** Tells the `ack` event that a client has a message. */
  announceAck(message: Message, packetId: number, released: boolean): void {
    const { broker } = this
    if (broker.listenerCount('ack') === 0) return
    // aedes knows what was acknowledged only of sessions that it stores.
    if (this.session?.durable !== true) broker.emit('ack', undefined, this)
    else if (released) broker.emit('ack', { cmd: 'pubrel', messageId: packetId }, this)
    else {
      const packet: Record<string, unknown> = { ...toAedesPacket(message, broker, broker.clock.now()) }
      delete packet['clientId']
      broker.emit('ack', { ...packet, messageId: packetId }, this)
    }
  }

  private get itself(): Connection {
    return this as unknown as Connection
  }
}
