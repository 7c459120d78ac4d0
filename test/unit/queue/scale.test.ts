import { expect, test } from 'vitest'
import { Message } from '../../../src/message/message.ts'
import { declare, openWorld, publishTopic, settle } from './queue-world.ts'

/** Bytes of all values that the disk has. */
function stored({ backend }: Awaited<ReturnType<typeof openWorld>>): number {
  const { rows } = backend as unknown as { rows: Map<string, { value?: Buffer } | [Buffer, Buffer] | Buffer> }
  let bytes = 0
  for (const row of rows.values()) {
    const values = Buffer.isBuffer(row) ? [row] : Object.values(row)
    for (const value of values) if (Buffer.isBuffer(value)) bytes += value.length
  }
  return bytes
}

test('a topic that is bound to 100 queues stores the payload once', async () => {
  const world = await openWorld()
  for (let i = 0; i < 100; i++) {
    declare(world, `q${i}`)
    world.queues.bind({ source: 'amq.topic', target: `q${i}`, key: 'a.*' })
  }
  await settle(world)
  const before = stored(world)
  const payload = Buffer.alloc(100_000, 1)
  publishTopic(world, new Message('a/b', payload, 1, false))
  await settle(world)
  const added = stored(world) - before
  expect(added).toBeGreaterThan(payload.length)
  expect(added).toBeLessThan(payload.length + 100 * 200)
  expect([...world.queues.queues.values()].every((queue) => queue.readyCount === 1)).toBe(true)
})

test('a queue with 1,000 bindings gets each message once, and none after they are gone', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q')
  const keys = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? `site.${i}.#` : `site.*.${i}`))
  for (const key of keys) world.queues.bind({ source: 'amq.topic', target: 'q', key })
  for (let i = 0; i < 1000; i += 2) publishTopic(world, new Message(`site/${i}/${i + 1}`, Buffer.of(1), 1, false))
  expect(queue.readyCount).toBe(500)
  for (const key of keys) world.queues.unbind({ source: 'amq.topic', target: 'q', key })
  publishTopic(world, new Message('site/0/1', Buffer.of(1), 1, false))
  expect(queue.readyCount).toBe(500)
  expect(queue.incoming.size).toBe(0)
})

test('purging and deleting a queue of 100,000 messages takes no time of others', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q')
  for (let i = 0; i < 100_000; i += 1000) {
    for (let k = 0; k < 1000; k++) queue.offer(new Message('q', Buffer.of(1), 1, false))
    await world.store.commit.flush()
  }
  const operations = [(): unknown => queue.purge(), (): unknown => world.queues.deleteQueue('q')]
  for (const run of operations) {
    const before = performance.now()
    run()
    // Far below what going through the messages would take.
    expect(performance.now() - before).toBeLessThan(50)
  }
  for (let i = 0; i < 20; i++) await settle(world)
  expect(stored(world)).toBeLessThan(1000)
})
