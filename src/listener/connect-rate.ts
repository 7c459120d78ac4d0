import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { TokenBucket } from '../base/token-bucket.ts'

/**
 * Connections that are begun in one turn of the event loop. When thousands come in the same moment, each of them reads and
 * answers at once as soon as it has begun, and everybody else would wait until the last one has.
 */
const BEGUN_IN_A_TURN = 200

interface Arrival {
  readonly address: string
  readonly start: () => void
}

/**
 * How many connections of all listeners are begun in a second. Those beyond wait unread, the addresses in turn, so that
 * one from which many come does not hold up the others. How many wait is bounded by how many may be open.
 */
export class ConnectRate {
  private readonly clock: Clock
  private readonly bucket: TokenBucket
  private readonly onDelayed: () => void
  private readonly arrivals = new Map<Socket, Arrival>()
  /** The address whose turn is next comes first. */
  private readonly byAddress = new Map<string, Set<Socket>>()
  private timer: unknown
  /** Begun in the present turn of the event loop, which ends by itself whatever the clock says. */
  private begun = 0

  /** `onDelayed` is called for each connection that the rate lets wait. */
  constructor(perSecond: number, clock: Clock, onDelayed: () => void = () => {}) {
    this.clock = clock
    this.onDelayed = onDelayed
    this.bucket = new TokenBucket(perSecond, clock.now())
  }

  get waiting(): number {
    return this.arrivals.size
  }

  /** Calls `start` now or later; never, if the socket closes before. */
  admit(socket: Socket, start: () => void): void {
    const waitMs = this.bucket.waitMs(this.clock.now())
    if (this.arrivals.size === 0 && waitMs === 0 && this.begun < BEGUN_IN_A_TURN) {
      this.begin(start)
      return
    }
    const address = socket.remoteAddress ?? ''
    this.arrivals.set(socket, { address, start })
    const sockets = this.byAddress.get(address)
    if (sockets === undefined) this.byAddress.set(address, new Set([socket]))
    else sockets.add(socket)
    socket.on('close', this.leave)
    socket.on('error', destroy)
    if (waitMs > 0) this.onDelayed()
    this.wait()
  }

  private begin(start: () => void): void {
    this.bucket.take(1)
    if (this.begun++ === 0) setImmediate(this.endTurn)
    start()
  }

  private readonly endTurn = (): void => {
    this.begun = 0
    this.beginWaiting()
  }

  private readonly onTimer = (): void => {
    this.timer = undefined
    this.beginWaiting()
  }

  private beginWaiting(): void {
    const now = this.clock.now()
    while (this.begun < BEGUN_IN_A_TURN && this.bucket.waitMs(now) === 0) {
      const start = this.next()
      if (start === undefined) return
      this.begin(start)
    }
    this.wait()
  }

  private wait(): void {
    if (this.timer !== undefined || this.arrivals.size === 0 || this.begun >= BEGUN_IN_A_TURN) return
    this.timer = this.clock.after(this.bucket.waitMs(this.clock.now()), this.onTimer)
  }

  private next(): (() => void) | undefined {
    for (const [address, sockets] of this.byAddress) {
      const [socket] = sockets
      if (socket === undefined) continue
      const start = this.arrivals.get(socket)?.start
      this.remove(socket)
      socket.off('close', this.leave)
      socket.off('error', destroy)
      if (sockets.size > 0) {
        this.byAddress.delete(address)
        this.byAddress.set(address, sockets)
      }
      return start
    }
    return undefined
  }

  private remove(socket: Socket): void {
    const address = this.arrivals.get(socket)?.address
    this.arrivals.delete(socket)
    if (address === undefined) return
    const sockets = this.byAddress.get(address)
    sockets?.delete(socket)
    if (sockets?.size === 0) this.byAddress.delete(address)
  }

  private readonly leave = ((rate: ConnectRate) =>
    function (this: Socket): void {
      rate.remove(this)
    })(this)
}

function destroy(this: Socket): void {
  this.destroy()
}
