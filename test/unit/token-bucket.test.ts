import { describe, expect, test } from 'vitest'
import { TokenBucket } from '../../src/base/token-bucket.ts'

describe('a token bucket', () => {
  test('has a second in hand, and then gives what the rate says', () => {
    const bucket = new TokenBucket(10, 0)
    for (let index = 0; index < 10; index++) {
      expect(bucket.waitMs(0)).toBe(0)
      bucket.take(1)
    }
    expect(bucket.waitMs(0)).toBe(100)
    expect(bucket.waitMs(99)).toBe(1)
    expect(bucket.waitMs(100)).toBe(0)
  })

  test('waits for a debt', () => {
    const bucket = new TokenBucket(1000, 0)
    bucket.take(3500)
    expect(bucket.waitMs(0)).toBe(2501)
    expect(bucket.waitMs(2501)).toBe(0)
  })

  test('saves up no more than a second', () => {
    const bucket = new TokenBucket(10, 0)
    expect(bucket.waitMs(3_600_000)).toBe(0)
    bucket.take(10)
    expect(bucket.waitMs(3_600_000)).toBe(100)
  })

  test('is not upset by a clock that is set back', () => {
    const bucket = new TokenBucket(10, 100_000)
    bucket.take(10)
    expect(bucket.waitMs(0)).toBe(100)
    expect(bucket.waitMs(100)).toBe(0)
  })

  test('keeps the rate over small steps', () => {
    const bucket = new TokenBucket(333, 0)
    bucket.take(333)
    let taken = 0
    for (let now = 1; now <= 10_000; now++) {
      while (bucket.waitMs(now) === 0) {
        bucket.take(1)
        taken++
      }
    }
    expect(taken).toBeGreaterThanOrEqual(3329)
    expect(taken).toBeLessThanOrEqual(3330)
  })
})
