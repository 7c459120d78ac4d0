import fc from 'fast-check'

/**
 * Random input is the same in every run, so that nothing fails by chance where nothing has changed. Who looks for more
 * names another seed, and how many times as long to look: `SLUICE_TEST_FUZZ_SEED=5 SLUICE_TEST_FUZZ_TIMES=20`.
 */
export const fuzzSeed = Number(process.env['SLUICE_TEST_FUZZ_SEED'] ?? 1)
export const fuzzTimes = Number(process.env['SLUICE_TEST_FUZZ_TIMES'] ?? 1)

// For the properties that say nothing of their runs.
fc.configureGlobal({ seed: fuzzSeed })

/** At most so many runs, and no more than there is time for: a slow machine does the first of them. */
export function runsWithin(numRuns: number, limitMs: number): fc.Parameters<unknown> {
  return {
    seed: fuzzSeed,
    numRuns: numRuns * fuzzTimes,
    interruptAfterTimeLimit: limitMs * fuzzTimes,
    markInterruptAsFailure: false,
  }
}
