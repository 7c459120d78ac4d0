import { describe, expect, test } from 'vitest'
import { tableOf } from '../../../src/message/plain-table.ts'
import { QUEUE_ARGUMENT_NAMES, queueArgumentTable } from '../../../src/message/queue-arguments.ts'
import { KNOWN_ARGUMENTS } from '../../../src/queue/queue-settings.ts'

describe('the arguments of a queue in code', () => {
  test('have one readable name for each that has a meaning', () => {
    const meaningless = ['x-queue-mode', 'x-queue-version']
    const named = new Set(QUEUE_ARGUMENT_NAMES.values())
    expect(named.size).toBe(QUEUE_ARGUMENT_NAMES.size)
    expect(KNOWN_ARGUMENTS.filter((name) => !meaningless.includes(name) && !named.has(name))).toEqual([])
    expect([...named].filter((name) => !KNOWN_ARGUMENTS.includes(name))).toEqual([])
  })

  test('may be given under either name', () => {
    const table = queueArgumentTable({ maxLength: 3, 'x-message-ttl': 5, retryDelaysMs: [1, 2], overflow: undefined })
    expect([...table]).toEqual([
      ['x-max-length', 3],
      ['x-message-ttl', 5],
      ['x-retry-delays', [1, 2]],
    ])
  })

  test('are refused under both names at once', () => {
    expect(() => queueArgumentTable({ maxLength: 3, 'x-max-length': 3 })).toThrow(/'x-max-length' is given twice/)
  })

  test('are refused under a name that there is not', () => {
    expect(() => queueArgumentTable({ maxLenght: 3 })).toThrow(/'maxLenght' is no argument/)
    expect(() => queueArgumentTable({ constructor: 3 })).toThrow(/'constructor' is no argument/)
  })
})

describe('a table in code', () => {
  test('may hold tables and lists', () => {
    const table = tableOf({ a: { b: [1, { c: null }] }, d: undefined })
    expect(table.get('a')).toEqual(new Map([['b', [1, new Map([['c', null]])]]]))
    expect(table.has('d')).toBe(false)
  })

  test('holds no functions', () => {
    expect(() => tableOf({ a: (() => 1) as unknown as string })).toThrow(/'a' is a function/)
  })
})
