import { describe, expect } from 'vitest'
import { test, versions } from '../support/flow.ts'

describe.each(versions)('publishing over $name', ({ version }) => {
  test.for([0, 1, 2])('a message of QoS %i reaches a subscriber of the same QoS once', async (qos, { broker }) => {
    const subscriber = await broker.connect({ version, clientId: 'subscriber' })
    const publisher = await broker.connect({ version, clientId: 'publisher' })
    expect(await subscriber.subscribe('a/b', qos)).toEqual([qos])

    await publisher.publish('a/b', 'hello', { qos })

    await subscriber.receive({ topic: 'a/b', payload: 'hello', qos, retain: false, dup: false })
    await subscriber.expectNothing()
  })
})
