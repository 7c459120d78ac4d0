import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode } from '../../src/wire/mqtt/decode.ts'
import { encode } from '../../src/wire/mqtt/encode.ts'
import { LENGTH_MALFORMED, packedLength, packedWidth, readRemainingLength } from '../../src/wire/mqtt/frame.ts'
import { FrameCollector, packetTooLarge } from '../../src/wire/mqtt/frame-collector.ts'
import type { Packet, ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import type { Sender } from '../../src/wire/mqtt/packet-type.ts'
import { malformed, ProtocolError } from '../../src/wire/mqtt/protocol-error.ts'
import { runsWithin } from '../support/property-runs.ts'
import { arbitrarySent } from '../wire/mqtt/arbitrary-packet.ts'
import { atRandomCuts, byteByByte, type Feed, randomFrom, whole } from '../wire/mqtt/feed.ts'

const settings = runsWithin(4000, 8000)

const version = fc.constantFrom<ProtocolVersion | 0>(0, 3, 4, 5)
const sender = fc.constantFrom<Sender>('client', 'broker')

/** A body of any bytes, or of bytes that often mean something, behind any first byte. */
const randomFrame = fc
  .tuple(
    fc.integer({ min: 0, max: 255 }),
    fc.array(
      fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 0, 0, 1, 2, 3, 0x61, 0x26, 0x0b, 0x23, 0x1f)),
    ),
  )
  .map(([first, body]) => framed(first, Buffer.from(body)))

/** A valid packet with some bytes changed, left out, put in or cut off; its length is set right again. */
const mutatedFrame = fc
  .tuple(
    arbitrarySent(),
    fc.array(
      fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.constantFrom('change', 'remove', 'insert', 'cut')),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
  )
  .map(([{ packet, version: level, from }, mutations]) => {
    const frame = encode(packet, level)
    const body = Array.from(frame.subarray(1 + packedWidth(readRemainingLength(frame, 1, frame.length))))
    let first = frame[0] ?? 0
    for (const [where, byte, how] of mutations) {
      const at = where % (body.length + 1)
      if (at === body.length && how === 'change') first = byte
      else if (how === 'change') body[at] = byte
      else if (how === 'remove') body.splice(at, 1)
      else if (how === 'insert') body.splice(at, 0, byte)
      else body.length = at
    }
    const before: ProtocolVersion | 0 = packet.type === 'connect' ? 0 : level
    return { frame: framed(first, Buffer.from(body)), version: before, from }
  })

describe('a decoder given random bytes', () => {
  it('reads them or says ProtocolError', () => {
    fc.assert(
      fc.property(randomFrame, version, sender, (frame, level, from) => {
        expect(['packet', 'refusal']).toContain(outcome(whole, frame, level, from).kind)
      }),
      settings,
    )
  })
})

describe('a decoder given packets with bytes changed', () => {
  it('reads them or says ProtocolError', () => {
    fc.assert(
      fc.property(mutatedFrame, ({ frame, version: level, from }) => {
        expect(['packet', 'refusal']).toContain(outcome(whole, frame, level, from).kind)
      }),
      settings,
    )
  })

  it('sees nothing of the bytes around the frame', () => {
    fc.assert(
      fc.property(mutatedFrame, fc.integer({ min: 0, max: 255 }), ({ frame, version: level, from }, byte) => {
        const alone: Feed = (bytes) => decodeAt(bytes, 0, bytes.length, level, from)
        const between: Feed = (bytes) => {
          const border = Buffer.alloc(9, byte)
          return decodeAt(Buffer.concat([border, bytes, border]), 9, 9 + bytes.length, level, from)
        }
        expect(outcome(between, frame, level, from)).toEqual(outcome(alone, frame, level, from))
      }),
      settings,
    )
  })

  it('says the same however they are cut', () => {
    const feeds = [byteByByte, atRandomCuts(randomFrom(7))]
    fc.assert(
      fc.property(mutatedFrame, ({ frame, version: level, from }) => {
        const expected = outcome(whole, frame, level, from)
        for (const feed of feeds) expect(outcome(feed, frame, level, from)).toEqual(expected)
      }),
      runsWithin(1500, 8000),
    )
  })

  it('gives nothing that is larger than the frame', () => {
    fc.assert(
      fc.property(mutatedFrame, ({ frame, version: level, from }) => {
        const { packet } = outcome(whole, frame, level, from)
        expect(contentBytes(packet)).toBeLessThanOrEqual(frame.length)
      }),
      settings,
    )
  })

  it('reads again what the encoder makes of what it read', () => {
    fc.assert(
      fc.property(mutatedFrame, ({ frame, version: level, from }) => {
        const { packet } = outcome(whole, frame, level, from)
        fc.pre(packet !== undefined)
        const written = encode(packet, packet.type === 'connect' ? packet.version : level || 4)
        expect(whole(written, level, from)).toEqual(packet)
      }),
      runsWithin(1500, 8000),
    )
  })
})

/** Some packets of one client one after the other, of which a few are damaged, their lengths included. */
const stream = fc
  .tuple(
    fc.constantFrom<ProtocolVersion>(3, 4, 5),
    fc.array(fc.tuple(arbitrarySent(), fc.nat(3), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
  )
  .map(([level, all]) => {
    const frames = all
      .filter(([{ version: own, from }]) => own === level && from === 'client')
      .map(([{ packet }, fate, where, byte]) => {
        const frame = Buffer.from(encode(packet, level))
        if (fate === 0) frame[where % frame.length] = byte
        // In the length, whose last byte is at 4 at most.
        if (fate === 1) frame[1 + (where % Math.min(4, frame.length - 1))] = byte
        return frame
      })
    return { level, bytes: Buffer.concat(frames) }
  })

describe('a stream of frames whose lengths may be wrong', () => {
  it('is read as the same packets however it is cut', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(stream, cuts, ({ level, bytes }, sizes) => {
        const expected = readAtOnce(bytes, level)
        expect(readInPieces(bytes, level, [1])).toEqual(expected)
        expect(readInPieces(bytes, level, sizes)).toEqual(expected)
      }),
      runsWithin(1500, 800),
    )
  })
})

describe('a frame collector given random bytes', () => {
  it('takes them or says ProtocolError, and never keeps more than it may', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (chunks) => {
        const packetBytesMax = 5000
        const collector = new FrameCollector(packetBytesMax)
        try {
          for (const chunk of chunks.map((array) => Buffer.from(array))) {
            for (let at = 0; at < chunk.length; ) {
              const after = collector.push(chunk, at, chunk.length)
              expect(after).toBeGreaterThan(at)
              at = after
              if (collector.complete) expect(collector.take().length).toBeLessThanOrEqual(packetBytesMax)
            }
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error
        }
        expect(collector.allocatedBytes).toBeLessThanOrEqual(packetBytesMax)
      }),
      settings,
    )
  })
})

interface Outcome {
  kind: 'packet' | 'refusal'
  packet?: Packet
  refusal?: string
}

function outcome(feed: Feed, frame: Buffer, level: ProtocolVersion | 0, from: Sender): Outcome {
  try {
    return { kind: 'packet', packet: feed(frame, level, from) }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { kind: 'refusal', refusal: `${error.version} ${error.describe()}` }
  }
}

const PACKET_BYTES_MAX = 5000

interface Reading {
  readonly packets: Packet[]
  /** Undefined: the rest is not a whole frame. */
  refusal?: string
}

function reading(read: (found: Packet[]) => void): Reading {
  const packets: Packet[] = []
  try {
    read(packets)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { packets, refusal: error.describe() }
  }
  return { packets }
}

/** As a connection reads what came in one chunk. */
function readAtOnce(bytes: Buffer, level: ProtocolVersion): Reading {
  return reading((packets) => {
    for (let at = 0; at < bytes.length; ) {
      const packed = readRemainingLength(bytes, at + 1, bytes.length)
      if (packed === LENGTH_MALFORMED) throw malformed('the remaining length is malformed')
      if (packed < 0) return
      const bodyStart = at + 1 + packedWidth(packed)
      const end = bodyStart + packedLength(packed)
      if (end - at > PACKET_BYTES_MAX) throw packetTooLarge(end - at, PACKET_BYTES_MAX)
      if (end > bytes.length) return
      packets.push(own(decode(bytes, at, bodyStart, end, level, 'client')))
      at = end
    }
  })
}

function readInPieces(bytes: Buffer, level: ProtocolVersion, sizes: readonly number[]): Reading {
  return reading((packets) => {
    const collector = new FrameCollector(PACKET_BYTES_MAX)
    for (let start = 0, i = 0; start < bytes.length; i++) {
      const end = Math.min(start + (sizes[i % sizes.length] as number), bytes.length)
      for (let at = start; at < end; ) {
        at = collector.push(bytes, at, end)
        if (!collector.complete) continue
        const { bodyStart } = collector
        const frame = collector.take()
        packets.push(own(decode(frame, 0, bodyStart, frame.length, level, 'client')))
      }
      start = end
    }
  })
}

/** What is a view into a chunk, and what is a copy, compare alike. */
function own(packet: Packet): Packet {
  return structuredClone(packet)
}

function decodeAt(buffer: Buffer, start: number, end: number, level: ProtocolVersion | 0, from: Sender): Packet {
  const bodyStart = start + 1 + packedWidth(readRemainingLength(buffer, start + 1, end))
  return decode(buffer, start, bodyStart, end, level, from)
}

function framed(first: number, body: Buffer): Buffer {
  const length: number[] = []
  for (let rest = body.length; ; rest >>= 7) {
    if (rest < 128) {
      length.push(rest)
      break
    }
    length.push((rest & 127) | 128)
  }
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

/** Bytes in all strings and buffers of a packet, the names of its own fields and kind left out. */
function contentBytes(value: unknown): number {
  if (Buffer.isBuffer(value)) return value.length
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + contentBytes(item), 0)
  if (typeof value !== 'object' || value === null) return 0
  return Object.entries(value).reduce((sum, [name, item]) => sum + (name === 'type' ? 0 : contentBytes(item)), 0)
}
