import net from 'node:net'

// All connections read into this one buffer: the bytes are dealt with before the next read, so it stays in the cache
// and nothing is allocated per read. An incomplete frame is put back in the headroom before the next chunk.
const headroom = 64 * 1024
const space = Buffer.allocUnsafeSlow(headroom + 256 * 1024)
const view = new DataView(space.buffer)
const readArea = space.subarray(headroom)

/**
 * A socket of the load generator, and one method for what comes.
 *
 * @typedef {object} Address
 * @property {number} port
 * @property {string} [localAddress]
 */
export class Stream {
  /** @param {string} clientId */
  constructor(clientId) {
    this.clientId = clientId
    /** @type {net.Socket | undefined} */
    this.socket = undefined
    /** @type {Buffer | undefined} */
    this.carried = undefined
    /** @type {{ type: number, done: () => void } | undefined} */
    this.awaited = undefined
    this.closing = false
  }

  /**
   * Connects, and waits until the answer to the first bytes has come.
   *
   * @param {Address} address
   * @param {Buffer} first
   * @param {number} answer its type
   */
  async dial(address, first, answer) {
    this.closing = false
    this.carried = undefined
    const socket = net.connect({
      host: '127.0.0.1',
      port: address.port,
      ...(address.localAddress ? { localAddress: address.localAddress } : {}),
      noDelay: true,
      onread: { buffer: readArea, callback: (length) => this.#read(length) },
    })
    this.socket = socket
    const failed = new Promise((_, reject) => {
      socket.on('error', reject)
      socket.on('close', () => {
        if (!this.closing) reject(new Error(`the broker closed the connection of ${this.clientId}`))
      })
    })
    await Promise.race([this.ask(first, answer), failed])
    // From here on a lost connection spoils the measurement: let it end the process.
    failed.catch((error) => {
      if (!this.closing) throw error
    })
  }

  /** Writes, and waits for the frame of this type. @param {Buffer} bytes @param {number} type */
  ask(bytes, type) {
    return new Promise((resolve) => {
      this.awaited = { type, done: () => resolve(undefined) }
      this.socket?.write(bytes)
    })
  }

  /** @param {Buffer} last what is written before the end */
  hangUp(last) {
    this.closing = true
    const closed = new Promise((done) => this.socket?.once('close', done))
    this.socket?.end(last)
    this.socket?.resume()
    return closed
  }

  /**
   * Frames that a role knows, from `start`; the rest is left to `control`.
   *
   * @param {Buffer} _bytes
   * @param {DataView} _view the same bytes
   * @param {number} start
   * @param {number} _end
   * @returns {number} where the first frame begins that was not dealt with
   */
  scan(_bytes, _view, start, _end) {
    return start
  }

  /**
   * One frame that is not part of the load.
   *
   * @param {Buffer} _bytes
   * @param {DataView} _view the same bytes
   * @param {number} start
   * @param {number} _end
   * @returns {number} where the next one begins; `start` when it is not complete
   */
  control(_bytes, _view, start, _end) {
    return start
  }

  /** Called once per chunk, after its frames. */
  turn() {}

  /** @param {number} length */
  #read(length) {
    const end = headroom + length
    let at = headroom
    if (this.carried) {
      at -= this.carried.length
      this.carried.copy(space, at)
      this.carried = undefined
    }
    while (at < end) {
      at = this.scan(space, view, at, end)
      if (at === end) break
      const next = this.control(space, view, at, end)
      if (next === at) break
      at = next
    }
    if (at < end) this.carried = Buffer.from(space.subarray(at, end))
    this.turn()
    return true
  }
}
