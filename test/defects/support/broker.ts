import { cpSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import type { Aedes, AedesOptions, Client, PublishPacket } from 'aedes'
import { test as base } from 'vitest'
import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import { openSocket } from '../../support/mosquitto-peer.ts'
import { RawClient } from '../../support/raw-client.ts'
import type { ConnectOptions } from '../../support/wire-writer.ts'
import { startAedes } from './aedes-peer.ts'
import { startSluice } from './sluice-peer.ts'

/** `SLUICE_TEST_PEER=aedes` runs these tests against plain aedes 1.2.0, where they fail; see README.md. */
export const isAedes = process.env['SLUICE_TEST_PEER'] === 'aedes'

export interface Needs {
  /** Hooks, `id`, `heartbeatInterval`, `keepaliveLimit`: what aedes takes. */
  aedes?: Partial<AedesOptions> & { id?: string }
  /** State that outlives the broker: LevelDB on both sides. */
  persistent?: boolean
  /** Limits of Sluice; aedes has none of them. */
  limits?: Record<string, number>
}

export type AnyBroker = Aedes & {
  clients: Record<string, Client>
  persistence: Record<string, (...values: never[]) => unknown>
}

export interface Running {
  readonly broker: AnyBroker
  close(): Promise<void>
}

/** A broker under test, over duplexes in memory: what one write holds arrives as one chunk. */
export class DefectBroker {
  /** What the broker emitted as 'error', which ends a process where nobody listens. */
  readonly errors: Error[] = []
  private readonly needs: Needs
  private readonly clients: RawClient[] = []
  private readonly folders: string[] = []
  private readonly left: Running[] = []
  private running: Running | undefined
  private server: Server | undefined

  constructor(needs: Needs) {
    this.needs = needs
  }

  get broker(): AnyBroker {
    if (this.running === undefined) throw new Error('the broker is not running')
    return this.running.broker
  }

  async start(): Promise<this> {
    if (this.needs.persistent === true && this.folders.length === 0) await this.addFolder()
    const folder = this.folders.at(-1)
    this.running = await (isAedes ? startAedes(this.needs, folder) : startSluice(this.needs, folder))
    this.broker.on('error' as never, ((error: Error) => this.errors.push(error)) as never)
    return this
  }

  /** A connection on which nothing has been sent. */
  open(version: ProtocolVersion = 4): RawClient {
    const [near, far] = duplexPair()
    // A pair of duplexes does not pass on that one of them was destroyed, as a socket would. What was written before
    // still arrives.
    near.on('close', () => far.destroy())
    far.on('close', () => setImmediate(() => near.destroy()))
    this.broker.handle(far)
    return this.add(new RawClient(near, version))
  }

  /** The same over TCP, where buffers are those of the system. */
  async openTcp(version: ProtocolVersion = 4): Promise<RawClient> {
    if (this.server === undefined) {
      const server = createServer((socket) => void this.broker.handle(socket))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      this.server = server
    }
    const address = this.server.address()
    if (address === null || typeof address === 'string') throw new Error('the server has no port')
    return this.add(new RawClient(await openSocket(address.port, '127.0.0.1'), version))
  }

  /** A client that the broker has accepted; the CONNACK is taken. */
  async connect(options: ConnectOptions = {}): Promise<RawClient> {
    const client = this.open(options.version ?? 4)
    client.sendConnect(options)
    await client.take('connack', { reasonCode: 0 })
    return client
  }

  /** With clean session 0. */
  async resume(clientId: string, options: ConnectOptions = {}): Promise<RawClient> {
    return this.connect({ clientId, clean: false, ...options })
  }

  /** Breaks a connection and waits until the broker knows. */
  async lose(client: RawClient, clientId: string): Promise<void> {
    const gone = this.gone(clientId)
    client.drop()
    await gone
  }

  gone(clientId: string): Promise<void> {
    return new Promise((resolve) => {
      const { broker } = this
      const listener = (client: Client): void => {
        if (client.id !== clientId) return
        broker.removeListener('clientDisconnect', listener)
        resolve()
      }
      broker.on('clientDisconnect', listener)
    })
  }

  publish(packet: Partial<PublishPacket> & { topic: string }): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error?: Error | null): void => (error ? reject(error) : resolve())
      this.broker.publish({ cmd: 'publish', qos: 0, retain: false, dup: false, payload: '', ...packet }, done)
    })
  }

  /** Closes the broker and starts another one on what it stored. */
  async restart(): Promise<void> {
    await this.running?.close()
    await this.start()
  }

  /** Starts another broker on what is on disk at this moment; the first is stopped later and its folder forgotten. */
  async crash(): Promise<void> {
    const before = this.folders.at(-1)
    if (before === undefined || this.running === undefined) throw new Error('only a persistent broker can crash')
    const after = `${before}-after`
    cpSync(before, after, { recursive: true, filter: (path) => !path.endsWith('.sock') })
    this.folders.push(after)
    this.left.push(this.running)
    for (const client of this.clients.splice(0)) client.drop()
    await this.start()
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.drop()
    this.server?.close()
    for (const running of [...this.left, this.running]) await running?.close()
    for (const folder of this.folders) await rm(folder, { recursive: true, force: true })
  }

  private add(client: RawClient): RawClient {
    this.clients.push(client)
    return client
  }

  private async addFolder(): Promise<void> {
    this.folders.push(join(await mkdtemp(join(tmpdir(), 'sluice-defects-')), 'data'))
  }
}

export const test = base.extend<{ start: (needs?: Needs) => Promise<DefectBroker> }>({
  start: async ({ task: _task }, use) => {
    const started: DefectBroker[] = []
    await use(async (needs = {}) => {
      const broker = new DefectBroker(needs)
      started.push(broker)
      return broker.start()
    })
    for (const broker of started) await broker.stop()
  },
})
