import { expect } from 'vitest'
import { test } from '../support/queue-flow.ts'

test('a message that was published to a queue is sent to the one who subscribes to it', async ({ begin }) => {
  const flow = await begin()
  flow.declare('jobs')
  await flow.fill('jobs', 'one')
  const consumer = await flow.connect()
  expect(await consumer.subscribe('$queue/jobs', 1)).toEqual([1])
  const sent = await consumer.receive({ topic: '$queue/jobs', payload: 'one', qos: 1, dup: false, retain: false })
  expect(sent.packetId).toBeGreaterThanOrEqual(0x8000)
  await consumer.expectNothing()
  expect(flow.broker.queues.engine.queue('jobs').stats().messages).toBe(0)
})
