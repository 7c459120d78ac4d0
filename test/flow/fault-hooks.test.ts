import type { Client } from 'aedes'
import { describe, expect } from 'vitest'
import type { BrokerOptions } from '../../src/index.ts'
import { test, type World } from '../support/faulty-world.ts'
import type { RawClient } from '../support/raw-client.ts'
import { subscribePacket } from '../support/wire-writer.ts'

const HOOK_TIMEOUT_MS = 5_000
const VICTIM = 'victim'

type Callback = (...answer: unknown[]) => void
/** What a hook does with its callback; `good` is the answer that lets the client go on. */
type Conduct = (done: Callback, good: unknown[]) => unknown

interface HookCase {
  name: string
  /** Options with a hook that behaves like this for the victim, and well for everyone else. */
  options: (conduct: Conduct) => BrokerOptions
  /** Makes the broker ask the hook about the victim. */
  act: (world: World) => Promise<RawClient>
  /** What the victim sees after a refusal. */
  refused: (client: RawClient) => Promise<void>
  /** What the victim sees after a good answer. */
  granted: (client: RawClient) => Promise<void>
}

async function connecting(world: World): Promise<RawClient> {
  return (await world.open(5)).sendConnect({ clientId: VICTIM })
}

async function publishing(world: World): Promise<RawClient> {
  const client = await world.connect({ version: 5, clientId: VICTIM })
  await client.subscribe('hooked', 0)
  return client.sendPublish({ topic: 'hooked', payload: 'x', qos: 1, packetId: 7 })
}

async function published(client: RawClient): Promise<void> {
  await client.take('publish', { topic: 'hooked', payload: 'x' })
  await client.take('puback', { packetId: 7, reasonCode: 0 })
}

const isVictim = (client: Client | null): boolean => client?.id === VICTIM

const HOOKS: HookCase[] = [
  {
    name: 'preConnect',
    options: (conduct) => ({
      preConnect(_client, packet, done) {
        if (packet.clientId !== VICTIM) return void done(null, true)
        return conduct(done as Callback, [null, true])
      },
    }),
    act: connecting,
    refused: (client) => client.expectClosed(),
    granted: async (client) => void (await client.expect('connack', { reasonCode: 0 })),
  },
  {
    name: 'authenticate',
    options: (conduct) => ({
      authenticate(client, _name, _password, done) {
        if (!isVictim(client)) return void done(null, true)
        return conduct(done as Callback, [null, true])
      },
    }),
    act: connecting,
    refused: async (client) => {
      await client.expect('connack', { reasonCode: 0x87 })
      await client.expectClosed()
    },
    granted: async (client) => void (await client.expect('connack', { reasonCode: 0 })),
  },
  {
    name: 'authorizePublish',
    options: (conduct) => ({
      authorizePublish(client, packet, done) {
        if (!isVictim(client) || packet.topic !== 'hooked') return void done(null)
        return conduct(done as Callback, [null])
      },
    }),
    act: publishing,
    refused: async (client) => {
      await client.expect('puback', { packetId: 7, reasonCode: 0x87 })
      await client.expectNothing()
    },
    granted: published,
  },
  {
    name: 'published',
    options: (conduct) => ({
      published(packet, client, done) {
        if (!isVictim(client) || packet.topic !== 'hooked') return void done(null)
        return conduct(done as Callback, [null])
      },
    }),
    act: publishing,
    refused: async (client) => {
      await client.expect('publish', { topic: 'hooked' })
      await client.expectDisconnected(0x80)
    },
    granted: published,
  },
  {
    name: 'authorizeSubscribe',
    options: (conduct) => ({
      authorizeSubscribe(client, subscription, done) {
        if (!isVictim(client)) return void done(null, subscription)
        return conduct(done as Callback, [null, subscription])
      },
    }),
    act: async (world) => {
      const client = await world.connect({ version: 5, clientId: VICTIM })
      return client.send(subscribePacket(5, 7, [{ filter: 'hooked', qos: 1 }]))
    },
    refused: (client) => client.expectDisconnected(0x80),
    granted: async (client) => void (await client.expect('suback', { packetId: 7, reasonCodes: [1] })),
  },
]

function fails(): never {
  throw new Error('it is broken')
}

const FAULTS: Record<string, Conduct> = {
  'throws at once': fails,
  'throws something that is no error': () => {
    throw 'text' as unknown
  },
  'throws later, being an async function': async () => {
    await Promise.resolve()
    fails()
  },
  'rejects with nothing': () => Promise.reject(),
  'rejects with a text': () => Promise.reject('text'),
}

const REFUSALS: Record<string, Conduct> = {
  'calls back with an error': (done) => done(new Error('it is broken')),
  'calls back with an error later': (done) => void setImmediate(done, new Error('it is broken')),
  'calls back with a text for an error': (done) => done('text'),
  'calls back with an error and then with a yes': (done, good) => {
    done(new Error('it is broken'))
    done(...good)
  },
}

const limits = { hookTimeoutMs: HOOK_TIMEOUT_MS }

describe.each(HOOKS)('the $name hook', ({ options, act, refused, granted }) => {
  test.for(Object.entries(FAULTS))('that %s costs its own client only, with a count', async ([, fault], { start }) => {
    const world = await start({ ...options(fault), limits })
    const calm = await world.bystanders()
    const client = await act(world)
    await refused(client)
    await calm()
    expect(world.broker.counters.hookFailures).toBe(1)
  })

  test.for(Object.entries(REFUSALS))('that %s says no to its own client only', async ([, refusal], { start }) => {
    const world = await start({ ...options(refusal), limits })
    const calm = await world.bystanders()
    const client = await act(world)
    await refused(client)
    await calm()
    expect(Object.keys(world.broker.clients)).toContain('bystander')
  })

  test('that throws is in the log, with its reason', async ({ start }) => {
    const world = await start({ ...options(fails), limits })
    await refused(await act(world))
    const told = world.log.lines.map((line) => JSON.stringify(line))
    expect(told).toContainEqual(expect.stringContaining('it is broken'))
  })

  test('that never answers holds its own client only, and counts as a no after its time', async ({ start }) => {
    const asked: Callback[] = []
    const world = await start({ ...options((done) => void asked.push(done)), limits })
    const calm = await world.bystanders()
    const client = await act(world)
    await world.until(() => asked.length === 1)
    await calm()
    await world.clock.advance(HOOK_TIMEOUT_MS - 1)
    await calm()
    expect(client.isClosed).toBe(false)
    expect(client.received.filter(({ type }) => type !== 'publish')).toEqual([])
    await world.clock.advance(1)
    await refused(client)
    await calm()
    expect(world.broker.counters.hookFailures).toBe(1)
    const told = world.log.lines.map((line) => JSON.stringify(line))
    expect(told).toContainEqual(expect.stringContaining('gave no answer within 5 s'))
  })

  test('that answers after its time is not heard', async ({ start }) => {
    let late: () => void = fails
    const world = await start({ ...options((done, good) => void (late = () => done(...good))), limits })
    const calm = await world.bystanders()
    const client = await act(world)
    await world.until(() => late !== fails)
    await world.clock.advance(HOOK_TIMEOUT_MS)
    late()
    await refused(client)
    await calm()
    expect(Object.keys(world.broker.clients)).toContain('bystander')
  })

  test('that answers twice is heard once', async ({ start }) => {
    const world = await start({
      ...options((done, good) => {
        done(...good)
        done(new Error('it is broken'))
        setImmediate(done, ...good)
      }),
      limits,
    })
    const calm = await world.bystanders()
    const client = await act(world)
    await granted(client)
    await client.expectNothing()
    await calm()
    expect(world.broker.counters.hookFailures).toBe(0)
  })

  test('that answers and then throws is heard', async ({ start }) => {
    const world = await start({
      ...options((done, good) => {
        done(...good)
        fails()
      }),
      limits,
    })
    const calm = await world.bystanders()
    const client = await act(world)
    await granted(client)
    await client.expectNothing()
    await calm()
  })

  test.for(['yes', 'no'])('that answers %s after its client has left does nothing', async (answer, { start }) => {
    let late: () => void = fails
    const world = await start({
      ...options((done, good) => {
        late = () => (answer === 'yes' ? done(...good) : done(new Error('it is broken')))
      }),
      limits,
    })
    const { broker } = world
    const calm = await world.bystanders()
    const subscriptions = broker.router.subscriptionCount
    const client = await act(world)
    await world.until(() => late !== fails)
    client.drop()
    await world.until(() => broker.connectedClients === 2 && broker.clients[VICTIM] === undefined)
    // The broker has seen the end of this connection as well when it was never registered.
    await calm()
    late()
    await calm()
    await world.clock.advance(2 * HOOK_TIMEOUT_MS)
    await calm()
    expect(Object.keys(broker.clients).toSorted()).toEqual(['bystander', 'calm publisher'])
    expect(broker.router.subscriptionCount).toBe(subscriptions)
  })
})

describe('the authorizeForward hook', () => {
  test.for([0, 1, 2])('that throws at QoS %i costs its own client the message only', async (qos, { start }) => {
    const world = await start({
      authorizeForward: (client, packet) => (isVictim(client) && packet.payload.toString() === 'x' ? fails() : packet),
      limits,
    })
    const calm = await world.bystanders()
    const victim = await world.connect({ clientId: VICTIM })
    await victim.subscribe('hooked', qos)
    const other = await world.connect({ clientId: 'other' })
    await other.subscribe('hooked', qos)
    await other.publish('hooked', 'x', { qos })
    await other.receive({ payload: 'x' })
    await victim.expectNothing()
    await other.publish('hooked', 'y', { qos })
    await victim.receive({ payload: 'y' })
    await calm()
    expect(world.broker.counters.hookFailures).toBe(1)
    expect(world.log.about(VICTIM).filter(({ level }) => level === 'error')).toHaveLength(1)
  })

  test('that hands back nonsense costs its own client the message only', async ({ start }) => {
    const nonsense = [
      undefined,
      7,
      {},
      { topic: 'a/#', payload: Buffer.from('x'), qos: 0 },
      { topic: null, payload: 1 },
    ]
    let turn = 0
    const world = await start({
      authorizeForward: (client, packet) => (isVictim(client) ? (nonsense[turn++] as never) : packet),
      limits,
    })
    const calm = await world.bystanders()
    const victim = await world.connect({ clientId: VICTIM })
    await victim.subscribe('hooked', 0)
    const other = await world.connect({ clientId: 'other' })
    for (let index = 0; index < nonsense.length; index++) await other.publish('hooked', 'x')
    await calm()
    expect(turn).toBe(nonsense.length)
    await victim.expectNothing()
  })
})

describe('an answer that makes no sense', () => {
  test('of authorizePublish (a topic that cannot be) is a no for its own client', async ({ start }) => {
    const topics: unknown[] = ['a/#', '', 'a\0b', 7, undefined, 'x'.repeat(70_000)]
    let turn = 0
    const world = await start({
      authorizePublish(client, packet, done) {
        if (isVictim(client)) packet.topic = topics[turn++] as string
        done(null)
      },
      limits,
    })
    const calm = await world.bystanders()
    const watcher = await world.connect({ clientId: 'watcher' })
    await watcher.subscribe('#', 0)
    const victim = await world.connect({ version: 5, clientId: VICTIM })
    for (let index = 0; index < topics.length; index++) {
      const { reasonCode } = await victim.publish('hooked', 'x', { qos: 1 })
      expect(reasonCode, `topic ${String(topics[index]).slice(0, 10)}`).toBeGreaterThanOrEqual(0x80)
    }
    await calm()
    await watcher.take('publish', { topic: 'calm' })
    await watcher.expectNothing()
  })

  test('of authorizeSubscribe (a filter that cannot be) is a no for its own client', async ({ start }) => {
    const filters: unknown[] = ['a/#/b', '', 7, undefined, '$share//x', 'x'.repeat(70_000)]
    let turn = 0
    const world = await start({
      authorizeSubscribe(client, subscription, done) {
        done(null, isVictim(client) ? ({ topic: filters[turn++], qos: 0 } as never) : subscription)
      },
      limits,
    })
    const calm = await world.bystanders()
    const victim = await world.connect({ version: 5, clientId: VICTIM })
    for (let index = 0; index < filters.length; index++) {
      const [reasonCode] = await victim.subscribe('hooked')
      expect(reasonCode, `filter ${String(filters[index]).slice(0, 10)}`).toBeGreaterThanOrEqual(0x80)
    }
    await calm()
  })
})
