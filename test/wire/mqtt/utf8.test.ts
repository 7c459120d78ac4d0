import { describe, expect, it } from 'vitest'
import { isValidUtf8 } from '../../../src/wire/mqtt/utf8.ts'

// Each of them alone and behind so much text that the native check does the work.
const paddings = [0, 1, 95, 96, 500]

describe('well-formed UTF-8', () => {
  for (const hex of [
    '',
    '7f',
    'c280',
    'dfbf',
    'e0a080',
    'ed9fbf',
    'ee8080',
    'efbfbf',
    'f0908080',
    'f48fbfbf',
    'efbbbf',
  ]) {
    it(`is ${hex || 'no bytes'}`, () => {
      expect(paddings.map((padding) => isValid(hex, padding))).toEqual(paddings.map(() => true))
    })
  }
})

describe('what is not well-formed, or not allowed', () => {
  const invalid = [
    '00',
    '80',
    'bf',
    'c0af',
    'c080',
    'c1bf',
    'c2',
    'e0809f',
    'e28',
    'e282',
    'eda080',
    'edbfbf',
    'f08080af',
  ]
  for (const hex of [...invalid, 'f09080', 'f4908080', 'f5808080', 'f888808080', 'fe', 'ff', 'c328', 'e28228']) {
    it(`is ${hex}`, () => {
      expect(paddings.map((padding) => isValid(hex, padding))).toEqual(paddings.map(() => false))
    })
  }

  it('is U+0000 after a character of several bytes', () => {
    expect([isValid('c3a400', 0), isValid('00c3a4', 0), isValid('c3a400', 200)]).toEqual([false, false, false])
  })
})

it('looks at nothing outside its bounds', () => {
  const buffer = Buffer.from('ff61c3a4ff', 'hex')
  expect([isValidUtf8(buffer, 1, 4), isValidUtf8(buffer, 1, 3), isValidUtf8(buffer, 1, 5)]).toEqual([
    true,
    false,
    false,
  ])
})

function isValid(hex: string, padding: number): boolean {
  const buffer = Buffer.concat([
    Buffer.from([0xff]),
    Buffer.alloc(padding, 'a'),
    Buffer.from(hex, 'hex'),
    Buffer.from([0xff]),
  ])
  return isValidUtf8(buffer, 1, buffer.length - 1)
}
