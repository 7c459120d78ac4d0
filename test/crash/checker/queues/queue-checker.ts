import type { Queues } from '../../../../src/queue/queues.ts'
import { Journal } from '../journal.ts'
import { Random } from '../random.ts'
import { pause, Stage } from '../stage.ts'
import type { World } from '../world.ts'
import { EnginePublisher } from './engine-publisher.ts'
import { Ledger, type QueueSent } from './ledger.ts'
import { accountOf, definitionProblems } from './queue-account.ts'
import { QueuePublisher } from './queue-publisher.ts'
import { type Ask, Registrar } from './registrar.ts'
import type { Tap } from './tap.ts'
import { plans, type QueuePlan } from './topology.ts'
import { Worker } from './worker.ts'

const FINISH_MS = 15_000
const CHECK_ROUNDS = 5
const FAILED_START_CHANCE = 0.15
/** What keeps nothing once all messages are gone. */
const EMPTY_KINDS = ['queued messages', 'shared messages', 'redelivery counts', 'delayed messages']
const MARKS = 1

export interface QueueOutcome {
  readonly seed: number
  readonly rounds: number
  readonly ways: Record<string, number>
  readonly counts: Journal['counts']
  /** Messages that were seen in each queue. */
  readonly queues: Record<string, number>
  readonly violations: readonly string[]
}

/** How the checker gets at the queues of a world. */
export interface QueueWays {
  /** Declares them on the broker's first start. */
  readonly begin: () => Promise<void>
  readonly ask: Ask
  /** How each consumer consumes. */
  readonly tapFor: (stage: Stage, plan: QueuePlan, index: number) => Tap
  /** The engine of the broker, where it is in this process. */
  readonly engine?: () => Queues
}

/**
 * Publishers fill bound queues and competing consumers empty them, over a broker that crashes for `forMs`; then
 * everything is brought to its end, and what became of each message is compared with what was promised.
 */
export async function checkQueues(
  world: World,
  { begin, ask, tapFor, engine }: QueueWays,
  seed: number,
  forMs: number,
  finishMs = FINISH_MS,
): Promise<QueueOutcome> {
  const random = new Random(seed)
  const journal = new Journal()
  const stage = new Stage(world, journal, random.fork())
  const sent = new Map<string, QueueSent>()
  const serials = new Map<string, number>()
  const publishers = [
    new QueuePublisher(stage, 'queuer 4', 4, sent, serials),
    new QueuePublisher(stage, 'queuer 5', 5, sent, serials),
    new QueuePublisher(stage, 'queuer 31', 3, sent, serials),
  ]
  const insiders = engine === undefined ? [] : [new EnginePublisher(stage, engine, sent)]
  const ledgers = makeLedgers(journal, sent)
  const workers = ledgers.flatMap((ledger) =>
    Array.from({ length: ledger.plan.workers }, (_, index) => {
      return new Worker(stage, tapFor(stage, ledger.plan, index), ledger)
    }),
  )
  const registrar = new Registrar(stage, ask)
  const ways: Record<string, number> = {}
  let rounds = 0
  const crash = async (): Promise<void> => {
    const way = await stage.crash(random)
    ways[way] = (ways[way] ?? 0) + 1
    rounds++
    const rows = await world.rows()
    registrar.check(rows)
    const problems = [...definitionProblems(rows), ...(await accountOf(rows)).damaged]
    const damage = rounds % CHECK_ROUNDS === 1 ? await world.check() : undefined
    for (const problem of damage === undefined ? problems : [...problems, damage]) {
      journal.violation(`round ${rounds}: ${problem}`)
    }
  }

  await stage.start()
  await begin()
  const publishing = Promise.all([...publishers, ...insiders].map((each) => each.run()))
  const working = Promise.all(workers.map((each) => each.run()))
  const registering = registrar.run()
  const endAtMs = performance.now() + forMs
  while (performance.now() < endAtMs && journal.violations.length === 0) {
    await pause(random.between(50, 500))
    await crash()
    while (random.chance(FAILED_START_CHANCE)) {
      await world.failToStart(random)
      ways['killed while it started'] = (ways['killed while it started'] ?? 0) + 1
    }
    await stage.start()
  }
  stage.isEnding = true
  for (const each of workers) each.drain()
  let arePublished = false
  await Promise.race([publishing.then(() => (arePublished = true)), pause(finishMs)])
  if (!arePublished) journal.violation('not everything that was published was acknowledged')
  // Delays, retries and times to live are over by then.
  await pause(500)
  for (let waited = 0; waited < finishMs && ledgers.some((each) => each.missing() !== undefined); waited += 50) {
    await pause(50)
  }
  await Promise.race([registering, pause(finishMs)])
  for (const each of workers) each.end()
  await Promise.race([working, pause(finishMs)])
  for (const ledger of ledgers) ledger.finish()
  for (const each of publishers) each.leave()
  await pause(200)
  await stage.crash(random)
  await leavesNothing(stage)
  const queues = Object.fromEntries(ledgers.map(({ plan, size }) => [plan.name, size]))
  return { seed, rounds, ways, counts: journal.counts, queues, violations: journal.violations }
}

function makeLedgers(journal: Journal, sent: ReadonlyMap<string, QueueSent>): Ledger[] {
  const byName = new Map<string, Ledger>()
  for (const plan of plans) {
    const source = plan.name.startsWith('dead.') ? byName.get(plan.name.slice('dead.'.length)) : undefined
    byName.set(plan.name, new Ledger(plan, journal, sent, source))
  }
  return [...byName.values()]
}

/** Only the definitions are left, and one message that marks the consumers' commits. */
async function leavesNothing({ journal, world }: Stage): Promise<void> {
  const rows = await world.rows()
  const { good, leftovers, damaged } = await accountOf(rows)
  for (const problem of [...definitionProblems(rows), ...damaged, ...leftovers]) {
    journal.violation(`at the end: ${problem}`)
  }
  const damage = await world.check()
  if (damage !== undefined) journal.violation(`at the end: ${damage}`)
  for (const kind of EMPTY_KINDS) {
    const count = good.get(kind) ?? 0
    if (count > (kind === 'queued messages' ? MARKS : 0)) journal.violation(`${count} ${kind} are left in the store`)
  }
}
