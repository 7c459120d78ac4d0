import { afterEach, expect, test } from 'vitest'
import { ControlClient } from '../../../../src/admin/control-client.ts'
import { ChildWorld } from '../child-world.ts'
import { checkerMinutes, checkerSeed, repeatedBy } from '../settings.ts'
import { queueConfig } from './declare.ts'
import { mqttTap } from './mqtt-tap.ts'
import { checkQueues } from './queue-checker.ts'
import type { Ask } from './registrar.ts'

const SHORT_MS = 12_000
const REST_MS = 120_000

let world: ChildWorld | undefined

afterEach(() => world?.stop())

test('the queues of a broker that is killed again and again keep every promise that was acknowledged', {
  timeout: Math.max(checkerMinutes * 60_000, SHORT_MS) + REST_MS,
}, async () => {
  const seed = checkerSeed()
  console.log(repeatedBy(seed))
  const child = await ChildWorld.create(queueConfig())
  world = child
  const ask: Ask = async (command, given) => {
    const client = await ControlClient.connect(child.data)
    return client.ask(command, given).finally(() => client.close())
  }
  const forMs = checkerMinutes > 0 ? checkerMinutes * 60_000 : SHORT_MS
  const outcome = await checkQueues(world, { begin: async () => {}, ask, tapFor: mqttTap }, seed, forMs)
  console.log(JSON.stringify({ ...outcome, kills: world.kills }))
  expect(outcome.violations).toEqual([])
  expect(outcome.rounds).toBeGreaterThan(checkerMinutes > 0 ? 15 * checkerMinutes : 3)
  expect(outcome.counts.acknowledged).toBeGreaterThan(200)
})
