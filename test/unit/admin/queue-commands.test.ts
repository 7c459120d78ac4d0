import { describe, expect } from 'vitest'
import { queueCommands } from '../../../src/admin/queue-commands.ts'
import { type DiskWorld, test } from '../../support/faulty-disk.ts'

function ask(world: DiskWorld, name: string, given: Readonly<Record<string, unknown>>): Promise<unknown> {
  const command = queueCommands(world.broker.queues.engine).get(name)
  if (command === undefined) throw new Error(`there is no command ${name}`)
  return command(given, () => {}, new AbortController().signal)
}

describe('the commands of sluice queue', () => {
  test.for([
    ['queue.publish', { queue: 'a', payload: 'x' }],
    ['queue.purge', { queue: 'a' }],
    ['queue.bind', { queue: 'a', filters: ['t'] }],
    ['queue.unbind', { queue: 'a', filters: ['bound'] }],
    ['queue.declare', { queue: 'c' }],
    ['queue.delete', { queue: 'a' }],
    ['queue.move', { from: 'a', to: 'b' }],
  ] as const)('change nothing while the disk is full: %s', async ([name, given], { world }) => {
    const { queues } = world.broker
    await queues.declare('a', { bindings: ['bound'] })
    await queues.declare('b')
    await queues.enqueue('a', 'first')
    await world.fill()
    await expect(ask(world, name, given)).rejects.toMatchObject({
      code: 'STORE_FAILING',
      message: 'the store cannot write at present, so that nothing was changed: No space left on device',
    })
    expect(queues.names()).toEqual(['a', 'b'])
    expect([queues.stats('a').ready, queues.stats('b').ready]).toEqual([1, 0])
    expect(queues.engine.queue('a').incoming.size).toBe(1)
  })

  test('look at queues while the disk is full', async ({ world }) => {
    await world.broker.queues.declare('a')
    await world.broker.queues.enqueue('a', 'first')
    await world.fill()
    await expect(ask(world, 'queue.list', {})).resolves.toEqual({ queues: 1 })
    await expect(ask(world, 'queue.show', { queue: 'a' })).resolves.toMatchObject({ ready: 1 })
    await expect(ask(world, 'queue.peek', { queue: 'a' })).resolves.toEqual({ told: 1, ready: 1 })
  })

  test('tell of as many bindings as an answer may hold, and how many there are', async ({ world }) => {
    const { queues } = world.broker
    await queues.declare('a')
    const note = 'x'.repeat(60_000)
    for (let index = 0; index < 100; index++) {
      queues.engine.bind({ source: 'amq.headers', target: 'a', arguments: new Map([[`${index}`, note]]) })
    }
    const answer = (await ask(world, 'queue.show', { queue: 'a' })) as { bindingCount: number; bindings: unknown[] }
    expect(answer.bindingCount).toBe(100)
    expect(answer.bindings.length).toBeGreaterThan(50)
    expect(JSON.stringify(answer).length).toBeLessThan(5 * 1024 * 1024)
  })

  test.for([
    ['queue.show', {}, 'queue must be a text'],
    ['queue.peek', { queue: 'a', count: 1.5 }, 'count must be a whole number'],
    ['queue.bind', { queue: 'a', filters: 'x' }, 'filters must be a list of texts'],
    ['queue.declare', { queue: 'a', arguments: [['x']] }, 'arguments must be a list of names and values'],
    ['queue.delete', { queue: 'a', ifEmpty: 'yes' }, 'ifEmpty must be true or false'],
    ['queue.move', { from: 'a', to: 'b', count: 0 }, 'count must be a whole number'],
  ] as const)('refuse what they cannot read: %j', async ([name, given, message], { world }) => {
    for (const queue of ['a', 'b']) await world.broker.queues.declare(queue)
    await expect(ask(world, name, given)).rejects.toMatchObject({ code: 'CONTROL_MALFORMED', message })
  })
})
