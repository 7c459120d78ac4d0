import { describe, expect, it } from 'vitest'
import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import { ProtocolError } from '../../../src/wire/mqtt/protocol-error.ts'
import {
  connackReturnCode,
  ReasonCode,
  reasonCodeOfReturnCode,
  reasonName,
} from '../../../src/wire/mqtt/reason-codes.ts'

describe('a reason code', () => {
  it('has a name for people', () => {
    expect([0x00, 0x02, 0x8e, 0x9b, 0xa2].map(reasonName)).toEqual([
      '0x00 success',
      '0x02 granted QoS2',
      '0x8e session taken over',
      '0x9b QoS not supported',
      '0xa2 wildcard subscriptions not supported',
    ])
  })

  it('is a number where the standard gives it no name', () => {
    expect(reasonName(0x7f)).toBe('0x7f')
  })

  it('is one of the 43 of section 2.4', () => {
    expect(new Set(Object.values(ReasonCode)).size).toBe(43)
  })

  it('stands in front of what an error says', () => {
    expect(new ProtocolError(0x95, 'too long').describe()).toBe('0x95 packet too large: too long')
  })
})

describe('the code in CONNACK', () => {
  it('is the reason code itself in version 5', () => {
    expect(connackReturnCode(0x9f, 5)).toBe(0x9f)
  })

  for (const version of [3, 4] as ProtocolVersion[]) {
    it(`is one of the five return codes in version ${version}`, () => {
      const codes = [0, 0x84, 0x85, 0x88, 0x86, 0x87, 0x8a, 0x89].map((code) => connackReturnCode(code, version))
      expect(codes).toEqual([0, 1, 2, 3, 4, 5, 5, 3])
    })

    it(`is none in version ${version} for what no return code says`, () => {
      expect([0x81, 0x82, 0x90, 0x95].map((code) => connackReturnCode(code, version))).toEqual(Array(4).fill(undefined))
    })
  }

  it('is read as the reason code that says the same', () => {
    expect([0, 1, 2, 3, 4, 5, 6].map(reasonCodeOfReturnCode)).toEqual([0, 0x84, 0x85, 0x88, 0x86, 0x87, undefined])
  })
})
