import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BrokerOptions } from '../../src/index.ts'
import { script, sequences } from './action.ts'
import { SequenceRun } from './sequence-run.ts'
import type { World } from './sequence-run.ts'

const SECONDS = Number(process.env['SLUICE_TEST_MODEL_SECONDS'] ?? 8)
const SEED = Number(process.env['SLUICE_TEST_MODEL_SEED'] ?? Date.now() % 1_000_000)
const RUNS_EACH = 20
const SHRINK_MS = 120_000

/** Hooks that permit all, after a turn of the event loop: the way of every packet is another one then. */
const hooks: BrokerOptions = {
  authenticate: (_client, _name, _password, done) => void setImmediate(done, null, true),
  // Not for wills: who takes their session up meanwhile may hear their own.
  authorizePublish: (_client, { topic }, done) =>
    void (topic.startsWith('a/w') ? done(null) : setImmediate(done, null)),
  authorizeSubscribe: (_client, subscription, done) => void setImmediate(done, null, subscription),
  authorizeForward: (_client, packet) => packet,
  published: (_packet, _client, done) => void setImmediate(done),
}

/** As many random sequences as the time allows; a difference is shrunk and printed as a script. */
async function compare(world: World): Promise<number> {
  const end = Date.now() + SECONDS * 1000
  let runs = 0
  const property = fc.asyncProperty(sequences(world.onDisk), async (actions) => {
    runs++
    try {
      await new SequenceRun(world).run(actions)
    } catch (error) {
      throw new Error(`${(error as Error).message}\nafter\n${script(actions)}\n`, { cause: error })
    }
  })
  for (let round = 0; Date.now() < end; round++) {
    await fc.assert(property, { seed: SEED + round, numRuns: RUNS_EACH, interruptAfterTimeLimit: SHRINK_MS })
  }
  return runs
}

describe('the broker does as the reference broker', () => {
  const timeout = SECONDS * 1000 + SHRINK_MS + 10_000

  it('in memory', { timeout }, async () => {
    expect(await compare({ onDisk: false, areHooksSlow: false, hooks: {} })).toBeGreaterThan(0)
  })

  it('on disk, over restarts', { timeout }, async () => {
    expect(await compare({ onDisk: true, areHooksSlow: false, hooks: {} })).toBeGreaterThan(0)
  })

  it('with hooks that take their time', { timeout }, async () => {
    expect(await compare({ onDisk: false, areHooksSlow: true, hooks })).toBeGreaterThan(0)
  })
})
