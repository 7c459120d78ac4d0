import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A test that checks nothing proves nothing.
    expect: { requireAssertions: true },
    testTimeout: 15_000,
    hookTimeout: 30_000,
  },
})
