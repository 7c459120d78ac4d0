import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base } from 'vitest'
import { createBroker } from '../../src/index.ts'
import type { Broker, BrokerOptions } from '../../src/index.ts'
import type { FieldValue } from '../../src/message/field-table.ts'
import { FakeClock } from './fake-clock.ts'
import { lasting } from './flow.ts'
import { openSocket } from './mosquitto-peer.ts'
import { RawClient } from './raw-client.ts'
import { RecordingLog } from './recording-log.ts'
import type { ConnectOptions } from './wire-writer.ts'

/** A broker in this process whose queues a test declares and looks at itself. */
export class QueueFlow {
  readonly clock = new FakeClock()
  readonly log = new RecordingLog()
  private readonly folder: string
  private readonly options: BrokerOptions
  private readonly clients: RawClient[] = []
  broker: Broker = undefined as unknown as Broker

  constructor(folder: string, options: BrokerOptions) {
    this.folder = folder
    this.options = options
  }

  async start(): Promise<this> {
    const { clock, log, folder } = this
    this.broker = await createBroker({
      data: folder,
      durability: 'os',
      mqtt: { port: 0 },
      http: { enabled: false },
      sys: { intervalSeconds: 0 },
      ...this.options,
      clock,
      log,
    })
    return this
  }

  /** The engine itself. */
  get queues(): Broker['queues']['engine'] {
    return this.broker.queues.engine
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.drop()
    await this.broker.close()
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  declare(name: string, args: Record<string, FieldValue> = {}): void {
    this.queues.declareQueue(name, { arguments: new Map(Object.entries(args)) })
  }

  /** A client that the broker has accepted. */
  async connect(options: ConnectOptions = {}): Promise<RawClient> {
    const { hostname, port } = new URL(this.broker.addresses[0]?.url ?? '')
    const client = new RawClient(await openSocket(Number(port), hostname), options.version ?? 5)
    this.clients.push(client)
    client.sendConnect({ version: 5, ...options })
    await client.expect('connack', { reasonCode: 0 })
    return client
  }

  /** The same with a session that outlives the connection. */
  resume(options: ConnectOptions & { clientId: string }): Promise<RawClient> {
    return this.connect(lasting({ version: 5, ...options }))
  }

  /** Payloads of the ready messages, in their order; they stay as they are. */
  async ready(queueName: string): Promise<string[]> {
    const queue = this.queues.queue(queueName)
    const found = await queue.browse(queue.readyCount)
    return found.map(({ message }) => message.payload.toString())
  }

  /** Publishes at QoS 1, one behind the other, each acknowledged. */
  async fill(queueName: string, ...payloads: string[]): Promise<void> {
    const publisher = await this.connect()
    for (const payload of payloads) await publisher.publish(`$queue/${queueName}`, payload, { qos: 1 })
    await publisher.disconnect()
  }
}

interface Fixtures {
  begin: (options?: BrokerOptions) => Promise<QueueFlow>
}

export const test = base.extend<Fixtures>({
  begin: async ({ task: _task }, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-queue-'))
    const started: QueueFlow[] = []
    await use(async (options = {}) => {
      const flow = await new QueueFlow(folder, options).start()
      started.push(flow)
      return flow
    })
    for (const flow of started) await flow.stop()
    await rm(folder, { recursive: true })
  },
})
