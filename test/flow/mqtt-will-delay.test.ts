import { describe, expect } from 'vitest'
import { lasting, test } from '../support/flow.ts'
import type { FlowBroker } from '../support/flow.ts'
import type { RawClient } from '../support/raw-client.ts'
import type { ConnectOptions } from '../support/wire-writer.ts'

function withDelay(seconds: number, sessionSeconds = 3600): ConnectOptions {
  const will = { topic: 'will', payload: 'gone', properties: { willDelayInterval: seconds } }
  return lasting({ version: 5, clientId: 'c', will }, sessionSeconds)
}

async function watch(broker: FlowBroker): Promise<RawClient> {
  const watcher = await broker.connect({ version: 5, clientId: 'watcher' })
  await watcher.subscribe('will')
  return watcher
}

describe('the will delay interval', () => {
  test('holds the will back for so long (section 3.1.3.2.2)', async ({ broker }) => {
    const watcher = await watch(broker)
    ;(await broker.connect(withDelay(3))).drop()
    await broker.pass(1)
    await watcher.expectNothing()
    await broker.pass(4)
    await watcher.receive({ payload: 'gone' })
    await watcher.expectNothing()
  })

  test('is cancelled by a reconnect that resumes the session (MQTT-3.1.3-9)', async ({ broker }) => {
    const watcher = await watch(broker)
    ;(await broker.connect(withDelay(2))).drop()
    await broker.connect(lasting({ version: 5, clientId: 'c' }))
    await broker.pass(5)
    await watcher.expectNothing()
  })

  test('is cut short by a clean start, which ends the session (MQTT-3.1.2-8)', async ({ broker }) => {
    const watcher = await watch(broker)
    ;(await broker.connect(withDelay(3600))).drop()
    await broker.connect({ version: 5, clientId: 'c', clean: true })
    await watcher.receive({ payload: 'gone' })
    await watcher.expectNothing()
  })

  test('is cut short by the end of the session (section 3.1.3.2.2)', async ({ broker }) => {
    const watcher = await watch(broker)
    ;(await broker.connect(withDelay(3600, 2))).drop()
    await broker.pass(7)
    await watcher.receive({ payload: 'gone' })
    await watcher.expectNothing()
  })

  test('means nothing when the session ends with the connection', async ({ broker }) => {
    const watcher = await watch(broker)
    ;(await broker.connect(withDelay(3600, 0))).drop()
    await watcher.receive({ payload: 'gone' })
  })

  test('holds after a takeover that resumes the session: the old will is not published', async ({ broker }) => {
    const watcher = await watch(broker)
    await broker.connect(withDelay(2))
    await broker.connect(lasting({ version: 5, clientId: 'c' }))
    await broker.pass(5)
    await watcher.expectNothing()
  })

  test('holds after DISCONNECT with reason 0x04', async ({ broker }) => {
    const watcher = await watch(broker)
    await (await broker.connect(withDelay(2))).disconnect(0x04)
    await watcher.expectNothing()
    await broker.pass(4)
    await watcher.receive({ payload: 'gone' })
  })

  test('is forgotten after a normal DISCONNECT', async ({ broker }) => {
    const watcher = await watch(broker)
    await (await broker.connect(withDelay(1))).disconnect()
    await broker.pass(4)
    await watcher.expectNothing()
  })

  test('of 0 publishes at once', async ({ broker }) => {
    const watcher = await watch(broker)
    ;(await broker.connect(withDelay(0))).drop()
    await watcher.receive({ payload: 'gone' })
  })

  test('survives a restart of the broker', async ({ start }) => {
    const broker = await start({ persistent: true })
    ;(await broker.connect(withDelay(1000))).drop()
    await broker.pass(500)
    await broker.restart()
    const watcher = await watch(broker)
    await broker.pass(400)
    await watcher.expectNothing()
    await broker.pass(200)
    await watcher.receive({ payload: 'gone' })
  })

  test('and the message expiry interval of the will count one after the other', async ({ broker }) => {
    const watcher = await watch(broker)
    const will = {
      topic: 'will',
      payload: 'gone',
      properties: { willDelayInterval: 2, messageExpiryInterval: 100 },
    }
    ;(await broker.connect(lasting({ version: 5, clientId: 'c', will }))).drop()
    await broker.pass(4)
    const { properties } = await watcher.receive({ payload: 'gone' })
    expect(properties.messageExpiryInterval).toBeGreaterThan(90)
    expect(properties.messageExpiryInterval).toBeLessThanOrEqual(100)
    expect(properties).not.toHaveProperty('willDelayInterval')
  })
})

describe('the message expiry interval of a will', () => {
  test('lets a retained will expire', async ({ broker }) => {
    const watcher = await watch(broker)
    const will = { topic: 'will', payload: 'gone', retain: true, properties: { messageExpiryInterval: 2 } }
    ;(await broker.connect({ version: 5, clientId: 'c', will })).drop()
    await watcher.receive({ payload: 'gone' })
    await broker.pass(4)
    await watcher.subscribe('will')
    await watcher.expectNothing()
  })
})
