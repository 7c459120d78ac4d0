import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { QueueDelivery } from '../../../src/queue/queue-delivery.ts'
import { crash, declare, drain, openWorld, publish, settle, textOf, type World } from './queue-world.ts'
import '../../support/property-runs.ts'

interface Item {
  readonly text: string
  readonly priority: number
  readonly order: number
  count: number
}

const LENGTH_MAX = 6
const DELIVERY_LIMIT = 2

/** The same queue as one would write it on a slate. */
class Slate {
  ready: Item[] = []
  readonly held = new Map<string, Item>()
  readonly dead: string[] = []
  private order = 0

  publish(text: string, priority: number): void {
    this.putBack({ text, priority, order: this.order++, count: 0 })
  }

  get(): Item | undefined {
    const item = this.ready.shift()
    if (item !== undefined) this.held.set(item.text, item)
    return item
  }

  requeue(text: string): void {
    const item = this.take(text)
    item.count++
    if (item.count > DELIVERY_LIMIT) this.dead.push(text)
    else this.putBack(item)
  }

  take(text: string): Item {
    const item = this.held.get(text) as Item
    this.held.delete(text)
    return item
  }

  crash(): void {
    this.ready.push(...this.held.values())
    this.held.clear()
    this.trim()
  }

  private putBack(item: Item): void {
    this.ready.push(item)
    this.trim()
  }

  private trim(): void {
    this.ready.sort((a, b) => b.priority - a.priority || a.order - b.order)
    while (this.ready.length > LENGTH_MAX) {
      const lowest = Math.min(...this.ready.map(({ priority }) => priority))
      const index = this.ready.findIndex(({ priority }) => priority === lowest)
      this.dead.push(...this.ready.splice(index, 1).map(({ text }) => text))
    }
  }
}

const command = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('publish' as const), pick: fc.nat(2) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('get' as const), pick: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ack' as const), pick: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('requeue' as const), pick: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reject' as const), pick: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge' as const), pick: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), pick: fc.constant(0) }) },
)

function declareBoth(world: World): void {
  declare(world, 'dead')
  declare(world, 'q', {
    'x-max-length': LENGTH_MAX,
    'x-max-priority': 2,
    'x-delivery-limit': DELIVERY_LIMIT,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'dead',
  })
}

test('a queue does what a list would do, whatever comes and whenever it is killed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 120, size: 'max' }), async (commands) => {
      let world = await openWorld()
      declareBoth(world)
      const slate = new Slate()
      let deliveries: QueueDelivery[] = []
      let number = 0
      for (const { kind, pick } of commands) {
        const queue = world.queues.queue('q')
        const delivery = deliveries[pick % Math.max(1, deliveries.length)]
        if (kind === 'publish') {
          const text = `${number++}`
          publish(world, 'q', text, { priority: pick })
          slate.publish(text, pick)
        } else if (kind === 'get') {
          // What is on disk only has to be read first.
          if (queue.get()?.returnUnsent() === undefined) await settle(world)
          const got = queue.get()
          expect(got && textOf(got)).toBe(slate.get()?.text)
          expect(got?.deliveryCount).toBe(got && slate.held.get(textOf(got))?.count)
          if (got !== undefined) deliveries.push(got)
        } else if (kind === 'purge') {
          expect(queue.purge()).toBe(slate.ready.length)
          slate.ready = []
        } else if (kind === 'crash') {
          await settle(world)
          world = await crash(world)
          await settle(world)
          deliveries = []
          slate.crash()
        } else if (delivery !== undefined) {
          const text = textOf(delivery)
          deliveries = deliveries.filter((each) => each !== delivery)
          expect(delivery[kind]()).toBe(true)
          if (kind === 'requeue') slate.requeue(text)
          else slate.take(text)
          if (kind === 'reject') slate.dead.push(text)
        }
        // What is on disk only is dropped as soon as it has been read.
        await settle(world)
        const { ready, unacknowledged } = world.queues.queue('q').stats()
        expect([ready, unacknowledged]).toEqual([slate.ready.length, slate.held.size])
      }
      expect(await drain(world, world.queues.queue('dead'))).toEqual(slate.dead)
      expect(await drain(world, world.queues.queue('q'))).toEqual(slate.ready.map(({ text }) => text))
    }),
    { numRuns: 60 },
  )
})
