import type { Socket } from 'node:net'

/** Counts the open connections of all listeners together. */
export class ConnectionLimit {
  readonly max: number
  open = 0
  /** Connections closed at once because `max` were open. */
  refused = 0
  private readonly onRefused: () => void

  constructor(max: number, onRefused: () => void = () => {}) {
    this.max = max
    this.onRefused = onRefused
  }

  refuse(): void {
    this.refused++
    this.onRefused()
  }
}

/** The sockets that one listener has accepted and that are still open. */
export class OpenSockets {
  private readonly sockets = new Set<Socket>()
  private readonly limit: ConnectionLimit
  private readonly onClose: (this: Socket) => void

  constructor(limit: ConnectionLimit) {
    this.limit = limit
    const { sockets } = this
    this.onClose = function (this: Socket) {
      sockets.delete(this)
      limit.open--
    }
  }

  get size(): number {
    return this.sockets.size
  }

  /** False: one too many, and the socket is closed. */
  add(socket: Socket): boolean {
    if (this.limit.open >= this.limit.max) {
      this.limit.refuse()
      socket.destroy()
      return false
    }
    this.limit.open++
    this.sockets.add(socket)
    socket.on('close', this.onClose)
    return true
  }

  destroyAll(): void {
    for (const socket of this.sockets) socket.destroy()
  }
}
