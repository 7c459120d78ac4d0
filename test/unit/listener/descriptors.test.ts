import { expect, test } from 'vitest'
import { connectionsWithin, descriptorsMax, parseLimits } from '../../../src/listener/descriptors.ts'

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             96365                96365                processes
Max open files            1024                 524288               files
Max locked memory         8388608              8388608              bytes
`

test('finds how many files may be open', () => {
  expect(parseLimits(LIMITS)).toBe(1024)
})

test('takes no figure for no limit', () => {
  expect(parseLimits(LIMITS.replace('1024', 'unlimited'))).toBeUndefined()
  expect(parseLimits('')).toBeUndefined()
})

test.runIf(process.platform === 'linux')('asks the system', () => {
  expect(descriptorsMax()).toBeGreaterThan(0)
})

test.each([
  [1_048_576, 1_048_448],
  [1024, 896],
  [256, 128],
  [100, 50],
])('of %d descriptors leaves connections %d', (descriptors, connections) => {
  expect(connectionsWithin(descriptors)).toBe(connections)
})
