import * as amqp from './amqp-frames.mjs'
import { Receipts } from './receipts.mjs'
import { Stream } from './stream.mjs'

const { around, before, kind, method } = amqp
const user = 'bench'

/**
 * Takes the messages of one queue over AMQP 0-9-1 and acknowledges each by itself (`basic.ack` without `multiple`), as
 * PUBACK does; the acknowledgements of what came in one chunk go out in one write.
 */
export class AmqpConsumer extends Stream {
  /**
   * @param {number} number
   * @param {{ name: string, prefetch: number }} queue
   * @param {number} publishers how many publishers there are in all
   * @param {() => void} wake
   */
  constructor(number, queue, publishers, wake) {
    super(`bench-amqp-${number}`)
    this.queue = queue
    this.receipts = new Receipts(this.clientId, publishers)
    this.wake = wake
  }

  /** @param {{ amqpPort: number }} address */
  async open({ amqpPort }) {
    await this.dial({ port: amqpPort }, amqp.protocolHeader, method.connectionStart)
    await this.ask(amqp.startOk(user), method.connectionTune)
    this.socket?.write(amqp.tuneOk)
    await this.ask(amqp.openVirtualHost, method.connectionOpenOk)
    await this.ask(amqp.openChannel, method.channelOpenOk)
    await this.ask(amqp.qos(this.queue.prefetch), method.basicQosOk)
    await this.ask(amqp.consume(this.queue.name), method.basicConsumeOk)
  }

  close() {
    return this.hangUp(amqp.closeConnection)
  }

  /** A delivery is three frames: method, header, body. @override */
  scan(
    /** @type {Buffer} */ _bytes,
    /** @type {DataView} */ view,
    /** @type {number} */ start,
    /** @type {number} */ end,
  ) {
    const { receipts } = this
    const nowMs = performance.now()
    const answers = Buffer.allocUnsafe(this.queue.prefetch * amqp.acknowledgement.length)
    let answered = 0
    let from = start
    while (end - from > 16 && view.getUint32(from + before) === method.basicDeliver) {
      const header = from + around + view.getUint32(from + 3)
      if (end - header < around) break
      const body = header + around + view.getUint32(header + 3)
      if (end - body < around) break
      const next = body + around + view.getUint32(body + 3)
      if (next > end) break
      if (view.getUint8(header) !== kind.header || view.getUint8(body) !== kind.body) {
        throw new Error(`${this.clientId}: a delivery in more than three frames`)
      }
      receipts.take(view, body + before, nowMs)
      const tag = from + before + 5 + view.getUint8(from + before + 4)
      amqp.acknowledgement.copy(answers, answered)
      answers.writeUInt32BE(view.getUint32(tag), answered + amqp.tagAt)
      answers.writeUInt32BE(view.getUint32(tag + 4), answered + amqp.tagAt + 4)
      answered += amqp.acknowledgement.length
      from = next
    }
    if (answered > 0) this.socket?.write(answers.subarray(0, answered))
    return from
  }

  /** @override */
  control(
    /** @type {Buffer} */ bytes,
    /** @type {DataView} */ view,
    /** @type {number} */ start,
    /** @type {number} */ end,
  ) {
    if (end - start < before) return start
    const next = start + around + view.getUint32(start + 3)
    if (next > end) return start
    const { awaited } = this
    const id = view.getUint32(start + before)
    if (id === method.basicDeliver) return start
    if (awaited?.type !== id) {
      const text = bytes.toString('latin1', start + before + 4, next - 1)
      if (this.closing) return next
      throw new Error(`${this.clientId}: unexpected method 0x${id.toString(16)} ${text}`)
    }
    this.awaited = undefined
    awaited.done()
    return next
  }

  /** @override */
  turn() {
    this.wake()
  }
}
