import { describe, expect, test } from 'vitest'
import type { QueueError } from '../../../src/queue/queue-error.ts'
import { argumentsOf } from '../../support/queue-arguments.ts'
import { declare, openWorld, publish, Recorder, table, type World } from './queue-world.ts'

/** Reply code and text of what is thrown. */
function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    const { replyCode, message } = error as QueueError
    return `${replyCode} ${message}`
  }
  return 'nothing was thrown'
}

const IN_Q = "for queue 'q' in vhost '/'"

describe('the arguments of a queue', () => {
  test.each([
    [{ 'x-message-ttl': -1 }, `406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' ${IN_Q}: {value_negative,-1}`],
    [{ 'x-expires': 0 }, `406 PRECONDITION_FAILED - invalid arg 'x-expires' ${IN_Q}: {value_zero,0}`],
    [
      { 'x-max-length': '5' },
      `406 PRECONDITION_FAILED - invalid arg 'x-max-length' ${IN_Q}: {unacceptable_type,longstr}`,
    ],
    [
      { 'x-dead-letter-routing-key': 'k' },
      `406 PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' ${IN_Q}: routing_key_but_no_dlx_defined`,
    ],
    [
      { 'x-max-priority': 256 },
      `406 PRECONDITION_FAILED - invalid arg 'x-max-priority' ${IN_Q}: {value_too_large,256}`,
    ],
    [{ 'x-queue-type': 'stream' }, "540 NOT_IMPLEMENTED - queue type 'stream' is not implemented (queue 'q')"],
    [
      { 'x-queue-type': 'classic', 'x-delivery-limit': 1 },
      `406 PRECONDITION_FAILED - invalid arg 'x-delivery-limit' ${IN_Q} of queue type rabbit_classic_queue`,
    ],
    [
      { 'x-overflow': 'explode' },
      `406 PRECONDITION_FAILED - invalid arg 'x-overflow' ${IN_Q}: {invalid_overflow,<<"explode">>}`,
    ],
  ])('%j are refused', async (args, text) => {
    const world = await openWorld()
    expect(refusal(() => declare(world, 'q', args))).toBe(text)
    expect(world.queues.queues.size).toBe(0)
  })

  test('are taken at their limits, and unknown ones kept', async () => {
    const world = await openWorld()
    const args = { 'x-message-ttl': 0, 'x-expires': 1, 'x-max-length': 0, 'x-max-priority': 255, 'x-mine': 'kept' }
    expect(declare(world, 'q', args).definition.arguments.get('x-mine')).toBe('kept')
  })

  test('of a quorum queue ask for a durable one and give it a delivery limit', async () => {
    const { queues } = await openWorld()
    const args = argumentsOf({ 'x-queue-type': 'quorum' })
    expect(refusal(() => queues.declareQueue('q', { durable: false, arguments: args }))).toMatch(/^406 .*durable/)
    expect(queues.declareQueue('q', { arguments: args }).settings.deliveryLimit).toBe(20)
  })
})

describe('declaring a queue again', () => {
  test('is nothing new when it is the same, whatever the width of its numbers', async () => {
    const world = await openWorld()
    const queue = declare(world, 'q', { 'x-max-length': 5 })
    expect(declare(world, 'q', { 'x-max-length': 5n })).toBe(queue)
  })

  test('is refused when it is another', async () => {
    const world = await openWorld()
    declare(world, 'q')
    expect(refusal(() => world.queues.declareQueue('q', { durable: false }))).toBe(
      `406 PRECONDITION_FAILED - inequivalent arg 'durable' ${IN_Q}: received 'false' but current is 'true'`,
    )
    expect(refusal(() => declare(world, 'q', { 'x-max-length': 5 }))).toBe(
      `406 PRECONDITION_FAILED - inequivalent arg 'x-max-length' ${IN_Q}: ` +
        "received the value '5' of type 'signedint' but current is none",
    )
  })

  test('that is exclusive is refused to anybody else, and gone with its owner', async () => {
    const { queues } = await openWorld()
    queues.declareQueue('q', { exclusive: true }, 'me')
    expect(refusal(() => queues.queue('q', 'you'))).toMatch(/^405 RESOURCE_LOCKED - cannot obtain exclusive access/)
    expect(queues.queue('q', 'me').name).toBe('q')
    queues.closeOwner('me')
    expect(refusal(() => queues.queue('q'))).toBe("404 NOT_FOUND - no queue 'q' in vhost '/'")
  })
})

describe('a name', () => {
  test('that begins with amq. is reserved; one that is empty is given', async () => {
    const { queues } = await openWorld()
    expect(refusal(() => queues.declareQueue('amq.mine'))).toMatch(/^403 ACCESS_REFUSED/)
    expect(refusal(() => queues.declareExchange('amq.mine'))).toMatch(/^403 ACCESS_REFUSED/)
    expect(queues.declareQueue('').name).toMatch(/^amq\.gen-/)
  })

  test('has 255 bytes and no more', async () => {
    const { queues } = await openWorld()
    expect(queues.declareQueue('q'.repeat(255)).name).toHaveLength(255)
    expect(refusal(() => queues.declareQueue('q'.repeat(256)))).toMatch(/^406/)
  })
})

test('queues, exchanges and bindings are as many as the limits say', async () => {
  const { queues } = await openWorld(undefined, undefined, { queuesMax: 2, exchangesMax: 7, bindingsMax: 1 })
  for (const name of ['a', 'b']) queues.declareQueue(name)
  expect(refusal(() => queues.declareQueue('c'))).toMatch(/^506 RESOURCE_ERROR/)
  queues.declareExchange('x')
  expect(refusal(() => queues.declareExchange('y'))).toMatch(/^506 RESOURCE_ERROR/)
  queues.bind({ source: 'x', target: 'a' })
  queues.bind({ source: 'x', target: 'a' })
  expect(refusal(() => queues.bind({ source: 'x', target: 'b' }))).toMatch(/^506 RESOURCE_ERROR/)
})

describe('a queue takes no more than any queue may', () => {
  const refusals = (world: World, properties = {}): number[] =>
    ['a', 'b', 'c'].map((text) => publish(world, 'q', text, properties).message.refusal)
  const roomy = { messagesMax: 1000, bytesMax: 100_000 }

  test('of messages, when it is on disk', async () => {
    const world = await openWorld(undefined, undefined, { stored: { ...roomy, messagesMax: 2 }, transient: roomy })
    declare(world, 'q')
    expect(refusals(world)).toEqual([0, 0, 0x97])
    expect(world.queues.queue('q').isFull).toBe(true)
  })

  test('of messages of all priorities together', async () => {
    const world = await openWorld(undefined, undefined, { stored: { ...roomy, messagesMax: 2 } })
    declare(world, 'q', { 'x-max-priority': 5 })
    expect(refusals(world, { priority: 3 })).toEqual([0, 0, 0x97])
    expect(refusals(world)).toEqual([0x97, 0x97, 0x97])
  })

  test('of messages that are delayed', async () => {
    const world = await openWorld(undefined, undefined, { stored: { ...roomy, messagesMax: 2 } })
    declare(world, 'q')
    expect(refusals(world, { headers: table({ 'x-delay': 1000 }) })).toEqual([0, 0, 0x97])
  })

  test('of messages or bytes, when it is in memory alone', async () => {
    for (const transient of [
      { ...roomy, messagesMax: 2 },
      { ...roomy, bytesMax: 160 },
    ]) {
      const world = await openWorld(undefined, undefined, { stored: roomy, transient })
      world.queues.declareQueue('q', { durable: false })
      expect(refusals(world)).toEqual([0, 0, 0x97])
    }
  })
})

test('deleting asks first whether a queue is empty and unused', async () => {
  const world = await openWorld()
  const queue = declare(world, 'q')
  publish(world, 'q', 'a')
  expect(refusal(() => world.queues.deleteQueue('q', { ifEmpty: true }))).toMatch(/not empty/)
  const consumer = queue.consume(new Recorder())
  expect(refusal(() => world.queues.deleteQueue('q', { ifUnused: true }))).toMatch(/in use/)
  consumer.close()
  expect(world.queues.deleteQueue('q', { ifUnused: true })).toBe(1)
})

test('a queue with auto-delete goes with its last consumer, and not before it had one', async () => {
  const { queues } = await openWorld()
  const queue = queues.declareQueue('q', { autoDelete: true })
  const [one, two] = [queue.consume(new Recorder()), queue.consume(new Recorder())]
  one.close()
  expect(queues.queues.has('q')).toBe(true)
  two.close()
  expect(queues.queues.has('q')).toBe(false)
})

test('the default exchange cannot be bound, declared or deleted, predeclared ones not deleted', async () => {
  const { queues } = await openWorld()
  queues.declareQueue('q')
  const attempts = [
    () => queues.bind({ source: '', target: 'q', key: 'k' }),
    () => queues.declareExchange(''),
    () => queues.deleteExchange(''),
    () => queues.deleteExchange('amq.topic'),
  ]
  expect(attempts.map((run) => refusal(run).slice(0, 3))).toEqual(['403', '403', '403', '403'])
})

test('an expiration that is no number is refused', async () => {
  const world = await openWorld()
  declare(world, 'q')
  expect(refusal(() => publish(world, 'q', 'a', { expiration: 'soon' }))).toBe(
    "406 PRECONDITION_FAILED - invalid expiration 'soon'",
  )
})
