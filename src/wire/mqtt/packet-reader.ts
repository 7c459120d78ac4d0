import { EMPTY } from '../../message/message.ts'
import { topicNameProblem } from '../../message/topic.ts'
import { LENGTH_INCOMPLETE, LENGTH_MALFORMED, packedLength, packedWidth, readRemainingLength } from './frame.ts'
import { malformed, ProtocolError, violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'
import { isValidUtf8, utf8Text } from './utf8.ts'

/**
 * Reads the fields of one packet in order (MQTT 5, section 1.5), never past its end; each reading throws
 * ProtocolError. For every packet but PUBLISH, which has to be faster.
 */
export class PacketReader {
  readonly buffer: Buffer
  offset: number
  readonly end: number

  constructor(buffer: Buffer, offset: number, end: number) {
    this.buffer = buffer
    this.offset = offset
    this.end = end
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.end - this.offset
  }

  byte(): number {
    return this.buffer[this.take(1)]!
  }

  uint16(): number {
    const at = this.take(2)
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.take(4))
  }

  /** A variable byte integer. */
  length(): number {
    const packed = readRemainingLength(this.buffer, this.offset, this.end)
    if (packed === LENGTH_INCOMPLETE) throw truncated()
    if (packed === LENGTH_MALFORMED) throw malformed('a variable byte integer is malformed') // MQTT-1.5.5-1
    this.offset += packedWidth(packed)
    return packedLength(packed)
  }

  string(): string {
    const bytes = this.uint16()
    const start = this.take(bytes)
    if (!isValidUtf8(this.buffer, start, start + bytes)) throw badString()
    return utf8Text(this.buffer, start, start + bytes)
  }

  /** Length-prefixed bytes, as a view. */
  binary(): Buffer {
    const bytes = this.uint16()
    const start = this.take(bytes)
    return bytes === 0 ? EMPTY : this.buffer.subarray(start, start + bytes)
  }

  packetId(): number {
    const packetId = this.uint16()
    if (packetId === 0) throw violation('the packet identifier is 0') // MQTT-2.2.1-3
    return packetId
  }

  topicName(): string {
    const topic = this.string()
    const problem = topicNameProblem(topic)
    if (problem !== undefined) throw new ProtocolError(ReasonCode.TopicNameInvalid, `the topic name ${problem}`)
    return topic
  }

  /** A reader of the next `bytes` bytes, which are read past here. */
  part(bytes: number): PacketReader {
    const start = this.take(bytes)
    return new PacketReader(this.buffer, start, start + bytes)
  }

  /** Throws when bytes are left that no field accounts for. */
  finish(): void {
    if (this.offset !== this.end) throw malformed('the packet is longer than its fields')
  }

  /** Offset of the next `bytes` bytes, which are read past. */
  private take(bytes: number): number {
    const at = this.offset
    if (bytes > this.end - at) throw truncated()
    this.offset = at + bytes
    return at
  }
}

export function truncated(): ProtocolError {
  return malformed('a field reaches past the end of its packet')
}

export function badString(): ProtocolError {
  return malformed('a string is not well-formed UTF-8, or contains U+0000') // MQTT-1.5.4-1, MQTT-1.5.4-2
}
