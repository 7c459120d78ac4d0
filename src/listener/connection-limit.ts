import type { Socket } from 'node:net'

/** What a refused connection was too many for: a key of the configuration, or the open files of the process. */
export type ConnectionLimitName = 'connectionsMax' | 'connectionsPerAddressMax' | 'open files'

export interface ConnectionLimitOptions {
  /** What sets the limit of all connections; `connectionsMax` when left out. */
  readonly name?: ConnectionLimitName
  /** Open connections from one address; none: as many as in all. */
  readonly perAddressMax?: number
  readonly onRefused?: (address: string, name: ConnectionLimitName) => void
}

/** Counts the open connections of all listeners together, and those from each address. */
export class ConnectionLimit {
  readonly max: number
  open = 0
  /** Connections closed at once because there were too many. */
  refused = 0
  private readonly name: ConnectionLimitName
  private readonly perAddressMax: number
  private readonly onRefused: (address: string, name: ConnectionLimitName) => void
  private readonly byAddress = new Map<string, number>()

  constructor(max: number, options: ConnectionLimitOptions = {}) {
    this.max = max
    this.name = options.name ?? 'connectionsMax'
    this.perAddressMax = options.perAddressMax ?? max
    this.onRefused = options.onRefused ?? (() => {})
  }

  /** False: one too many. What is taken is to be given back. */
  take(address: string): boolean {
    const fromThere = this.byAddress.get(address) ?? 0
    if (this.open >= this.max) return this.refuse(address, this.name)
    if (fromThere >= this.perAddressMax) return this.refuse(address, 'connectionsPerAddressMax')
    this.open++
    this.byAddress.set(address, fromThere + 1)
    return true
  }

  giveBack(address: string): void {
    this.open--
    const left = (this.byAddress.get(address) ?? 0) - 1
    if (left > 0) this.byAddress.set(address, left)
    else this.byAddress.delete(address)
  }

  private refuse(address: string, name: ConnectionLimitName): boolean {
    this.refused++
    this.onRefused(address, name)
    return false
  }
}

/** The sockets that one listener has accepted and that are still open. */
export class OpenSockets {
  /** With the address of each: a closed socket has forgotten it. */
  private readonly sockets = new Map<Socket, string>()
  private readonly limit: ConnectionLimit
  private readonly onClose: (this: Socket) => void

  constructor(limit: ConnectionLimit) {
    this.limit = limit
    const { sockets } = this
    this.onClose = function (this: Socket) {
      limit.giveBack(sockets.get(this) ?? '')
      sockets.delete(this)
    }
  }

  get size(): number {
    return this.sockets.size
  }

  /** False: one too many, and the socket is closed. */
  add(socket: Socket): boolean {
    const address = socket.remoteAddress ?? ''
    if (!this.limit.take(address)) {
      socket.destroy()
      return false
    }
    this.sockets.set(socket, address)
    socket.on('close', this.onClose)
    return true
  }

  destroyAll(): void {
    for (const socket of this.sockets.keys()) socket.destroy()
  }
}
