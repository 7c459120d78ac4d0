import { ChangingReader } from './changing-reader.ts'
import { Group } from './group.ts'
import { Journal } from './journal.ts'
import { Publisher } from './publisher.ts'
import { Random } from './random.ts'
import { RetainedKeeper } from './retained-keeper.ts'
import { ShortSession } from './short-session.ts'
import { pause, Stage } from './stage.ts'
import { SteadyReader } from './steady-reader.ts'
import { accountFor } from './store-account.ts'
import { WillClient } from './will-client.ts'
import { WillReader } from './will-reader.ts'
import type { World } from './world.ts'

const FINISH_MS = 15_000
const CHECK_ROUNDS = 5
const FAILED_START_CHANCE = 0.15

export interface Outcome {
  readonly seed: number
  readonly rounds: number
  readonly ways: Record<string, number>
  readonly counts: Journal['counts']
  readonly violations: readonly string[]
}

/** Runs all actors against a broker that crashes for `forMs`, lets them come to their end, and says what was wrong. */
export async function check(world: World, seed: number, forMs: number, finishMs = FINISH_MS): Promise<Outcome> {
  const random = new Random(seed)
  const journal = new Journal()
  const stage = new Stage(world, journal, random.fork())
  const retained = new RetainedKeeper(stage)
  const wills = [
    new WillClient(stage, 'will 4', 4, false),
    new WillClient(stage, 'will 5', 5, false),
    new WillClient(stage, 'delayed 1', 5, true),
    new WillClient(stage, 'delayed 2', 5, true),
  ]
  const willReader = new WillReader(stage, wills)
  const group = new Group(stage, 'shared')
  const steady = [
    new SteadyReader(stage, 'steady 4', 4, 'all', 2),
    new SteadyReader(stage, 'steady 5', 5, 'all', 2),
    new SteadyReader(stage, 'steady at 1', 5, 'all', 1),
  ]
  const changing = [
    new ChangingReader(stage, 'changing 4', 4, 'changing'),
    new ChangingReader(stage, 'changing 5', 5, 'changing'),
  ]
  const prefixes = ['all', 'all', 'shared', 'changing']
  const publishers = [
    new Publisher(stage, 'publisher 4', 4, prefixes),
    new Publisher(stage, 'publisher 5', 5, prefixes),
    new Publisher(stage, 'publisher 31', 3, prefixes),
  ]
  const short = [new ShortSession(stage, 'short 1'), new ShortSession(stage, 'short 2')]
  const readers = [...steady, ...changing, group, willReader]
  const everyone = [...readers, ...publishers, ...wills, ...short, retained]
  const ways: Record<string, number> = {}
  let rounds = 0
  const crash = async (): Promise<void> => {
    const way = await stage.crash(random)
    ways[way] = (ways[way] ?? 0) + 1
    rounds++
    const { problems } = accountFor(await world.rows())
    const damage = rounds % CHECK_ROUNDS === 1 ? await world.check() : undefined
    for (const problem of damage === undefined ? problems : [...problems, damage]) {
      journal.violation(`round ${rounds}: ${problem}`)
    }
  }

  await stage.start()
  for (const one of [...steady, group, willReader]) await one.prepare()
  const open = new Set<string>()
  const running = Promise.all(
    everyone.map(async (one, index) => {
      const name = `${one.constructor.name} ${index}`
      open.add(name)
      await one.run()
      open.delete(name)
    }),
  )
  const endAtMs = performance.now() + forMs
  while (performance.now() < endAtMs && journal.violations.length === 0) {
    await pause(random.between(50, 500))
    await crash()
    while (random.chance(FAILED_START_CHANCE)) {
      await world.failToStart(random)
      ways['killed while it started'] = (ways['killed while it started'] ?? 0) + 1
    }
    await stage.start()
    await retained.check()
  }
  stage.isEnding = true
  await Promise.race([running, pause(finishMs)])
  if (open.size > 0) journal.violation(`not all came to their end: ${[...open].join(', ')}`)
  for (const one of readers) await one.finish(finishMs)
  await retained.check()
  // The acknowledgements of what came last are stored with whatever is acknowledged after them.
  await pause(300)
  for (const one of everyone) one.leave()
  await pause(200)
  await stage.crash(random)
  await leavesNothing(stage, retained)
  return { seed, rounds, ways, counts: journal.counts, violations: journal.violations }
}

/** Everything was delivered and acknowledged: only sessions, subscriptions and retained messages are left. */
async function leavesNothing(stage: Stage, retained: RetainedKeeper): Promise<void> {
  const { journal, world } = stage
  const { problems, entries, left, bodies, incoming, retained: topics } = accountFor(await world.rows())
  for (const problem of problems) journal.violation(`at the end: ${problem}`)
  const damage = await world.check()
  if (damage !== undefined) journal.violation(`at the end: ${damage}`)
  if (entries > 0) journal.violation(`${entries} messages are left in the store: ${left.slice(0, 5).join(', ')}`)
  if (bodies > 0) journal.violation(`${bodies} shared messages are left in the store`)
  if (incoming > 0) journal.violation(`${incoming} incoming packet identifiers are left in the store`)
  const expected = retained.liveTopics
  const found = topics.filter((topic) => topic.startsWith('retained/')).toSorted()
  if (found.join() !== expected.toSorted().join()) {
    journal.violation(`the store retains ${found.join()}, and ${expected.join()} were acknowledged`)
  }
}
