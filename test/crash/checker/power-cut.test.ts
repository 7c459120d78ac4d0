import { afterEach, expect, test, vi } from 'vitest'
import { check } from './checker.ts'
import { PowerCutWorld, socket } from './power-cut-world.ts'
import { checkerMinutes, checkerSeed } from './settings.ts'

vi.mock('../../../src/store/level/open-folder.ts', () => ({ openFolder: async () => socket.next?.() }))

const SHORT_MS = 10_000
const REST_MS = 120_000

let world: PowerCutWorld | undefined

afterEach(() => world?.stop())

test('a broker whose disk forgets everything after the last sync keeps every promise that it has acknowledged', {
  timeout: Math.max(checkerMinutes * 60_000, SHORT_MS) + REST_MS,
}, async () => {
  const seed = checkerSeed()
  console.log(`seed ${seed}: repeat with npm run test:crash -- --seed ${seed}`)
  world = new PowerCutWorld(seed)
  const outcome = await check(world, seed, checkerMinutes > 0 ? checkerMinutes * 60_000 : SHORT_MS)
  console.log(JSON.stringify({ ...outcome, syncs: world.disk.synced }))
  expect(outcome.violations).toEqual([])
  expect(outcome.rounds).toBeGreaterThan(5)
  expect(outcome.counts.acknowledged).toBeGreaterThan(500)
  expect(outcome.counts.denied).toBeGreaterThan(0)
})

test('the same checker finds a disk that forgets what it has called synced', { timeout: REST_MS }, async () => {
  world = new PowerCutWorld(1)
  world.disk.lies = true
  const { violations } = await check(world, 1, SHORT_MS, 200)
  expect(violations).not.toEqual([])
})
