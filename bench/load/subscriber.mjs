import { Connection } from './connection.mjs'
import { packet } from './frames.mjs'
import { Receipts } from './receipts.mjs'

const none = Buffer.alloc(0)

/** Receives, checks that every publisher's serial numbers come without gap, repetition or disorder, acknowledges. */
export class Subscriber extends Connection {
  /**
   * @param {number} number
   * @param {import('./frames.mjs').Layout} layout
   * @param {number} publishers how many publishers there are in all
   * @param {() => void} wake
   */
  constructor(number, layout, publishers, wake) {
    super(`bench-sub-${number}`)
    this.layout = layout
    this.wake = wake
    this.receipts = new Receipts(this.clientId, publishers)
    /** Acknowledgements go out this late, as those of a client that works on each message. */
    this.ackDelayMs = 0
  }

  /** @override */
  scan(
    /** @type {Buffer} */ _bytes,
    /** @type {DataView} */ view,
    /** @type {number} */ start,
    /** @type {number} */ end,
  ) {
    const { qos, header, stride, idAt, payloadAt } = this.layout
    const { receipts } = this
    const nowMs = performance.now()
    const [first, length0, length1] = header
    const oneLengthByte = header.length === 2
    const answer = qos === 1 ? packet.puback : packet.pubrec
    // Four bytes for each frame; the shortest frame at QoS 2 is a PUBREL, of four bytes itself.
    const answers = qos > 0 ? Buffer.allocUnsafe(qos === 2 ? end - start : Math.ceil((end - start) / stride) * 4) : none
    let answered = 0
    let from = start
    while (end - from >= 4) {
      const type = view.getUint8(from)
      if (
        type === first &&
        end - from >= stride &&
        view.getUint8(from + 1) === length0 &&
        (oneLengthByte || view.getUint8(from + 2) === length1)
      ) {
        receipts.take(view, from + payloadAt, nowMs)
        if (qos > 0) answered = this.#answer(answers, answered, answer, view.getUint16(from + idAt))
        from += stride
      } else if (type === packet.pubrel) {
        answered = this.#answer(answers, answered, packet.pubcomp, view.getUint16(from + 2))
        from += 4
      } else break
    }
    if (answered > 0) this.#send(answers.subarray(0, answered))
    return from
  }

  /** @override */
  turn() {
    this.wake()
  }

  /** @param {Buffer} answers */
  #send(answers) {
    if (this.ackDelayMs === 0) this.socket?.write(answers)
    else setTimeout(() => this.socket?.write(answers), this.ackDelayMs)
  }

  /** @param {Buffer} answers @param {number} offset @param {number} type @param {number} id @returns {number} */
  #answer(answers, offset, type, id) {
    answers[offset] = type
    answers[offset + 1] = 2
    answers[offset + 2] = id >> 8
    answers[offset + 3] = id & 255
    return offset + 4
  }
}
