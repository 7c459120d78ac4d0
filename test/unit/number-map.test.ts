import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NumberMap } from '../../src/base/number-map.ts'
import '../support/property-runs.ts'

test('does what a Map does, whatever comes and goes', () => {
  // Few keys, so that they meet, among them such as have the same lower bits and such as do not fit into 32.
  const key = fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 40 }).map((n) => n * 2 ** 33),
  )
  const step = fc.record({ kind: fc.constantFrom('set', 'set', 'delete', 'clear'), key, value: fc.integer() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const map = new NumberMap<number>()
      const model = new Map<number, number>()
      for (const [at, { kind, key, value }] of steps.entries()) {
        if (kind === 'set') {
          map.set(key, value)
          model.set(key, value)
        } else if (kind === 'delete') expect(map.delete(key)).toBe(model.delete(key))
        else if (at % 50 === 0) {
          map.clear()
          model.clear()
        }
        expect([map.size, map.get(key), map.has(key)]).toEqual([model.size, model.get(key), model.has(key)])
      }
      expect(map.values().sort()).toEqual([...model.values()].sort())
      for (const [each, value] of model) expect(map.get(each)).toBe(value)
    }),
  )
})

test('holds what goes through it in a row, and is small again when it is empty', () => {
  const map = new NumberMap<string>()
  for (let key = 1; key <= 100_000; key++) {
    map.set(key, `value ${key}`)
    if (key > 1_000) expect(map.delete(key - 1_000)).toBe(true)
  }
  expect(map.size).toBe(1_000)
  expect(map.get(99_001)).toBe('value 99001')
  for (let key = 99_001; key <= 100_000; key++) map.delete(key)
  expect([map.size, map.get(100_000), Reflect.get(map, 'keys')]).toEqual([0, undefined, []])
})
