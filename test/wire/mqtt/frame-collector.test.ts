import { describe, expect, it } from 'vitest'
import { FrameCollector } from '../../../src/wire/mqtt/frame-collector.ts'
import { ProtocolError } from '../../../src/wire/mqtt/protocol-error.ts'
import { bytes } from './notation.ts'

describe('a frame collector', () => {
  it('takes no more than one frame, and another one after it was taken', () => {
    const collector = new FrameCollector(100)
    const chunk = Buffer.concat([bytes('30 [ "a" ]'), bytes('c0 [ ]'), bytes('30')])
    expect(collector.push(chunk, 0, chunk.length)).toBe(5)
    expect(collector.take()).toEqual(bytes('30 [ "a" ]'))
    expect(collector.empty).toBe(true)
    expect(collector.push(chunk, 5, chunk.length)).toBe(7)
    expect(collector.bodyStart).toBe(2)
    expect(collector.take()).toEqual(bytes('c0 [ ]'))
    expect(collector.push(chunk, 7, chunk.length)).toBe(8)
    expect([collector.empty, collector.complete]).toEqual([false, false])
  })

  it('takes nothing from an empty chunk', () => {
    const collector = new FrameCollector(100)
    expect(collector.push(Buffer.alloc(0), 0, 0)).toBe(0)
    expect(collector.empty).toBe(true)
  })

  it('takes a frame of the allowed size', () => {
    const collector = new FrameCollector(10)
    const frame = bytes('30 [ "abcdef" ]')
    collector.push(frame, 0, frame.length)
    expect(collector.complete).toBe(true)
  })

  it('refuses a frame one byte longer as soon as its header is complete', () => {
    const collector = new FrameCollector(10)
    expect(collector.push(Buffer.from('30', 'hex'), 0, 1)).toBe(1)
    expect(() => collector.push(Buffer.from('09', 'hex'), 0, 1)).toThrow(
      expect.objectContaining({ name: 'ProtocolError', reasonCode: 0x95 }),
    )
  })

  it('refuses a malformed length at the byte that makes it so', () => {
    const collector = new FrameCollector(1000)
    const header = Buffer.from('30ffffff', 'hex')
    expect(collector.push(header, 0, 4)).toBe(4)
    const error = thrownBy(() => collector.push(Buffer.from('ff', 'hex'), 0, 1))
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error).toMatchObject({ reasonCode: 0x81 })
  })

  it('keeps no more than 4 KiB for a header that announces 256 MiB', () => {
    const collector = new FrameCollector(Number.POSITIVE_INFINITY)
    const header = Buffer.from('30ffffff7f0001', 'hex')
    collector.push(header, 0, header.length)
    expect(collector.allocatedBytes).toBeLessThanOrEqual(4096)
  })

  it('keeps no more than twice the bytes that came, however large the frame', () => {
    const collector = new FrameCollector(Number.POSITIVE_INFINITY)
    const header = Buffer.from('30ffffff7f', 'hex')
    collector.push(header, 0, header.length)
    const chunk = Buffer.alloc(10_000)
    const excess: number[] = []
    for (let came = header.length; came < 3_000_000; ) {
      came += collector.push(chunk, 0, chunk.length)
      excess.push(collector.allocatedBytes / came)
    }
    expect(Math.max(...excess)).toBeLessThanOrEqual(2)
  })

  it('allocates a frame of one byte at a time a few times only', () => {
    const collector = new FrameCollector(2_000_000)
    const frame = bytes('30 [ "a/b" 78*1000000 ]')
    const sizes = new Set<number>()
    for (let at = 0; at < frame.length; at++) {
      collector.push(frame, at, at + 1)
      sizes.add(collector.allocatedBytes)
    }
    expect(collector.take().equals(frame)).toBe(true)
    expect(sizes.size).toBeLessThan(12)
  })

  it('gives frames that share no memory with the chunk', () => {
    const collector = new FrameCollector(100)
    const chunk = bytes('30 [ "a" ]')
    collector.push(chunk, 0, chunk.length)
    const frame = collector.take()
    chunk.fill(0)
    expect(frame).toEqual(bytes('30 [ "a" ]'))
  })
})

function thrownBy(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
