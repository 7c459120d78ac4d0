import type { GroupCommit } from '../../store/group-commit.ts'
import type { Outbox } from './outbox.ts'

interface Reply {
  /** The commit this reply waits for; 0: none, it only keeps its place. */
  readonly epoch: number
  /** First byte of the packet: all of it but the packet identifier, unless `bytes` holds the packet. */
  readonly firstByte: number
  readonly packetId: number
  readonly bytes: Buffer | undefined
  /** Runs right after the reply is in the outbox. */
  readonly then: (() => void) | undefined
}

const PUBACK = 0x40
const NONE: Reply[] = []

/**
 * The replies of one connection in the order of the packets they answer (MQTT-4.6.0-2), each held back until what it
 * promises is on disk. While nothing waits, a reply goes straight to the outbox.
 */
export class Replies {
  private readonly commit: GroupCommit
  private readonly outbox: Outbox
  private readonly counters: { packetsSent: number }
  private readonly released: () => void
  private waiting: Reply[] = NONE
  private head = 0
  private subscribedEpoch = 0
  private closed = false

  /** PUBACKs among them: QoS 1 messages that count against the Receive Maximum. */
  pubackCount = 0

  /** `released` is called after each release, so that a reader that was paused for too many replies can go on. */
  constructor(commit: GroupCommit, outbox: Outbox, counters: { packetsSent: number }, released: () => void) {
    this.counters = counters
    this.commit = commit
    this.outbox = outbox
    this.released = released
  }

  /** Replies that are held back. */
  get count(): number {
    return this.waiting.length - this.head
  }

  ack(firstByte: number, packetId: number, epoch: number): void {
    if (this.waiting.length === this.head && epoch <= this.commit.committedEpoch) {
      this.outbox.appendAck(firstByte, packetId)
      this.counters.packetsSent++
      return
    }
    this.hold({ epoch, firstByte, packetId, bytes: undefined, then: undefined })
  }

  send(bytes: Buffer, epoch: number, then?: () => void): void {
    if (this.waiting.length === this.head && epoch <= this.commit.committedEpoch) {
      this.outbox.append(bytes, 0, bytes.length)
      this.counters.packetsSent++
      then?.()
      return
    }
    this.hold({ epoch, firstByte: bytes[0] as number, packetId: 0, bytes, then })
  }

  committed(epoch: number): void {
    if (this.closed) return
    const waiting = this.waiting
    let head = this.head
    while (head < waiting.length) {
      const reply = waiting[head] as Reply
      if (reply.epoch > epoch) {
        this.subscribe()
        break
      }
      head++
      this.head = head
      if (reply.firstByte === PUBACK) this.pubackCount--
      this.counters.packetsSent++
      if (reply.bytes === undefined) this.outbox.appendAck(reply.firstByte, reply.packetId)
      else this.outbox.append(reply.bytes, 0, reply.bytes.length)
      reply.then?.()
    }
    if (head === waiting.length) {
      this.waiting = NONE
      this.head = 0
    } else if (head > 1024 && head * 2 > waiting.length) {
      this.waiting = waiting.slice(head)
      this.head = 0
    }
    this.released()
  }

  close(): void {
    this.closed = true
    this.waiting = NONE
    this.head = 0
  }

  private hold(reply: Reply): void {
    if (this.waiting === NONE) this.waiting = [reply]
    else this.waiting.push(reply)
    if (reply.firstByte === PUBACK) this.pubackCount++
    if (reply.epoch > this.commit.committedEpoch) this.subscribe()
  }

  private subscribe(): void {
    const forming = this.commit.formingEpoch
    if (this.subscribedEpoch === forming) return
    this.subscribedEpoch = forming
    this.commit.wait(this)
  }
}
