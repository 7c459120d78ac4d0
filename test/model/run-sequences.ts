import fc from 'fast-check'
import { script, sequences } from './action.ts'
import { SequenceRun } from './sequence-run.ts'
import type { World } from './sequence-run.ts'

/** The same sequences in every run, unless somebody explores: `npm run test:model -- --minutes N --seed N`. */
const minutes = Number(process.env['SLUICE_TEST_MODEL_MINUTES'] ?? 0)
const seed = Number(process.env['SLUICE_TEST_MODEL_SEED'] ?? 1)
const RUNS_EACH = 20
const SHRINK_MS = 120_000

/** How long a test may take that explores, or shrinks what it finds. */
export const timeoutMs = minutes * 60_000 + SHRINK_MS + 30_000

/**
 * Lets random sequences happen in a world: `rounds` of `RUNS_EACH`, or as many as the minutes to explore allow. A
 * difference is shrunk and thrown as a script. Returns how many have run.
 */
export async function runSequences(world: World, rounds: number): Promise<number> {
  const endMs = performance.now() + minutes * 60_000
  let runs = 0
  const property = fc.asyncProperty(sequences(world.onDisk), async (actions) => {
    runs++
    try {
      await new SequenceRun(world).run(actions)
    } catch (error) {
      throw new Error(`${(error as Error).message}\nafter\n${script(actions)}\n`, { cause: error })
    }
  })
  for (let round = 0; minutes === 0 ? round < rounds : performance.now() < endMs; round++) {
    await fc.assert(property, { seed: seed + round, numRuns: RUNS_EACH, interruptAfterTimeLimit: SHRINK_MS })
  }
  return runs
}
