import { describe, expect, test } from 'vitest'
import { table } from '../../../src/cli/queue-table.ts'
import { bytes, duration, rate, shortened, textWidth, visible, visibleLines } from '../../../src/cli/queue-units.ts'

describe('figures for people', () => {
  test.each([
    [0, '0.0 s'],
    [349, '0.3 s'],
    [9_940, '9.9 s'],
    [10_000, '10 s'],
    [119_000, '119 s'],
    [120_000, '2 min'],
    [7_000_000, '117 min'],
    [7_200_000, '2 h 0 min'],
    [100_000_000, '27 h 46 min'],
    [200_000_000, '2 d 7 h'],
    [1e12, '11,574 d 1 h'],
  ])('%i ms are %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })

  test.each([
    [0, '0 bytes'],
    [1023, '1,023 bytes'],
    [1024, '1.0 KiB'],
    [2.5 * 1024 ** 3, '2.5 GiB'],
    [5000 * 1024 ** 4, '5000.0 TiB'],
  ])('%i bytes are %s', (value, text) => {
    expect(bytes(value)).toBe(text)
  })

  test.each([
    [0, '0'],
    [0.01, '<0.1'],
    [12.34, '12.3'],
    [1234.5, '1,235'],
  ])('%d a second is %s', (value, text) => {
    expect(rate(value)).toBe(text)
  })
})

describe('texts from the wire', () => {
  test.each([
    ['plain – ü 漢', 'plain – ü 漢'],
    ['\u001b[2J\u0007', '\\u001b[2J\\u0007'],
    ['a\nb\tc\u009b', 'a\\u000ab\\u0009c\\u009b'],
    ['\u202egpj.exe', '\\u202egpj.exe'],
    ['line\u2028separator', 'line\\u2028separator'],
    ['half \ud800', 'half \\ud800'],
  ])('cannot move the cursor: %j', (text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  test('of several lines stay lines', () => {
    expect(visibleLines('a\tb\r\nc\n\u001b')).toEqual(['a  b', 'c', '\\u001b'])
  })
})

describe('a table', () => {
  const columns = [
    { title: 'NAME', cell: ([name]: [string, number]) => name },
    { title: 'N', cell: ([, number]: [string, number]) => String(number), isFigure: true },
    { title: 'MORE', cell: () => 'more', isFigure: true, leaveOut: 1 },
  ]

  test('aligns names at the left and figures at the right', () => {
    expect(
      table(
        [
          ['a', 1],
          ['bcd', 234],
        ],
        columns,
        undefined,
      ),
    ).toBe('NAME    N  MORE\na       1  more\nbcd   234  more\n')
  })

  test('counts wide characters as two columns, and marks as none', () => {
    expect(textWidth('漢字e\u0301😀')).toBe(7)
    expect(
      table(
        [
          ['漢字', 1],
          ['e\u0301e', 2],
        ],
        columns,
        undefined,
      ),
    ).toBe('NAME  N  MORE\n漢字  1  more\ne\u0301e    2  more\n')
    expect(shortened('漢字漢字', 6)).toBe('漢字…')
  })

  test('leaves columns out, then shortens names, to fit the width', () => {
    const rows: [string, number][] = [['a-rather-long-name', 7]]
    expect(table(rows, columns, 22)).toBe('NAME           N  MORE\na-rather-lon…  7  more\n')
    expect(table(rows, columns, 17)).toBe('NAME            N\na-rather-long…  7\n')
    expect(table(rows, columns, 6)).toBe('NA…  N\na-…  7\n')
  })
})
