import type { Duplex } from 'node:stream'
import { type Broker, createBroker } from '../../../src/index.ts'
import { recordKinds } from '../../../src/maintenance.ts'
import type { Queues } from '../../../src/queue/queues.ts'
import { accountFor } from '../../../src/store/account.ts'
import type { Backend } from '../../../src/store/backend.ts'
import { openSocket } from '../../support/mosquitto-peer.ts'
import { PowerCutDisk } from './power-cut-disk.ts'
import { Random } from './random.ts'
import { pause } from './stage.ts'
import type { World } from './world.ts'

const SYNC_MS = 8
const STALL_MS = 100

/** Where the mocked `openFolder` finds the disk that a broker is to run on. */
export const socket: { next: (() => Backend) | undefined } = { next: undefined }

/** A broker in this process on a disk that forgets what was not synced; it denies publishing below `denied/`. */
export class PowerCutWorld implements World {
  readonly deniedTopic = 'denied/topic'
  readonly deniedFilter = 'denied/#'
  readonly disk = new PowerCutDisk()
  /** How often a sync takes very long: the more waits for it, the more is seen of what did not wait. */
  stallChance = 0
  private readonly syncMs: number
  private broker: Broker | undefined
  private readonly random: Random
  private readonly connections = new Set<Duplex>()

  /** The engine of the broker that runs. */
  get queues(): Queues {
    if (this.broker === undefined) throw new Error('no broker runs')
    return this.broker.queues.engine
  }

  /** `syncMs`: how long a sync takes at most, unless the disk stalls. */
  constructor(seed: number, syncMs = SYNC_MS) {
    this.random = new Random(seed)
    this.syncMs = syncMs
  }

  async start(): Promise<void> {
    this.broker = await this.launch()
  }

  async failToStart(random: Random): Promise<void> {
    const starting = this.launch()
    await pause(random.below(5))
    this.disk.cut()
    await starting.then(quietly, () => {})
  }

  async open(): Promise<Duplex> {
    const connection = await openSocket(this.broker?.addresses[0]?.port ?? 0)
    this.connections.add(connection)
    connection.once('close', () => this.connections.delete(connection))
    return connection
  }

  async crash(random: Random): Promise<string> {
    const { broker } = this
    if (broker === undefined) return 'not running'
    this.broker = undefined
    const way = random.next()
    if (way < 0.1) {
      await broker.close()
      return 'closed'
    }
    if (way < 0.3) {
      const closing = broker.close().catch(() => {})
      await pause(random.below(10))
      this.powerOff()
      await closing
      return 'cut while it closed'
    }
    this.powerOff()
    await quietly(broker)
    return 'cut'
  }

  /** Ends the broker in proper form. */
  async close(): Promise<void> {
    const { broker } = this
    this.broker = undefined
    await broker?.close()
  }

  /** The disk has gone dark: nothing leaves the broker any more, and what is left of it is cleared away. */
  async clear(): Promise<void> {
    const { broker } = this
    this.broker = undefined
    this.powerOff()
    if (broker !== undefined) await quietly(broker)
  }

  rows(): Promise<[key: Buffer, value: Buffer][]> {
    return this.disk.all()
  }

  async check(): Promise<string | undefined> {
    const damaged: string[] = []
    await accountFor(this.disk.content, recordKinds, (key, _value, { state, kind, why }) => {
      if (state === 'damaged') damaged.push(`${kind} ${key.toString('hex')}: ${why}`)
    })
    return damaged.length === 0 ? undefined : damaged.join('; ')
  }

  stop(): Promise<void> {
    return this.clear()
  }

  powerOff(): void {
    this.disk.cut()
    // Nothing that the broker does from now on leaves it.
    for (const connection of this.connections) connection.destroy()
  }

  private nextSyncMs(): number {
    const { random, stallChance, syncMs } = this
    if (random.chance(stallChance)) return random.below(STALL_MS)
    return random.chance(0.5) ? 0 : random.below(syncMs)
  }

  private async launch(): Promise<Broker> {
    const { disk } = this
    socket.next = () => disk.plugIn(() => this.nextSyncMs())
    return createBroker({
      data: 'on the disk that forgets',
      durability: 'fsync',
      mqtt: { port: 0 },
      sys: { intervalSeconds: 0 },
      authorizePublish: (_client, packet, done) => {
        done(packet.topic.startsWith('denied/') ? new Error('not permitted') : null)
      },
    })
  }
}

/** What has no power cannot close properly. */
async function quietly(broker: Broker): Promise<void> {
  await broker.close().catch(() => {})
}
