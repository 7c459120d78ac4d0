import { Connection } from './connection.mjs'
import { packet, prefetchingConnectFrame, subscribeFrame } from './frames.mjs'
import { Receipts } from './receipts.mjs'

const qos1 = 0x32

/** Takes the messages of one of Sluice's queues over MQTT 5 and acknowledges each with PUBACK. */
export class QueueConsumer extends Connection {
  /**
   * @param {number} number
   * @param {{ name: string, prefetch: number }} queue
   * @param {number} publishers how many publishers there are in all
   * @param {number} payloadBytes
   * @param {() => void} wake
   */
  constructor(number, queue, publishers, payloadBytes, wake) {
    super(`bench-queue-${number}`)
    this.queue = queue
    this.payloadBytes = payloadBytes
    this.receipts = new Receipts(this.clientId, publishers)
    this.wake = wake
    /** The next message is never acknowledged. */
    this.keepsNext = false
  }

  /** @override */
  async open(/** @type {import('./stream.mjs').Address} */ address) {
    await this.dial(address, prefetchingConnectFrame(this.clientId, this.queue.prefetch), packet.connack)
    await this.subscribe(`$queue/${this.queue.name}`, 1)
  }

  /** @override */
  subscribe(/** @type {string} */ filter, /** @type {number} */ qos) {
    return this.ask(subscribeFrame(filter, qos, 5), packet.suback)
  }

  /** The payload ends the frame; what is before it is of any length (MQTT 5.0, section 3.3.2.3). @override */
  scan(
    /** @type {Buffer} */ _bytes,
    /** @type {DataView} */ view,
    /** @type {number} */ start,
    /** @type {number} */ end,
  ) {
    const { payloadBytes, receipts } = this
    const nowMs = performance.now()
    const answers = Buffer.allocUnsafe(this.queue.prefetch * 4)
    let answered = 0
    let from = start
    while (end - from >= 5 && view.getUint8(from) === qos1) {
      const first = view.getUint8(from + 1)
      // No frame here has a length of more than two bytes.
      const long = first > 127
      const body = from + (long ? 3 : 2)
      const next = body + (long ? (first & 127) | (view.getUint8(from + 2) << 7) : first)
      if (next > end) break
      receipts.take(view, next - payloadBytes, nowMs)
      const id = body + 2 + view.getUint16(body)
      from = next
      if (this.keepsNext) {
        this.keepsNext = false
        continue
      }
      answers.writeUInt32BE((packet.puback << 24) | (2 << 16) | view.getUint16(id), answered)
      answered += 4
    }
    if (answered > 0) this.socket?.write(answers.subarray(0, answered))
    return from
  }

  /** @override */
  turn() {
    this.wake()
  }
}
