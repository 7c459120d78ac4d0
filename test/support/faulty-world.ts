import { duplexPair } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test as base } from 'vitest'
import type { Broker, BrokerOptions } from '../../src/index.ts'
import { createBroker } from '../../src/index.ts'
import type { ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { FakeClock } from './fake-clock.ts'
import { openSocket } from './mosquitto-peer.ts'
import { RawClient } from './raw-client.ts'
import { RecordingLog } from './recording-log.ts'
import type { ConnectOptions } from './wire-writer.ts'

/** A broker with the options of a test, seen from outside and inside: its clients, its log, its counters. */
export class World {
  readonly broker: Broker
  readonly clock: FakeClock
  readonly log: RecordingLog
  private readonly clients: RawClient[] = []

  constructor(broker: Broker, clock: FakeClock, log: RecordingLog) {
    this.broker = broker
    this.clock = clock
    this.log = log
  }

  get port(): number {
    return this.broker.addresses[0]?.port ?? 0
  }

  /** Over TCP; nothing has been sent. */
  async open(version: ProtocolVersion = 4): Promise<RawClient> {
    return this.add(new RawClient(await openSocket(this.port), version))
  }

  /** Over a duplex in memory, which holds 16 KiB each way and no more. */
  openInMemory(version: ProtocolVersion = 4): RawClient {
    const [near, far] = duplexPair()
    this.broker.handle(far)
    return this.add(new RawClient(near, version))
  }

  /** Accepted, over TCP. */
  async connect(options: ConnectOptions = {}): Promise<RawClient> {
    return accepted(await this.open(options.version), options)
  }

  /** Accepted, in memory. */
  async connectInMemory(options: ConnectOptions = {}): Promise<RawClient> {
    return accepted(this.openInMemory(options.version), options)
  }

  /** A pair of clients that have nothing to do with a fault, and a check that they notice nothing of it. */
  async bystanders(): Promise<() => Promise<void>> {
    const subscriber = await this.connect({ clientId: 'bystander' })
    await subscriber.subscribe('calm', 1)
    const publisher = await this.connect({ clientId: 'calm publisher' })
    let count = 0
    return async () => {
      const payload = String(count++)
      await publisher.publish('calm', payload, { qos: 1 })
      await subscriber.receive({ topic: 'calm', payload })
    }
  }

  /** Waits until the broker has done something about what is on its way; the test's time limit ends the waiting. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await nextTurn()
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.drop()
    await this.broker.close()
  }

  private add(client: RawClient): RawClient {
    this.clients.push(client)
    return client
  }
}

async function accepted(client: RawClient, options: ConnectOptions): Promise<RawClient> {
  client.sendConnect(options)
  await client.expect('connack', { reasonCode: 0 })
  return client
}

interface Fixtures {
  /** Starts a broker in memory that is stopped after the test. */
  start: (options?: BrokerOptions) => Promise<World>
}

export const test = base.extend<Fixtures>({
  start: async ({ task: _task }, use) => {
    const worlds: World[] = []
    await use(async (options = {}) => {
      const clock = new FakeClock()
      const log = new RecordingLog()
      const kept = options.data === undefined ? { memory: true } : {}
      const given = { sys: { intervalSeconds: 0 }, mqtt: { port: 0 }, log, clock, ...kept, ...options }
      const world = new World(await createBroker(given), clock, log)
      worlds.push(world)
      return world
    })
    for (const world of worlds) await world.stop()
  },
})
