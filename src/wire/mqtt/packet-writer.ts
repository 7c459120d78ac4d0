import { isTooLong } from '../../message/topic.ts'
import { frameBytes, lengthWidth, writeLength } from './frame.ts'

const HEADER_BYTES_MAX = 5
const SCRATCH_BYTES = 1024

/**
 * Gathers the fields of one packet in order, then gives the frame. Throws RangeError for values that the format cannot
 * hold: those are mistakes of the caller, never of a peer.
 */
export class PacketWriter {
  private bytes = Buffer.allocUnsafe(SCRATCH_BYTES)
  // Room in front for the header, whose width is known last.
  private offset = HEADER_BYTES_MAX

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.offset++] = value
  }

  uint16(value: number): void {
    this.reserve(2)
    this.offset = this.bytes.writeUInt16BE(value, this.offset)
  }

  uint32(value: number): void {
    this.reserve(4)
    this.offset = this.bytes.writeUInt32BE(value, this.offset)
  }

  /** A variable byte integer. */
  length(value: number): void {
    frameBytes(value)
    this.reserve(4)
    this.offset = writeLength(this.bytes, this.offset, value)
  }

  string(text: string): void {
    if (isTooLong(text)) throw new RangeError('a string longer than 65535 bytes')
    if (text.includes('\0')) throw new RangeError('a string with U+0000') // MQTT-1.5.4-2
    this.reserve(2 + text.length * 3)
    const bytes = this.bytes.write(text, this.offset + 2)
    this.bytes.writeUInt16BE(bytes, this.offset)
    this.offset += 2 + bytes
  }

  /** Length-prefixed bytes. */
  binary(bytes: Uint8Array): void {
    this.uint16(bytes.length)
    this.raw(bytes)
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.offset)
    this.offset += bytes.length
  }

  packetId(packetId: number): void {
    if (packetId < 1) throw new RangeError('a packet identifier is at least 1') // MQTT-2.2.1-3
    this.uint16(packetId)
  }

  /** Bytes written since `mark`, moved behind their own length; `mark` is from `position`. */
  prefixLength(mark: number): void {
    const bytes = this.offset - mark
    frameBytes(bytes)
    const width = lengthWidth(bytes)
    this.reserve(width)
    this.bytes.copyWithin(mark + width, mark, this.offset)
    writeLength(this.bytes, mark, bytes)
    this.offset += width
  }

  get position(): number {
    return this.offset
  }

  /** What was written, in memory of its own and without a header. */
  body(): Buffer {
    return Buffer.from(this.bytes.subarray(HEADER_BYTES_MAX, this.offset))
  }

  /** The whole frame, in memory of its own. */
  frame(firstByte: number): Buffer {
    const body = this.offset - HEADER_BYTES_MAX
    const frame = Buffer.allocUnsafe(frameBytes(body))
    frame[0] = firstByte
    this.bytes.copy(frame, writeLength(frame, 1, body), HEADER_BYTES_MAX, this.offset)
    return frame
  }

  private reserve(bytes: number): void {
    const needed = this.offset + bytes
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.offset)
    this.bytes = larger
  }
}
