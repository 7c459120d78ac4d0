import { describe, expect, it } from 'vitest'
import {
  frameBytes,
  LENGTH_INCOMPLETE,
  LENGTH_MALFORMED,
  lengthWidth,
  packedLength,
  packedWidth,
  readRemainingLength,
  writeLength,
} from '../../../src/wire/mqtt/frame.ts'

describe('a remaining length', () => {
  // The bounds of table 1-1 of the standard.
  const bounds: [length: number, hex: string][] = [
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [16_383, 'ff7f'],
    [16_384, '808001'],
    [2_097_151, 'ffff7f'],
    [2_097_152, '80808001'],
    [268_435_455, 'ffffff7f'],
  ]
  for (const [length, hex] of bounds) {
    it(`of ${length} is ${hex}`, () => {
      const read = Buffer.from(`30${hex}ff`, 'hex')
      const packed = readRemainingLength(read, 1, read.length)
      expect([packedLength(packed), packedWidth(packed)]).toEqual([length, hex.length / 2])
      const written = Buffer.alloc(4)
      const end = writeLength(written, 0, length)
      expect(written.toString('hex', 0, end)).toBe(hex)
      expect(lengthWidth(length)).toBe(end)
    })
  }

  for (const hex of ['', '80', 'ffff', 'ffffff']) {
    it(`is not complete in "${hex}"`, () => {
      // What is behind the end must not complete it.
      const read = Buffer.from(`${hex}01`, 'hex')
      expect(readRemainingLength(read, 0, hex.length / 2)).toBe(LENGTH_INCOMPLETE)
    })
  }

  for (const hex of ['80808080', 'ffffffff01', '8000', '808000', 'ffffff00', '80808000']) {
    it(`is malformed in ${hex} (MQTT-1.5.5-1)`, () => {
      const read = Buffer.from(hex, 'hex')
      expect(readRemainingLength(read, 0, read.length)).toBe(LENGTH_MALFORMED)
    })
  }
})

it('refuses to write a frame that no length can announce', () => {
  expect(frameBytes(268_435_455)).toBe(268_435_460)
  expect(() => frameBytes(268_435_456)).toThrow(RangeError)
})
