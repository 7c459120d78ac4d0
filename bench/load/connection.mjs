import net from 'node:net'
import { connectFrame, disconnectFrame, packet, subscribeFrame } from './frames.mjs'

// All connections read into this one buffer: the bytes are dealt with before the next read, so it stays in the cache
// and nothing is allocated per read. An incomplete frame is put back in the headroom before the next chunk.
const headroom = 64 * 1024
const space = Buffer.allocUnsafeSlow(headroom + 256 * 1024)
const view = new DataView(space.buffer)
const readArea = space.subarray(headroom)

/**
 * A client as thin as it can be: a socket, the two handshakes, and one method for what comes then.
 *
 * @typedef {object} Address
 * @property {number} port
 * @property {string} [localAddress]
 */
export class Connection {
  /** @param {string} clientId */
  constructor(clientId) {
    this.clientId = clientId
    /** @type {net.Socket | undefined} */
    this.socket = undefined
    /** @type {Buffer | undefined} */
    this.carried = undefined
    /** @type {{ type: number, done: () => void } | undefined} */
    this.awaited = undefined
    this.sessionPresent = false
    this.closing = false
  }

  /** @param {Address} address @param {boolean} clean */
  async open(address, clean = true) {
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
    await Promise.race([this.#ask(connectFrame(this.clientId, clean), packet.connack), failed])
    // From here on a lost connection spoils the measurement: let it end the process.
    failed.catch((error) => {
      if (!this.closing) throw error
    })
  }

  /** @param {string} filter @param {number} qos */
  subscribe(filter, qos) {
    return this.#ask(subscribeFrame(filter, qos), packet.suback)
  }

  close() {
    this.closing = true
    const closed = new Promise((done) => this.socket?.once('close', done))
    this.socket?.end(disconnectFrame)
    this.socket?.resume()
    return closed
  }

  /**
   * Frames that a role knows, from `start`; the rest is left to `#control`.
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

  /** Called once per chunk, after its frames. */
  turn() {}

  /** @param {Buffer} frame @param {number} type */
  #ask(frame, type) {
    return new Promise((resolve) => {
      this.awaited = { type, done: () => resolve(undefined) }
      this.socket?.write(frame)
    })
  }

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
      const next = this.#control(at, end)
      if (next === at) break
      at = next
    }
    if (at < end) this.carried = Buffer.from(space.subarray(at, end))
    this.turn()
    return true
  }

  /** One frame that is not part of the load. @param {number} start @param {number} end */
  #control(start, end) {
    let at = start + 1
    let length = 0
    for (let shift = 0; ; shift += 7) {
      if (at >= end) return start
      const byte = view.getUint8(at++)
      length |= (byte & 127) << shift
      if (byte < 128) break
    }
    if (at + length > end) return start
    const { awaited } = this
    const type = view.getUint8(start)
    if (awaited?.type !== type) {
      throw new Error(`${this.clientId}: unexpected packet 0x${type.toString(16)} of ${length} bytes`)
    }
    const refused = type === packet.suback ? space[at + 2] === 0x80 : space[at + 1] !== 0
    if (refused)
      throw new Error(`${this.clientId}: the broker refused ${type === packet.connack ? 'CONNECT' : 'SUBSCRIBE'}`)
    if (type === packet.connack) this.sessionPresent = space[at] === 1
    this.awaited = undefined
    awaited.done()
    return at + length
  }
}
