import type { Duplex } from 'node:stream'
import { test as base, vi } from 'vitest'
import type { ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { mosquittoDifferences } from './mosquitto-differences.ts'
import { startMosquitto } from './mosquitto-peer.ts'
import { isReferencePeer } from './peer.ts'
import type { BrokerNeeds, Peer } from './peer.ts'
import { RawClient } from './raw-client.ts'
import { startSluice } from './sluice-peer.ts'
import { PINGREQ } from './wire-writer.ts'
import type { ConnectOptions } from './wire-writer.ts'

// Time really passes there.
const REFERENCE_PASS_MS_MAX = 8_000
if (isReferencePeer) vi.setConfig({ testTimeout: 30_000 })

export const versions: { version: ProtocolVersion; name: string }[] = [
  { version: 3, name: 'MQTT 3.1' },
  { version: 4, name: 'MQTT 3.1.1' },
  { version: 5, name: 'MQTT 5.0' },
]

/** A broker that a test has for itself. */
export class FlowBroker {
  private readonly peer: Peer
  private readonly skip: (note: string) => void
  private readonly clients: RawClient[] = []

  constructor(peer: Peer, skip: (note: string) => void) {
    this.peer = peer
    this.skip = skip
  }

  /** A connection on which nothing has been sent. */
  async open(version: ProtocolVersion = 4): Promise<RawClient> {
    return this.over(await this.peer.open(), version)
  }

  /** The same over a duplex in memory. */
  openInMemory(version: ProtocolVersion = 4): RawClient {
    const stream = this.peer.openInMemory()
    if (stream === undefined) this.skip('takes sockets only')
    return this.over(stream as Duplex, version)
  }

  private over(stream: Duplex, version: ProtocolVersion): RawClient {
    const client = new RawClient(stream, version)
    this.clients.push(client)
    return client
  }

  /** A client that the broker has accepted; the CONNACK is taken. */
  async connect(options: ConnectOptions = {}): Promise<RawClient> {
    const client = await this.open(options.version ?? 4)
    client.sendConnect(options)
    await client.expect('connack', { reasonCode: 0 })
    return client
  }

  /** Connects with a session that outlives the connection, whatever the version calls it. */
  async resume(options: ConnectOptions & { clientId: string }): Promise<{ client: RawClient; present: boolean }> {
    const client = await this.open(options.version ?? 4)
    client.sendConnect(lasting(options))
    const { sessionPresent } = await client.expect('connack', { reasonCode: 0 })
    return { client, present: sessionPresent }
  }

  async restart(): Promise<void> {
    await this.peer.restart()
  }

  /** Lets time pass after the broker has noticed what clients did before. */
  async pass(seconds: number): Promise<void> {
    if (isReferencePeer && seconds * 1000 > REFERENCE_PASS_MS_MAX) this.skip('needs a clock that can be moved')
    await this.settle()
    await this.peer.pass(seconds * 1000)
  }

  /** The broker has seen this connection, so it has seen the end of those that broke before. */
  private async settle(): Promise<void> {
    const probe = await this.open()
    await probe.send(PINGREQ).end()
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.drop()
    await this.peer.stop()
  }
}

/** The options that keep the session: an expiry interval in version 5, no clean session below. */
export function lasting(options: ConnectOptions, seconds = 3600): ConnectOptions {
  if (options.version !== 5) return { clean: false, ...options }
  return { clean: false, ...options, properties: { sessionExpiryInterval: seconds, ...options.properties } }
}

interface Fixtures {
  /** Starts a broker that is stopped after the test. */
  start: (needs?: BrokerNeeds) => Promise<FlowBroker>
  broker: FlowBroker
}

function skipDifference(task: { name: string; suite?: { name: string } }, skip: (note: string) => void): void {
  const suite = task.suite?.name.replaceAll("'", '') ?? ''
  const reason = mosquittoDifferences.get(task.name) ?? mosquittoDifferences.get(`${suite} > ${task.name}`)
  if (reason !== undefined) skip(reason)
}

export const test = base.extend<Fixtures>({
  start: async ({ task, skip }, use) => {
    if (isReferencePeer) skipDifference(task, skip)
    const brokers: FlowBroker[] = []
    await use(async (needs = {}) => {
      const peer = await (isReferencePeer ? startMosquitto(needs) : startSluice(needs))
      const broker = new FlowBroker(peer, (note) => skip(note))
      brokers.push(broker)
      return broker
    })
    for (const broker of brokers) await broker.stop()
  },
  broker: async ({ start }, use) => use(await start()),
})
