import { decode } from '../../../src/wire/mqtt/decode.ts'
import { packedLength, packedWidth, readRemainingLength } from '../../../src/wire/mqtt/frame.ts'
import { FrameCollector } from '../../../src/wire/mqtt/frame-collector.ts'
import type { Packet, ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import type { Sender } from '../../../src/wire/mqtt/packet-type.ts'
import { malformed } from '../../../src/wire/mqtt/protocol-error.ts'

export type Feed = (frame: Buffer, version: ProtocolVersion | 0, from?: Sender) => Packet

// Bytes around the frame that would show in a result if they were read: no valid UTF-8, no valid lengths.
const around = Buffer.alloc(7, 0xff)

/** Decodes a frame in the midst of a chunk. */
export const whole: Feed = (frame, version, from) => {
  const chunk = Buffer.concat([around, frame, around])
  const start = around.length
  const packed = readRemainingLength(chunk, start + 1, chunk.length - around.length)
  if (packed < 0) throw malformed('the remaining length is malformed')
  const bodyStart = start + 1 + packedWidth(packed)
  return decode(chunk, start, bodyStart, bodyStart + packedLength(packed), version, from)
}

/** Decodes a frame that came one byte at a time. */
export const byteByByte: Feed = (frame, version, from) => {
  const chunks = Array.from(frame, (byte) => Buffer.from([byte]))
  return collected(chunks, version, from)
}

/** Decodes a frame that came in chunks of random length, some empty, the last of them with more behind it. */
export function atRandomCuts(random: () => number): Feed {
  return (frame, version, from) => {
    const chunks: Buffer[] = []
    for (let at = 0; at < frame.length; ) {
      const length = Math.floor(random() * random() * (frame.length - at + 1))
      chunks.push(frame.subarray(at, at + length))
      at += length
    }
    const last = chunks.pop() ?? frame
    return collected([...chunks, Buffer.concat([last, around])], version, from)
  }
}

function collected(chunks: Buffer[], version: ProtocolVersion | 0, from?: Sender): Packet {
  const collector = new FrameCollector(300_000)
  for (const chunk of chunks) {
    // At an odd offset within the chunk, as a connection hands it over.
    const offset = collector.push(Buffer.concat([around, chunk]), around.length, around.length + chunk.length)
    if (collector.complete) {
      if (chunk.length + around.length - offset > around.length) throw new Error('bytes of the frame were not taken')
      const { bodyStart } = collector
      const frame = collector.take()
      return decode(frame, 0, bodyStart, frame.length, version, from)
    }
  }
  throw new Error('the frame did not become complete')
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
