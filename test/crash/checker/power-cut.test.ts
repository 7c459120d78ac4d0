import { afterEach, expect, test, vi } from 'vitest'
import { check } from './checker.ts'
import { PowerCutWorld, socket } from './power-cut-world.ts'
import { checkerMinutes, checkerSeed, repeatedBy } from './settings.ts'

vi.mock('../../../src/store/level/open-folder.ts', () => ({ openFolder: async () => socket.next?.() }))

const SHORT_MS = 10_000
const STALL_CHANCE = 0.05
// On a machine that is busy with other things, too.
const REST_MS = 400_000

let world: PowerCutWorld | undefined

afterEach(() => world?.stop())

test('a broker whose disk forgets everything after the last sync keeps every promise that it has acknowledged', {
  timeout: Math.max(checkerMinutes * 60_000, SHORT_MS) + REST_MS,
}, async () => {
  const seed = checkerSeed()
  console.log(repeatedBy(seed))
  world = new PowerCutWorld(seed)
  world.stallChance = STALL_CHANCE
  const outcome = await check(world, seed, checkerMinutes > 0 ? checkerMinutes * 60_000 : SHORT_MS)
  console.log(JSON.stringify({ ...outcome, syncs: world.disk.synced }))
  expect(outcome.violations).toEqual([])
  expect(outcome.missing).toEqual([])
})

test('the same checker finds a disk that forgets what it has called synced', { timeout: REST_MS }, async () => {
  world = new PowerCutWorld(1)
  world.disk.lies = true
  const { violations } = await check(world, 1, SHORT_MS, 200)
  expect(violations).not.toEqual([])
})
