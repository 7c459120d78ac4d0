import type { Message } from '../../message/message.ts'
import type { Destination } from '../../router/destination.ts'

export type Notified = (error?: Error | null) => void

/** What aedes and its users register: gets the packet, and calls `done` when it is through with it. */
// biome-ignore lint: the packets are whatever was emitted
export type Notify = (this: unknown, packet: never, done: Notified) => void

/** What a listener needs of the port it is registered with. */
export interface ListenerHost {
  /** The packet that listeners see for a message that came through the router. */
  packetOf(message: Message): object
  listenerFailed(error: unknown, filter: string): void
}

const ignore: Notified = () => {}

/** A function in this process as a destination of the router. */
export class MqListener implements Destination {
  /** In the router's form. */
  readonly filter: string
  readonly notify: Notify
  private readonly host: ListenerHost

  constructor(host: ListenerHost, filter: string, notify: Notify) {
    this.host = host
    this.filter = filter
    this.notify = notify
  }

  offer(message: Message): void {
    try {
      this.call(this.host.packetOf(message), ignore)
    } catch (error) {
      this.host.listenerFailed(error, this.filter)
    }
  }

  /** `done` is called once. A listener that does not take `done` is through when it returns. */
  call(packet: object, done: Notified): void {
    const notify = this.notify as (this: unknown, packet: object, done: Notified) => void
    if (notify.length < 2) {
      notify.call(this.host, packet, ignore)
      done()
      return
    }
    let called = false
    notify.call(this.host, packet, (error) => {
      if (called) return
      called = true
      done(error)
    })
  }
}
