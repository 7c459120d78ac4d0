import { EMPTY } from '../../message/message.ts'
import { LENGTH_INCOMPLETE, LENGTH_MALFORMED, packedLength, packedWidth, readRemainingLength } from './frame.ts'
import { malformed, ProtocolError } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'

const HEADER_BYTES_MAX = 5
// What a header alone can make us reserve; beyond it, memory follows the bytes that really came.
const FIRST_ALLOCATION_BYTES = 4096

/**
 * Gathers one frame that is spread over several chunks. A new frame may begin after `take`.
 * Each byte is copied at most three times however finely the frame is cut, and memory stays within twice the bytes
 * that came (or 4 KiB, if more), whatever length the header announces.
 */
export class FrameCollector {
  /** Longest frame in bytes, its header included; may be changed between two frames. */
  packetBytesMax: number
  private bytes: Buffer = EMPTY
  private filled = 0
  // Of the whole frame; 0 until the header is complete.
  private total = 0
  private headerBytes = 0

  constructor(packetBytesMax: number) {
    this.packetBytesMax = packetBytesMax
  }

  /** True when no byte is waiting. */
  get empty(): boolean {
    return this.filled === 0
  }

  /** True when the frame is whole, and `take` has to be called before the next `push`. */
  get complete(): boolean {
    return this.total !== 0 && this.filled === this.total
  }

  /** Bytes held at the moment, as allocated. */
  get allocatedBytes(): number {
    return this.bytes.length
  }

  /** Offset of the first byte after the remaining length, in the frame that `take` returns. */
  get bodyStart(): number {
    return this.headerBytes
  }

  /**
   * Takes from `chunk` what belongs to the frame and returns the offset after it: `end`, or less when the frame became
   * complete. Throws ProtocolError 0x81 for a malformed length and 0x95 for a frame longer than `packetBytesMax`, both
   * as soon as the header tells.
   */
  push(chunk: Buffer, offset: number, end: number): number {
    while (this.total === 0) {
      if (offset >= end) return offset
      this.takeHeaderByte(chunk[offset++]!)
      if (this.total !== 0) this.reserve(Math.min(this.total, this.filled + end - offset))
    }
    const count = Math.min(end - offset, this.total - this.filled)
    this.reserve(this.filled + count)
    chunk.copy(this.bytes, this.filled, offset, offset + count)
    this.filled += count
    return offset + count
  }

  /** The complete frame, in memory of its own; the collector is empty afterwards. */
  take(): Buffer {
    const frame = this.bytes
    this.bytes = EMPTY
    this.filled = 0
    this.total = 0
    return frame
  }

  private takeHeaderByte(byte: number): void {
    if (this.bytes.length === 0) this.bytes = Buffer.allocUnsafeSlow(HEADER_BYTES_MAX)
    this.bytes[this.filled++] = byte
    const packed = readRemainingLength(this.bytes, 1, this.filled)
    if (packed === LENGTH_INCOMPLETE) return
    if (packed === LENGTH_MALFORMED) throw malformed('the remaining length is malformed') // MQTT-1.5.5-1
    this.headerBytes = 1 + packedWidth(packed)
    const total = this.headerBytes + packedLength(packed)
    if (total > this.packetBytesMax) throw packetTooLarge(total, this.packetBytesMax)
    this.total = total
    this.resize(Math.min(total, FIRST_ALLOCATION_BYTES))
  }

  private reserve(bytes: number): void {
    if (bytes > this.bytes.length) this.resize(Math.min(Math.max(bytes, this.bytes.length * 2), this.total))
  }

  private resize(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(bytes)
    this.bytes.copy(larger, 0, 0, this.filled)
    this.bytes = larger
  }
}

/** The answer to a frame of `bytes` bytes where `bytesMax` are allowed (MQTT 5, section 3.1.2.11.4). */
export function packetTooLarge(bytes: number, bytesMax: number): ProtocolError {
  return new ProtocolError(ReasonCode.PacketTooLarge, `a packet of ${bytes} bytes where ${bytesMax} are allowed`)
}
