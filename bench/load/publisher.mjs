import { Connection } from './connection.mjs'
import { at, packet, publishFrames } from './frames.mjs'
import { recordMs } from './latency.mjs'

/**
 * Sends numbered messages from a ring of ready-made frames. A slot is used again only when its message has come back
 * (QoS 0) or its handshake is complete (QoS 1 and 2), so that the frame has surely left this process by then.
 */
export class Publisher extends Connection {
  /**
   * @param {number} number
   * @param {import('./frames.mjs').Layout} layout
   * @param {{ inflight: number, outstanding: number }} window messages without acknowledgement, and not yet received
   * @param {() => void} wake called when there may be room for more
   */
  constructor(number, layout, window, wake) {
    super(`bench-pub-${number}`)
    this.number = number
    this.layout = layout
    this.slots = layout.qos === 0 ? window.outstanding : window.inflight
    this.outstandingMax = window.outstanding
    this.frames = publishFrames(layout, number, this.slots)
    this.framesView = new DataView(this.frames.buffer, this.frames.byteOffset, this.frames.length)
    this.sentAtMs = new Float64Array(this.slots)
    this.wake = wake
    this.sent = 0
    /** How many have had PUBREC, and how many are through with their handshake. */
    this.recorded = 0
    this.settled = 0
    /** Acknowledgements for a packet identifier that was not the next in order (MQTT-4.6.0-2, MQTT-4.6.0-3). */
    this.misorderedAcks = 0
    /** @type {import('./receipts.mjs').Receipts[]} of those who have to get what this one sends */
    this.audience = []
    /** @type {import('./latency.mjs').Latency | undefined} */
    this.latency = undefined
    /** @type {Buffer | undefined} */
    this.releases = undefined
  }

  /** How many of the messages sent have reached the whole audience. */
  received() {
    let least = this.sent
    for (const { next } of this.audience) least = Math.min(least, next[this.number] ?? 0)
    return least
  }

  /** How many messages may be sent now. */
  credit() {
    const room = this.outstandingMax - (this.sent - this.received())
    return this.layout.qos === 0 ? room : Math.min(room, this.slots - (this.sent - this.settled))
  }

  /** @param {number} count at most `credit()` @param {number} nowMs */
  send(count, nowMs) {
    const { stride, payloadAt } = this.layout
    const first = this.sent % this.slots
    for (let n = 0; n < count; n++) {
      const slot = (first + n) % this.slots
      const payload = slot * stride + payloadAt
      this.framesView.setUint32(payload + at.serial, this.sent + n, true)
      this.framesView.setFloat64(payload + at.sentMs, nowMs, true)
      this.sentAtMs[slot] = nowMs
    }
    this.sent += count
    const end = first + count
    const { socket } = this
    if (!socket) throw new Error('not connected')
    socket.write(this.frames.subarray(first * stride, Math.min(end, this.slots) * stride))
    if (end > this.slots) socket.write(this.frames.subarray(0, (end - this.slots) * stride))
  }

  /** @override */
  scan(
    /** @type {Buffer} */ _bytes,
    /** @type {DataView} */ view,
    /** @type {number} */ start,
    /** @type {number} */ end,
  ) {
    const nowMs = performance.now()
    let from = start
    let releases = 0
    for (; end - from >= 4; from += 4) {
      const type = view.getUint8(from)
      const id = view.getUint16(from + 2)
      if (type === packet.puback || type === packet.pubcomp) {
        const slot = this.settled % this.slots
        if (id !== slot + 1) this.misorderedAcks++
        if (this.latency) recordMs(this.latency, this.settled, nowMs - (this.sentAtMs[slot] ?? nowMs))
        this.settled++
      } else if (type === packet.pubrec) {
        if (id !== (this.recorded % this.slots) + 1) this.misorderedAcks++
        this.recorded++
        this.releases ??= Buffer.allocUnsafe(end - start)
        releases = this.releases.writeUInt32BE((packet.pubrel << 24) | (2 << 16) | id, releases)
      } else break
    }
    if (this.releases) {
      this.socket?.write(this.releases.subarray(0, releases))
      this.releases = undefined
    }
    return from
  }

  /** @override */
  turn() {
    this.wake()
  }
}
