import { ChangingReader } from './changing-reader.ts'
import { DeniedClient } from './denied-client.ts'
import { endSessions } from './farewell.ts'
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

const FINISH_MS = 30_000
const CHECK_ROUNDS = 5
/** One round in so many is long enough for what takes the broker some time while it is up. */
const CALM_ROUNDS = 20
const FIRST_CALM_ROUND = 5
/** However slow the machine is: what is to be seen at least, and how long is waited for it. */
const LEAST = { rounds: 20, acknowledged: 1000, denied: 10, delays: 1, lapses: 3 }
const LATE_MS_MAX = 180_000
const FAILED_START_CHANCE = 0.15

export interface Outcome {
  readonly seed: number
  readonly rounds: number
  readonly ways: Record<string, number>
  readonly counts: Journal['counts']
  readonly violations: readonly string[]
  /** What was not seen often enough. */
  readonly missing: readonly string[]
}

/**
 * Runs all actors against a broker that crashes for `forMs`, and until enough was seen; lets them come to their end, and
 * says what was wrong.
 */
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
  const groups = [new Group(stage, 'lasting', 'shared', false), new Group(stage, 'ending', 'shared', true)]
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
  const short = ['short 1', 'short 2', 'short 3', 'short 4'].map((name) => new ShortSession(stage, name))
  const readers = [...steady, ...changing, ...groups, willReader]
  const denied = new DeniedClient(stage, 'denied')
  const everyone = [...readers, ...publishers, ...wills, ...short, retained, denied]
  const ways: Record<string, number> = {}
  let rounds = 0
  const crash = async (): Promise<void> => {
    const way = await stage.crash(random)
    ways[way] = (ways[way] ?? 0) + 1
    rounds++
    const account = accountFor(await world.rows())
    retained.compare(account.retained, journal.now())
    const problems = [...account.problems, ...stage.sessions.problems(account)]
    const damage = rounds % CHECK_ROUNDS === 1 ? await world.check() : undefined
    for (const problem of damage === undefined ? problems : [...problems, damage]) {
      journal.violation(`round ${rounds}: ${problem}`)
    }
  }

  await stage.start()
  for (const one of [...steady, ...groups, willReader]) await one.prepare()
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
  const goesOn = (): boolean => {
    const lateMs = performance.now() - endAtMs
    return lateMs < 0 || (lateMs < LATE_MS_MAX && missingIn({ rounds, ...journal.counts }).length > 0)
  }
  while (goesOn() && journal.violations.length === 0) {
    const isCalm = rounds % CALM_ROUNDS === FIRST_CALM_ROUND
    await pause(isCalm ? random.between(3000, 4000) : random.between(50, 500))
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
  await endSessions(
    stage,
    [...short, ...wills].map(({ name }) => name),
  )
  for (const one of readers) await one.finish(finishMs)
  await retained.check()
  // The acknowledgements of what came last are stored with whatever is acknowledged after them.
  await pause(300)
  for (const one of everyone) one.leave()
  await pause(200)
  await stage.crash(random)
  await leavesNothing(stage, retained)
  const { counts, violations } = journal
  return { seed, rounds, ways, counts, violations, missing: missingIn({ rounds, ...counts }) }
}

function missingIn(seen: Record<keyof typeof LEAST, number>): string[] {
  return Object.entries(LEAST).flatMap(([name, least]) => {
    const count = seen[name as keyof typeof LEAST]
    return count < least ? [`${count} ${name}, and not ${least}`] : []
  })
}

/** Everything was delivered and acknowledged: only sessions, subscriptions and retained messages are left. */
async function leavesNothing(stage: Stage, retained: RetainedKeeper): Promise<void> {
  const { journal, world } = stage
  const account = accountFor(await world.rows())
  const { problems, entries, left, bodies, incoming, wills } = account
  retained.compare(account.retained, journal.now())
  for (const problem of [...problems, ...stage.sessions.problems(account)]) journal.violation(`at the end: ${problem}`)
  const damage = await world.check()
  if (damage !== undefined) journal.violation(`at the end: ${damage}`)
  if (entries > 0) journal.violation(`${entries} messages are left in the store: ${left.slice(0, 5).join(', ')}`)
  if (bodies > 0) journal.violation(`${bodies} shared messages are left in the store`)
  if (incoming > 0) journal.violation(`${incoming} incoming packet identifiers are left in the store`)
  if (wills.length > 0) journal.violation(`wills of ${wills.join()} are left in the store`)
}
