import type { DeathReason } from '../../../../src/message/amqp-part.ts'
import { keyOfFilter } from '../../../../src/message/key-topic.ts'

/** One queue as the checker knows it: how it is declared, and how its consumers behave. */
export interface QueuePlan {
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
  /** Topic filters; empty: it is reached by the dead-letter exchange, or under its name. */
  readonly filters: readonly string[]
  /** Whether a message to this topic belongs into it. */
  readonly takes: (topic: string) => boolean
  /** Reasons for which its messages may end in `dead.<name>`. */
  readonly deaths: readonly DeathReason[]
  /** Parts of its messages that consumers reject and give back. */
  readonly rejects: number
  readonly returns: number
  readonly workers: number
  readonly prefetch: number
  /** Consumers stay away for up to so long between two connections. */
  readonly awayMs: number
}

export const DEAD_EXCHANGE = 'dead'
/** Where consumers publish to, to hear that all they have said before is on disk. */
export const MARK_TOPIC = 'mark'
const MARK_QUEUE = 'marks'
/** Where messages enter a queue without a binding. */
export const DIRECT_TOPIC = '$queue/direct'
export const RETRY_DELAYS_MS = [15, 40]
export const DELIVERY_LIMIT = 2
export const DAY_MS = 86_400_000

const dies = (name: string): Record<string, unknown> => ({
  'x-dead-letter-exchange': DEAD_EXCHANGE,
  'x-dead-letter-routing-key': name,
})

const USUAL = { deaths: [], rejects: 0, returns: 0, workers: 2, prefetch: 10, awayMs: 20 } as const
const below =
  (prefix: string) =>
  (topic: string): boolean =>
    topic.startsWith(`${prefix}/`)
const jobs = below('jobs')
const job =
  (...last: string[]) =>
  (topic: string): boolean =>
    jobs(topic) && last.some((each) => topic.endsWith(`/${each}`))

/** Topics are `<prefix>/<device>/<0 to 2>`. */
const PLANS: readonly QueuePlan[] = [
  { ...USUAL, name: 'all', arguments: {}, filters: ['jobs/#'], takes: jobs, returns: 0.05, workers: 3 },
  // More than stays in memory while nobody consumes.
  {
    ...USUAL,
    name: 'long',
    arguments: {},
    filters: ['jobs/#'],
    takes: jobs,
    returns: 0.1,
    prefetch: 50,
    awayMs: 2_500,
  },
  // Overlapping bindings are one copy.
  {
    ...USUAL,
    name: 'some',
    arguments: {},
    workers: 1,
    filters: ['jobs/+/0', 'jobs/+/1', 'jobs/queuer 4/+'],
    takes: (topic) => job('0', '1')(topic) || topic.startsWith('jobs/queuer 4/'),
  },
  {
    ...USUAL,
    name: 'rejecting',
    arguments: dies('rejecting'),
    filters: ['jobs/+/1'],
    takes: job('1'),
    deaths: ['rejected'],
    rejects: 0.25,
  },
  {
    ...USUAL,
    name: 'limited',
    arguments: { ...dies('limited'), 'x-queue-type': 'quorum', 'x-delivery-limit': DELIVERY_LIMIT },
    filters: ['jobs/+/2'],
    takes: job('2'),
    deaths: ['delivery_limit'],
    returns: 0.4,
  },
  {
    ...USUAL,
    name: 'retrying',
    arguments: { ...dies('retrying'), 'x-retry-delays': RETRY_DELAYS_MS },
    filters: ['jobs/+/0'],
    takes: job('0'),
    deaths: ['rejected'],
    rejects: 0.3,
  },
  {
    ...USUAL,
    name: 'short',
    arguments: { ...dies('short'), 'x-max-length': 8 },
    filters: ['jobs/+/2'],
    takes: job('2'),
    deaths: ['maxlen'],
    workers: 1,
    awayMs: 100,
  },
  {
    ...USUAL,
    name: 'passing',
    arguments: { ...dies('passing'), 'x-message-ttl': 60 },
    filters: ['jobs/+/1'],
    takes: job('1'),
    deaths: ['expired'],
    workers: 1,
    awayMs: 200,
  },
  {
    ...USUAL,
    name: 'refusing',
    arguments: { 'x-max-length': 3, 'x-overflow': 'reject-publish' },
    filters: ['refuse/#'],
    takes: below('refuse'),
    awayMs: 600,
  },
  {
    ...USUAL,
    name: 'once',
    arguments: { 'x-deduplication-window': DAY_MS },
    filters: ['once/#'],
    takes: below('once'),
  },
  { ...USUAL, name: 'direct', arguments: {}, filters: [], takes: (topic) => topic === DIRECT_TOPIC },
  { ...USUAL, name: 'later', arguments: {}, filters: ['later/#'], takes: below('later') },
  {
    ...USUAL,
    name: 'ranked',
    arguments: { 'x-max-priority': 3 },
    filters: ['jobs/+/0'],
    takes: job('0'),
    workers: 1,
  },
  { ...USUAL, name: 'single', arguments: { 'x-single-active-consumer': true }, filters: ['jobs/+/1'], takes: job('1') },
  { ...USUAL, name: 'latest', arguments: { 'x-last-value-key': 'topic' }, filters: ['value/#'], takes: below('value') },
]

/** The queue for the dead letters of another one. */
function deadPlan({ name }: QueuePlan): QueuePlan {
  return { ...USUAL, name: deadQueueOf(name), arguments: {}, filters: [], takes: () => false, workers: 1 }
}

export function deadQueueOf(name: string): string {
  return `dead.${name}`
}

/** All queues that are consumed from. */
export const plans: readonly QueuePlan[] = [...PLANS, ...PLANS.filter(({ deaths }) => deaths.length > 0).map(deadPlan)]

export interface BindingPlan {
  readonly source: string
  readonly queue: string
  readonly key: string
}

export const bindingPlans: readonly BindingPlan[] = [
  ...plans.flatMap(({ name, filters }) =>
    filters.map((filter) => ({ source: 'amq.topic', queue: name, key: keyOfFilter(filter) })),
  ),
  ...PLANS.filter(({ deaths }) => deaths.length > 0).map(({ name }) => ({
    source: DEAD_EXCHANGE,
    queue: deadQueueOf(name),
    key: name,
  })),
  { source: 'amq.topic', queue: MARK_QUEUE, key: MARK_TOPIC },
]

/** All queues with their arguments. */
export const queueArguments: ReadonlyMap<string, Readonly<Record<string, unknown>>> = new Map([
  ...plans.map(({ name, arguments: args }): [string, Readonly<Record<string, unknown>>] => [name, args]),
  [MARK_QUEUE, { 'x-max-length': 1 }],
])
