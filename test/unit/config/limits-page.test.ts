import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { configKeys } from '../../../src/config/keys.ts'

const page = readFileSync(new URL('../../../docs/limits.md', import.meta.url), 'utf8')

/** First cell in code quotes → the other cells. */
const rows = new Map(
  page
    .split('\n')
    .map((line) => /^\| `([\w.]+)` \| (.*) \|$/.exec(line))
    .flatMap((match) => (match?.[1] ? [[match[1], (match[2] ?? '').split(' | ')] as const] : [])),
)

const units = new Map([
  ['BytesMax', 'bytes'],
  ['BytesPerClientMax', 'bytes'],
  ['BytesPerSecondMax', 'bytes a second'],
  ['PerSecondMax', 'a second'],
  ['SecondsMax', 'seconds'],
  ['Seconds', 'seconds'],
  ['Ms', 'ms'],
])

describe('docs/limits.md', () => {
  test('has a row for each key of the configuration and for nothing else', () => {
    expect([...rows.keys()].toSorted()).toEqual(
      configKeys()
        .map(({ name }) => name)
        .toSorted(),
    )
  })

  test.each(configKeys())('tells the default of $name with its unit', ({ name, byDefault }) => {
    const unit = [...units].find(([end]) => name.endsWith(end))?.[1]
    const shown =
      typeof byDefault === 'number' && !name.endsWith('.port') ? byDefault.toLocaleString('en') : String(byDefault)
    expect(rows.get(name)?.[0]).toBe([`\`${shown}\``, unit].filter(Boolean).join(' '))
  })

  test.each(configKeys().filter(({ name }) => name.startsWith('limits.')))(
    'says what a client sees beyond $name',
    ({ name }) => {
      expect(rows.get(name)?.[1]?.length).toBeGreaterThan(40)
    },
  )
})
