import { afterEach, expect, test, vi } from 'vitest'
import { queueCommands } from '../../../../src/admin/queue-commands.ts'
import { PowerCutWorld, socket } from '../power-cut-world.ts'
import { checkerMinutes, checkerSeed, repeatedBy } from '../settings.ts'
import { declareAll } from './declare.ts'
import { EngineTap } from './engine-tap.ts'
import { mqttTap } from './mqtt-tap.ts'
import { checkQueues, type QueueOutcome, type QueueWays } from './queue-checker.ts'

vi.mock('../../../../src/store/level/open-folder.ts', () => ({ openFolder: async () => socket.next?.() }))

const SHORT_MS = 6_000
const REST_MS = 120_000

let world: PowerCutWorld | undefined

afterEach(() => world?.stop())

/** Consumers in the process and over MQTT compete. */
function run(power: PowerCutWorld, seed: number, forMs: number, finishMs?: number): Promise<QueueOutcome> {
  const never = new AbortController().signal
  const ways: QueueWays = {
    engine: () => power.queues,
    begin: () => declareAll(power.queues),
    ask: async (command, given) => queueCommands(power.queues).get(command)?.({ ...given }, () => {}, never),
    tapFor: (stage, plan, index) =>
      index % 2 === 0 ? new EngineTap(stage, () => power.queues, plan.prefetch) : mqttTap(stage, plan, index),
  }
  return checkQueues(power, ways, seed, forMs, finishMs)
}

test('queues on a disk that forgets everything after the last sync keep every promise that was acknowledged', {
  timeout: Math.max(checkerMinutes * 60_000, SHORT_MS) + REST_MS,
}, async () => {
  const seed = checkerSeed()
  console.log(repeatedBy(seed))
  world = new PowerCutWorld(seed)
  const outcome = await run(world, seed, checkerMinutes > 0 ? checkerMinutes * 60_000 : SHORT_MS)
  console.log(JSON.stringify({ ...outcome, syncs: world.disk.synced }))
  expect(outcome.violations).toEqual([])
  expect(outcome.rounds).toBeGreaterThan(5)
  expect(outcome.counts.acknowledged).toBeGreaterThan(200)
  for (const [name, count] of Object.entries(outcome.queues)) expect({ name, count }).not.toEqual({ name, count: 0 })
})

test('the checker of the queues finds a disk that forgets what it has called synced', {
  timeout: REST_MS,
}, async () => {
  world = new PowerCutWorld(1)
  world.disk.lies = true
  const { violations } = await run(world, 1, SHORT_MS, 200)
  expect(violations).not.toEqual([])
})
