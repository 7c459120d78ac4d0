import { afterEach, expect, test } from 'vitest'
import { check } from './checker.ts'
import { ChildWorld } from './child-world.ts'
import { checkerMinutes, checkerSeed, repeatedBy } from './settings.ts'

const SHORT_MS = 25_000
// On a machine that is busy with other things, too.
const REST_MS = 400_000

let world: ChildWorld | undefined

afterEach(() => world?.stop())

test('a broker that is killed again and again keeps every promise that it has acknowledged', {
  timeout: Math.max(checkerMinutes * 60_000, SHORT_MS) + REST_MS,
}, async () => {
  const seed = checkerSeed()
  console.log(repeatedBy(seed))
  world = await ChildWorld.create()
  const outcome = await check(world, seed, checkerMinutes > 0 ? checkerMinutes * 60_000 : SHORT_MS)
  console.log(JSON.stringify({ ...outcome, kills: world.kills }))
  expect(outcome.violations).toEqual([])
  expect(outcome.missing).toEqual([])
})
