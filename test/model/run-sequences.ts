import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { script, sequences } from './action.ts'
import { SequenceRun } from './sequence-run.ts'
import type { World } from './sequence-run.ts'

/** The same sequences in every run, unless somebody explores: `npm run test:model -- --minutes N --seed N`. */
const minutes = Number(process.env['SLUICE_TEST_MODEL_MINUTES'] ?? 0)
const seed = Number(process.env['SLUICE_TEST_MODEL_SEED'] ?? 1)
const RUNS_EACH = 20
/** A slow machine gets less far. */
const RUNNING_MS = minutes > 0 ? minutes * 60_000 : 30_000
const SHRINK_MS = 90_000

/** How long a test may take that explores, or shrinks what it finds. */
export const timeoutMs = RUNNING_MS + SHRINK_MS + 30_000

/**
 * Lets random sequences happen in a world: `rounds` of `RUNS_EACH`, or as many as the time allows, and one in any case.
 * A difference is shrunk and thrown as a script. Returns how many rounds have passed.
 */
export async function runSequences(name: string, world: World, rounds: number): Promise<number> {
  const endMs = performance.now() + RUNNING_MS
  const property = fc.asyncProperty(sequences(world.onDisk), async (actions) => {
    try {
      await new SequenceRun(world).run(actions)
    } catch (error) {
      throw new Error(`${(error as Error).message}\nafter\n${script(actions)}\n`, { cause: error })
    }
  })
  let round = 0
  do {
    const limit = { numRuns: RUNS_EACH, interruptAfterTimeLimit: SHRINK_MS }
    try {
      await fc.assert(property, { seed: seedOf(name, round), ...limit })
    } catch (error) {
      throw new Error(`${name}, seed ${seed}, round ${round}: ${(error as Error).message}`, { cause: error })
    }
    round++
  } while (performance.now() < endMs && (minutes > 0 || round < rounds))
  if (minutes > 0 || round < rounds) process.stdout.write(`model ${name}: ${round} rounds of seed ${seed}\n`)
  return round
}

/** Neighbouring seeds have no rounds in common. */
function seedOf(name: string, round: number): number {
  return createHash('sha256').update(`${name} ${seed} ${round}`).digest().readInt32LE()
}
