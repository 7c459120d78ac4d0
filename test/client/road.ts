import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Duplex, pipeline } from 'node:stream'

/** A way to the broker that can be cut and mended at one and the same port, while the broker runs on. */
export class Road {
  #open
  #ends = new Set<Socket | Duplex>()
  #port = 0
  #server = createServer((socket) => this.#carry(socket))

  constructor(open: () => Promise<Duplex>) {
    this.#open = open
  }

  get port(): number {
    return this.#port
  }

  async mend(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async cut(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const end of this.#ends) end.destroy()
    await closed
  }

  #carry(socket: Socket): void {
    this.#keep(socket)
    this.#open().then(
      (far) => {
        this.#keep(far)
        pipeline(socket, far, () => socket.destroy())
        pipeline(far, socket, () => far.destroy())
      },
      () => socket.destroy(),
    )
  }

  #keep(end: Socket | Duplex): void {
    this.#ends.add(end)
    end.on('error', () => end.destroy())
    end.once('close', () => this.#ends.delete(end))
  }
}
