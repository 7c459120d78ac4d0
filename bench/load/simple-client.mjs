import { Connection } from './connection.mjs'
import { packet, publishFrame } from './frames.mjs'

const publish = 0x30
const pingResponse = 0xd0
const pingRequest = Buffer.from([0xc0, 0])
const ids = 65_535

/** A client for any topics and payloads: what comes is given to `onMessage` and acknowledged (QoS 1). */
export class SimpleClient extends Connection {
  /** @param {string} clientId */
  constructor(clientId) {
    super(clientId)
    this.published = 0
    this.acknowledged = 0
    /** @type {(topic: string, payload: string, retain: boolean) => void} */
    this.onMessage = () => {}
    /** @type {(() => void) | undefined} */
    this.roomFor = undefined
  }

  /** Publishes at QoS 1; resolves when there is room for more. @param {string} topic @param {string} payload */
  async publish(topic, payload, retain = false, window = 1000) {
    while (this.published - this.acknowledged >= window) {
      await new Promise((next) => {
        this.roomFor = () => next(undefined)
      })
    }
    this.socket?.write(publishFrame(topic, payload, 1 + (this.published++ % ids), retain))
  }

  /** All that was published is acknowledged. */
  async settled() {
    while (this.acknowledged < this.published) {
      await new Promise((next) => {
        this.roomFor = () => next(undefined)
      })
    }
  }

  ping() {
    return this.ask(pingRequest, pingResponse)
  }

  /** @override */
  scan(
    /** @type {Buffer} */ bytes,
    /** @type {DataView} */ view,
    /** @type {number} */ start,
    /** @type {number} */ end,
  ) {
    let from = start
    for (;;) {
      const next = this.#frame(bytes, view, from, end)
      if (next === from) return from
      from = next
    }
  }

  /** @param {Buffer} bytes @param {DataView} view @param {number} start @param {number} end */
  #frame(bytes, view, start, end) {
    if (end - start < 2) return start
    const first = view.getUint8(start)
    if (first === pingResponse && this.awaited?.type === pingResponse) {
      const { awaited } = this
      this.awaited = undefined
      awaited.done()
      return start + 2
    }
    if (first === packet.puback) {
      if (end - start < 4) return start
      this.acknowledged++
      const { roomFor } = this
      this.roomFor = undefined
      roomFor?.()
      return start + 4
    }
    return (first & 0xf0) === publish ? this.#message(bytes, view, start, end) : start
  }

  /** @param {Buffer} bytes @param {DataView} view @param {number} start @param {number} end */
  #message(bytes, view, start, end) {
    let at = start + 1
    let length = 0
    for (let shift = 0; ; shift += 7) {
      if (at >= end) return start
      const byte = view.getUint8(at++)
      length |= (byte & 127) << shift
      if (byte < 128) break
    }
    if (at + length > end) return start
    const first = view.getUint8(start)
    const topicEnd = at + 2 + view.getUint16(at)
    const topic = bytes.latin1Slice(at + 2, topicEnd)
    const hasId = (first & 0x06) !== 0
    this.onMessage(topic, bytes.latin1Slice(hasId ? topicEnd + 2 : topicEnd, at + length), (first & 1) === 1)
    if (hasId) this.socket?.write(Buffer.from([packet.puback, 2, bytes[topicEnd] ?? 0, bytes[topicEnd + 1] ?? 0]))
    return at + length
  }
}
