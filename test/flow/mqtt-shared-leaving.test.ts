import { describe, expect } from 'vitest'
import { test } from '../support/flow.ts'

// Found by test/model.
const FILTER = '$share/group/work'

describe('what a member of a shared group has received and not acknowledged', () => {
  test('stays its own after UNSUBSCRIBE (MQTT-3.10.4-3)', async ({ broker }) => {
    const { client: leaving } = await broker.resume({ version: 5, clientId: 'leaving' })
    const other = await broker.connect({ version: 5, clientId: 'other' })
    const publisher = await broker.connect()
    await leaving.subscribe(FILTER, 1)
    await publisher.publish('work', 'one', { qos: 1 })
    const { packetId } = await leaving.expect('publish', { payload: 'one' })
    await other.subscribe(FILTER, 1)
    await leaving.unsubscribe(FILTER)
    await other.expectNothing()
    const { client: back } = await broker.resume({ version: 5, clientId: 'leaving' })
    await back.expect('publish', { payload: 'one', dup: true, packetId })
    expect(other.received).toEqual([])
  })

  test('waits for a member when all of them ask for QoS 0 by now', async ({ broker }) => {
    const { client: member } = await broker.resume({ version: 5, clientId: 'member' })
    const publisher = await broker.connect()
    await member.subscribe(FILTER, 1)
    await publisher.publish('work', 'one', { qos: 1 })
    await member.expect('publish', { payload: 'one', qos: 1 })
    await member.subscribe(FILTER, 0)
    await member.disconnect()
    const { client: back } = await broker.resume({ version: 5, clientId: 'member' })
    const received = await back.expect('publish', { payload: 'one', qos: 0 })
    expect(received.packetId).toBe(0)
  })
})
