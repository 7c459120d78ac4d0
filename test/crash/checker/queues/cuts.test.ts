import { describe, expect, test } from 'vitest'
import { moveMessages } from '../../../../src/admin/queue-move.ts'
import { argumentsOf } from '../../../support/queue-arguments.ts'
import { CutWorld } from './cut-world.ts'

const SYNCS_MAX = 60
const MANY = 1_200

interface Step {
  readonly name: string
  /** What is there before the step, and on disk. */
  readonly before: (world: CutWorld) => void | Promise<void>
  /** The step, in the course of which the power goes. */
  readonly act: (world: CutWorld) => void | Promise<void>
  /** What may be found afterwards; `acted`: the step was known to be on disk. */
  readonly found: (world: CutWorld) => Promise<unknown>
  readonly after: unknown
  /** What may be found instead where the step was not known to be on disk. */
  readonly undone: readonly unknown[]
}

const DEAD = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' }

function queueAndDead(args: Record<string, unknown>, ...texts: string[]): Step['before'] {
  return (world) => {
    world.declare('dead')
    world.declare('q', { ...DEAD, ...args })
    for (const text of texts) world.publish('q', text)
  }
}

/** More than fits into memory without a consumer, and into one slice of a move. */
async function many(world: CutWorld): Promise<void> {
  world.declare('q')
  for (let index = 0; index < MANY; index++) world.publish('q', String(index))
  await world.settle()
}

const both: Step['found'] = async (world) => {
  await world.settle()
  return { q: await world.drain('q'), dead: await world.drain('dead') }
}

const steps: readonly Step[] = [
  {
    name: 'between leaving a queue and becoming a dead letter',
    before: queueAndDead({}, 'a', 'b'),
    act: (world) => {
      for (const delivery of world.take('q')) delivery.reject()
    },
    found: both,
    after: { q: [], dead: ['a rejected 1', 'b rejected 1'] },
    undone: [{ q: ['a', 'b'], dead: [] }],
  },
  {
    name: 'between the last return that is allowed and the dead letter',
    before: async (world) => {
      await queueAndDead({ 'x-delivery-limit': 1 }, 'a', 'b')(world)
      for (const delivery of world.take('q')) delivery.requeue()
    },
    act: (world) => {
      for (const delivery of world.take('q')) delivery.requeue()
    },
    found: both,
    after: { q: [], dead: ['a delivery_limit 1', 'b delivery_limit 1'] },
    undone: [{ q: ['a', 'b'], dead: [] }],
  },
  {
    name: 'while it is noted how often a message has come back',
    before: async (world) => {
      await queueAndDead({}, 'a')(world)
      for (const delivery of world.take('q')) delivery.requeue()
    },
    act: (world) => {
      for (const delivery of world.take('q')) delivery.requeue()
    },
    found: async (world) => {
      const taken = world.take('q')
      // The first call only begins to read it from disk.
      await world.settle()
      taken.push(...world.take('q'))
      for (const delivery of taken) delivery.ack()
      await world.settle()
      return taken.map(({ deliveryCount }) => deliveryCount)
    },
    after: [2],
    undone: [[1]],
  },
  {
    name: 'while messages expire',
    before: queueAndDead({ 'x-message-ttl': 1_000 }, 'a', 'b'),
    act: (world) => world.clock.advance(1_000),
    found: both,
    after: { q: [], dead: ['a expired 1', 'b expired 1'] },
    undone: [],
  },
  {
    name: 'while a full queue drops its oldest',
    before: queueAndDead({ 'x-max-length': 2 }, 'a', 'b'),
    act: (world) => world.publish('q', 'c'),
    found: both,
    after: { q: ['b', 'c'], dead: ['a maxlen 1'] },
    undone: [{ q: ['a', 'b'], dead: [] }],
  },
  {
    name: 'while a rejected message goes to wait for its next try',
    before: queueAndDead({ 'x-retry-delays': [1_000] }, 'a', 'b'),
    act: (world) => {
      for (const delivery of world.take('q')) delivery.reject()
    },
    found: async (world) => {
      await world.clock.advance(2_000)
      return both(world)
    },
    after: { q: ['a', 'b'], dead: [] },
    undone: [],
  },
  {
    name: 'while delayed messages come of age',
    before: (world) => {
      world.declare('q')
      for (const text of ['a', 'b']) world.publish('q', text, { headers: argumentsOf({ 'x-delay': 1_000 }) })
    },
    act: async (world) => {
      await world.clock.advance(1_000)
      await world.settle()
    },
    found: async (world) => {
      await world.clock.advance(1_000)
      return both(world)
    },
    after: { q: ['a', 'b'], dead: [] },
    undone: [],
  },
  {
    name: 'while a message that has come of age is acknowledged',
    before: (world) => {
      world.declare('q')
      for (const text of ['a', 'b']) world.publish('q', text, { headers: argumentsOf({ 'x-delay': 1_000 }) })
    },
    act: async (world) => {
      const isReady = (): boolean => world.queues.queue('q').readyCount === 2
      await world.clock.advance(1_000)
      for (let turns = 0; turns < 20 && !isReady(); turns++) await new Promise((resolve) => setImmediate(resolve))
      for (const delivery of world.take('q')) delivery.ack()
    },
    found: async (world) => {
      await world.clock.advance(1_000)
      return both(world)
    },
    after: { q: [], dead: [] },
    undone: [{ q: ['a', 'b'], dead: [] }],
  },
  {
    name: 'while a queue is purged',
    before: async (world) => {
      world.declare('q', { 'x-max-priority': 2 })
      for (const text of ['a', 'b', 'c']) world.publish('q', text, { priority: text === 'b' ? 2 : 1 })
    },
    act: (world) => {
      // One is with a consumer and stays.
      world.queues.queue('q').get()
      world.queues.queue('q').purge()
    },
    found: both,
    after: { q: ['b'], dead: [] },
    undone: [{ q: ['b', 'a', 'c'], dead: [] }],
  },
  {
    name: 'while a queue is deleted with all that it has',
    before: async (world) => {
      world.declare('q', { 'x-deduplication-window': 60_000 })
      world.queues.bind({ source: 'amq.fanout', target: 'q' })
      world.publish('q', 'a', { messageId: 'a' })
      world.publish('q', 'late', { headers: argumentsOf({ 'x-delay': 1_000 }) })
      world.queues.queue('q').get()?.requeue()
    },
    act: (world) => void world.queues.deleteQueue('q'),
    found: async (world) => {
      const bindings = world.queues.exchange('amq.fanout').bindings.size
      await world.clock.advance(1_000)
      return { ...((await both(world)) as object), bindings, kinds: await kindsOf(world) }
    },
    after: { q: [], dead: [], bindings: 0, kinds: [] },
    undone: [{ q: ['a', 'late'], dead: [], bindings: 1, kinds: [0x31, 0x32, 0x35] }],
  },
  {
    name: 'while a long queue is deleted, which takes many turns',
    before: many,
    act: (world) => void world.queues.deleteQueue('q'),
    found: async (world) => (await world.drain('q')).length,
    after: 0,
    undone: [MANY],
  },
  {
    name: 'while a long queue is purged, which takes many turns',
    before: many,
    act: (world) => void world.queues.queue('q').purge(),
    found: async (world) => (await world.drain('q')).length,
    after: 0,
    undone: [MANY],
  },
  {
    name: 'while messages are moved to another queue',
    before: async (world) => {
      world.declare('to')
      await many(world)
    },
    act: async (world) => {
      await moveMessages(world.queues)({ from: 'q', to: 'to' }, () => {}, new AbortController().signal)
    },
    found: async (world) => {
      const moved = await world.drain('to')
      const all = [...moved, ...(await world.drain('q'))]
      return { inOrder: all.every((text, index) => text === String(index)), count: all.length, any: moved.length > 0 }
    },
    after: { inOrder: true, count: MANY, any: true },
    undone: [{ inOrder: true, count: MANY, any: false }],
  },
  {
    name: 'while a message takes the place of an older one with its key',
    before: (world) => {
      world.declare('q', { 'x-last-value-key': 'key' })
      for (const text of ['a', 'b']) world.publish('q', text, { headers: argumentsOf({ key: text }) })
    },
    act: (world) => world.publish('q', 'newer a', { headers: argumentsOf({ key: 'a' }) }),
    found: both,
    after: { q: ['b', 'newer a'], dead: [] },
    undone: [{ q: ['a', 'b'], dead: [] }],
  },
  {
    name: 'while a message identifier is remembered',
    before: (world) => void world.declare('q', { 'x-deduplication-window': 60_000 }),
    act: (world) => world.publish('q', 'a', { messageId: 'a' }),
    found: async (world) => {
      world.publish('q', 'a', { messageId: 'a' })
      return both(world)
    },
    after: { q: ['a'], dead: [] },
    undone: [],
  },
]

/** Which of the kinds of records that belong to queues are on disk. */
async function kindsOf(world: CutWorld): Promise<number[]> {
  const rows = await world.disk.all()
  return [...new Set(rows.map(([key]) => key[0] ?? 0))].filter((kind) => kind >= 0x30)
}

/** Answers whether the power went, and what was found after it. */
async function run(
  step: Step,
  at: number,
  keeps: boolean,
): Promise<{ wasCut: boolean; isAllowed: boolean; found: unknown }> {
  const world = await new CutWorld().open()
  await step.before(world)
  await world.settle()
  let wasCut = false
  world.disk.cutAt = world.disk.synced + at
  world.disk.cutKeeps = keeps
  const cut = new Promise<boolean>((resolve) => {
    world.disk.onCut = () => {
      wasCut = true
      resolve(false)
    }
  })
  const acting = (async () => {
    await step.act(world)
    await world.queues.committed()
    return true
  })()
  const acted = await Promise.race([acting, cut])
  // What goes on behind an acknowledgement may be cut, too.
  await Promise.race([world.settle(), cut])
  world.disk.cutAt = 0
  world.disk.cut()
  await world.open()
  await world.settle()
  const found = await step.found(world)
  const left = await world.leftovers()
  const allowed = acted ? [step.after] : [step.after, ...step.undone]
  const isAllowed = left.length === 0 && allowed.some((each) => JSON.stringify(each) === JSON.stringify(found))
  return { wasCut, isAllowed, found: { found, left, acted } }
}

describe.each(steps)('the power goes at each sync $name', (step) => {
  test.each([false, true])('and the batch is kept: %s', async (keeps) => {
    let at = 1
    for (; at < SYNCS_MAX; at++) {
      const { wasCut, isAllowed, found } = await run(step, at, keeps)
      expect({ at, found, isAllowed }).toEqual({ at, found, isAllowed: true })
      if (!wasCut) break
    }
    expect(at).toBeGreaterThan(1)
    expect(at).toBeLessThan(SYNCS_MAX)
  })
})
