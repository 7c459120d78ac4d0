import type { ConnectionMemory } from '../../broker/connection-memory.ts'
import type { Transport } from '../../listener/transport.ts'

const SLAB_BYTES = 16 * 1024
// Above this a reference costs less than the copy, and the chunk it pins is mostly these bytes anyway.
export const COPY_BYTES_MAX = 4 * 1024
const SLABS_KEPT_MAX = 256

/** Collects the outboxes that have something to write and flushes them all once, at the end of the turn. */
export class Flusher {
  private dirty: Outbox[] = []
  private spare: Outbox[] = []
  private readonly slabs: Buffer[] = []
  private readonly counters: { bytesSent: number }
  private scheduled = false
  private readonly run = (): void => {
    this.flushAll()
  }

  constructor(counters: { bytesSent: number }) {
    this.counters = counters
  }

  sent(bytes: number): void {
    this.counters.bytesSent += bytes
  }

  add(outbox: Outbox): void {
    this.dirty.push(outbox)
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(this.run)
  }

  takeSlab(): Buffer {
    // allocUnsafeSlow: a slab must not share memory with anything else, since it is written again.
    return this.slabs.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
  }

  giveSlab(slab: Buffer): void {
    if (this.slabs.length < SLABS_KEPT_MAX) this.slabs.push(slab)
  }

  private flushAll(): void {
    this.scheduled = false
    const batch = this.dirty
    this.dirty = this.spare
    for (const outbox of batch) outbox.flush()
    batch.length = 0
    this.spare = batch
  }
}

interface OutboxOwner {
  /** The socket left bytes behind. */
  blocked(): void
  /** The socket took everything, after it left bytes behind or after the outbox was full. */
  drained(): void
}

/**
 * What goes out on one connection: small frames are copied into a slab, large ones kept by reference, and all of it is
 * written once per turn of the event loop.
 */
export class Outbox {
  private readonly flusher: Flusher
  private readonly transport: Transport
  private readonly bytesMax: number
  private readonly owner: OutboxOwner
  private readonly memory: ConnectionMemory
  private readonly reuses: boolean
  /** What the kernel left behind at the latest flush. */
  private heldBytes = 0
  private parts: Buffer[] | undefined
  private slab: Buffer | undefined
  private slabStart = 0
  private slabEnd = 0
  private queuedBytes = 0
  private flushes = 0
  private dirty = false
  private closed = false

  constructor(flusher: Flusher, transport: Transport, bytesMax: number, owner: OutboxOwner, memory: ConnectionMemory) {
    this.owner = owner
    this.memory = memory
    this.flusher = flusher
    this.transport = transport
    this.reuses = transport.copies
    this.bytesMax = bytesMax
  }

  /** Bytes that the kernel has not taken yet. */
  get pendingBytes(): number {
    return this.queuedBytes + this.transport.pendingBytes
  }

  /** Something goes out at the end of this turn. */
  get isDirty(): boolean {
    return this.dirty
  }

  /** Number of the flush that what is appended now goes out with. */
  get nextFlush(): number {
    return this.flushes
  }

  /** True when the subscriber is so slow that nothing optional may be added, or is slow at all while memory is short. */
  get isFull(): boolean {
    if (this.heldBytes === 0) return this.queuedBytes > this.bytesMax
    return this.queuedBytes + this.transport.pendingBytes > this.bytesMax || this.memory.isFull
  }

  /** Appends `bytes[start, end)`. The caller does not change these bytes afterwards. */
  append(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    if (length > COPY_BYTES_MAX) {
      if (this.slab !== undefined) this.sealSlab(this.slab)
      const part = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)
      if (this.parts === undefined) this.parts = [part]
      else this.parts.push(part)
      this.wrote(length)
      return
    }
    const at = this.reserve(length)
    bytes.copy(this.slab as Buffer, at, start, end)
  }

  /**
   * Appends a PUBLISH that is shared between subscribers, with this subscriber's packet identifier and DUP flag put
   * into the copy. `packetIdOffset` counts from the start of the frame.
   */
  appendPublish(frame: Buffer, packetIdOffset: number, packetId: number, dup: boolean): void {
    const length = frame.length
    if (length <= COPY_BYTES_MAX) {
      const at = this.reserve(length)
      const slab = this.slab as Buffer
      frame.copy(slab, at, 0, length)
      slab[at + packetIdOffset] = packetId >> 8
      slab[at + packetIdOffset + 1] = packetId
      if (dup) slab[at] = (slab[at] as number) | 0x08
      return
    }
    const head = Buffer.from(frame.subarray(0, packetIdOffset + 2))
    head.writeUInt16BE(packetId, packetIdOffset)
    if (dup) head[0] = (head[0] as number) | 0x08
    this.append(head, 0, head.length)
    this.append(frame, packetIdOffset + 2, length)
  }

  /** Appends an acknowledgement without reason code, `firstByte` being type and flags. */
  appendAck(firstByte: number, packetId: number): void {
    const at = this.reserve(4)
    const slab = this.slab as Buffer
    slab[at] = firstByte
    slab[at + 1] = 2
    slab[at + 2] = packetId >> 8
    slab[at + 3] = packetId
  }

  flush(): void {
    this.dirty = false
    if (this.closed || this.queuedBytes === 0) return
    const wasFull = this.queuedBytes + this.heldBytes > this.bytesMax
    this.flusher.sent(this.queuedBytes)
    this.flushes++
    this.queuedBytes = 0
    const slab = this.slab
    const parts = this.parts
    this.slab = undefined
    if (parts === undefined && slab !== undefined) {
      this.transport.write(slab.subarray(this.slabStart, this.slabEnd))
    } else if (parts !== undefined) {
      if (slab !== undefined) this.sealSlab(slab)
      this.parts = undefined
      if (parts.length === 1) this.transport.write(parts[0] as Buffer)
      else this.transport.writeMany(parts)
    }
    if (this.closed) return
    const left = this.transport.pendingBytes
    if (left !== this.heldBytes) this.hold(left)
    if (left > 0) {
      // The rest of it goes on being used, or a few bytes each turn would keep a whole slab each.
      if (this.slab === undefined) {
        this.slab = slab
        this.slabStart = this.slabEnd
      }
      this.owner.blocked()
      // Only when the kernel has taken everything may the memory be written again.
    } else {
      if (slab !== undefined && this.reuses) this.flusher.giveSlab(slab)
      // The socket took it all at once and will not tell.
      if (wasFull) this.owner.drained()
    }
  }

  /** The socket took everything. */
  drained(): void {
    this.hold(0)
    // Left to the garbage collector: a stream in memory has handed it on, and nobody may have read it yet.
    if (!this.dirty) this.slab = undefined
  }

  /** Nothing more will be written; what is queued is dropped. */
  close(): void {
    this.closed = true
    this.hold(0)
    this.slab = undefined
    this.parts = undefined
    this.queuedBytes = 0
  }

  /** What `reserve` made room in. */
  get room(): Buffer {
    return this.slab as Buffer
  }

  /** Room for a frame of at most `COPY_BYTES_MAX` that is written in place: where it begins in `room`. */
  reserve(length: number): number {
    let slab = this.slab
    if (slab === undefined || this.slabEnd + length > slab.length) {
      if (slab !== undefined) this.sealSlab(slab)
      slab = this.flusher.takeSlab()
      this.slab = slab
      this.slabStart = 0
      this.slabEnd = 0
    }
    const at = this.slabEnd
    this.slabEnd = at + length
    this.wrote(length)
    return at
  }

  private hold(bytes: number): void {
    this.memory.change(this.heldBytes, bytes)
    this.heldBytes = bytes
  }

  private wrote(length: number): void {
    this.queuedBytes += length
    if (this.dirty) return
    this.dirty = true
    this.flusher.add(this)
  }

  private sealSlab(slab: Buffer): void {
    if (this.slabEnd === this.slabStart) return
    const part = slab.subarray(this.slabStart, this.slabEnd)
    if (this.parts === undefined) this.parts = [part]
    else this.parts.push(part)
    this.slabStart = this.slabEnd
  }
}
