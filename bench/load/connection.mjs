import { connectFrame, disconnectFrame, packet, subscribeFrame } from './frames.mjs'
import { Stream } from './stream.mjs'

/** An MQTT client as thin as it can be: a socket, the two handshakes, and one method for what comes then. */
export class Connection extends Stream {
  /** @param {string} clientId */
  constructor(clientId) {
    super(clientId)
    this.sessionPresent = false
  }

  /** @param {import('./stream.mjs').Address} address @param {boolean} clean */
  open(address, clean = true) {
    return this.dial(address, connectFrame(this.clientId, clean), packet.connack)
  }

  /** @param {string} filter @param {number} qos */
  subscribe(filter, qos) {
    return this.ask(subscribeFrame(filter, qos), packet.suback)
  }

  close() {
    return this.hangUp(disconnectFrame)
  }

  /** @override */
  control(
    /** @type {Buffer} */ bytes,
    /** @type {DataView} */ view,
    /** @type {number} */ start,
    /** @type {number} */ end,
  ) {
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
    // The reason codes of a SUBACK are its last bytes in each version.
    const refused = type === packet.suback ? (bytes[at + length - 1] ?? 0) >= 0x80 : bytes[at + 1] !== 0
    if (refused)
      throw new Error(`${this.clientId}: the broker refused ${type === packet.connack ? 'CONNECT' : 'SUBSCRIBE'}`)
    if (type === packet.connack) this.sessionPresent = bytes[at] === 1
    this.awaited = undefined
    awaited.done()
    return at + length
  }
}
