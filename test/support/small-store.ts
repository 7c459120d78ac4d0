import { type Duplex, duplexPair } from 'node:stream'
import type { Log } from '../../src/base/log.ts'
import type { Broker } from '../../src/broker/broker.ts'
import { compose } from '../../src/compose.ts'
import { type Config, defaultConfig } from '../../src/config/schema.ts'
import type { Backend } from '../../src/store/backend.ts'
import { Batch } from '../../src/store/batch.ts'
import { MemoryBackend } from '../../src/store/memory/memory-backend.ts'
import { storeOver } from '../../src/store/open-store.ts'
import type { ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { packetSize, readPacket } from './wire-reader.ts'
import { type ConnectOptions, connectPacket, publishPacket, subscribePacket } from './wire-writer.ts'

export type Row = readonly [key: Buffer, value: Buffer]

// Turns of the event loop; nothing here waits for a clock, or for a disk.
const TURNS_MAX = 2_000

/** A broker on a store in memory, as one on disk would be: `data` is only a name. */
export async function brokerOn(backend: Backend, log: Log): Promise<Broker> {
  const defaults = defaultConfig()
  const config: Config = {
    ...defaults,
    data: '/a-store-in-memory',
    durability: 'os',
    mqtt: { ...defaults.mqtt, enabled: false },
    http: { ...defaults.http, enabled: false },
  }
  const store = await storeOver(backend, 'os', { log })
  return compose({ config, log, store })
}

export async function backendOf(rows: readonly Row[]): Promise<MemoryBackend> {
  const backend = new MemoryBackend()
  const batch = new Batch()
  for (const [key, value] of rows) batch.put(Buffer.from(key), Buffer.from(value))
  await new Promise((resolve) => backend.write(batch, resolve))
  return backend
}

export function rowsOf(backend: Backend): Promise<Row[]> {
  return backend.scan(Buffer.of(0), Buffer.of(0xff), 100_000, Number.POSITIVE_INFINITY)
}

/** True as soon as it holds; false when it does not within so many turns of the event loop. */
export async function within(holds: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    if (holds()) return true
    await new Promise((resolve) => setImmediate(resolve))
  }
  return false
}

/** A client whose session stays, and the types of the packets that it has received. */
export class SmallClient {
  readonly received: string[] = []
  isClosed = false
  private readonly near: Duplex
  private readonly far: Duplex
  private rest: Buffer = Buffer.alloc(0)

  constructor(broker: Broker, version: ProtocolVersion, options: ConnectOptions) {
    const [near, far] = duplexPair()
    this.near = near
    this.far = far
    const close = (): void => {
      this.isClosed = true
    }
    near.on('error', close).on('end', close).on('close', close)
    near.on('data', (chunk: Buffer) => this.read(chunk, version))
    broker.handle(far)
    const properties = version === 5 ? { sessionExpiryInterval: 3600 } : {}
    near.write(connectPacket({ version, clean: false, properties, ...options }))
  }

  send(bytes: Buffer): void {
    this.near.write(bytes)
  }

  async expect(type: string): Promise<void> {
    const isThere = await within(() => this.received.includes(type))
    if (!isThere) throw new Error(`no ${type} came, but ${this.received.join(', ')}`)
    this.received.splice(this.received.indexOf(type), 1)
  }

  /** A pair in memory does not tell the other end by itself. */
  drop(): void {
    this.near.destroy()
    this.far.destroy()
  }

  private read(chunk: Buffer, version: ProtocolVersion): void {
    this.rest = Buffer.concat([this.rest, chunk])
    if (this.isClosed) return
    for (let size = packetSize(this.rest, 0); size > 0; size = packetSize(this.rest, 0)) {
      try {
        this.received.push(readPacket(this.rest.subarray(0, size), version).type)
      } catch {
        // As a client does with what it cannot read.
        this.isClosed = true
        return
      }
      this.rest = this.rest.subarray(size)
    }
  }
}

/** What a small store holds, at least one record of every kind but format 1's. */
export async function smallStore(log: Log): Promise<Row[]> {
  const backend = new MemoryBackend()
  const broker = await brokerOn(backend, log)
  const { queues } = broker
  await queues.declareExchange('orders', { type: 'topic', alternateExchange: 'amq.fanout' })
  await queues.declareExchange('by-header', { type: 'headers' })
  await queues.declare('work', {
    maxPriority: 2,
    deadLetterExchange: 'orders',
    retryDelaysMs: [0, 3_600_000],
    bindings: ['a/#', { exchange: 'orders', key: 'tea.*' }, { exchange: 'by-header', arguments: { 'x-match': 'any' } }],
  })
  await queues.declare('once', { deduplicationWindowMs: 3_600_000, bindings: [{ exchange: 'orders', key: '#' }] })
  await queues.bindExchange('by-header', { exchange: 'orders', key: 'tea.#' })

  const five = new SmallClient(broker, 5, {
    clientId: 'five',
    will: { topic: 'a/will', payload: 'gone', qos: 1, retain: true, properties: { willDelayInterval: 1800 } },
  })
  await five.expect('connack')
  const four = new SmallClient(broker, 4, { clientId: 'four' })
  await four.expect('connack')
  const filter = { qos: 2, noLocal: false, retainAsPublished: true, retainHandling: 0 }
  five.send(subscribePacket(5, 1, [{ filter: 'a/#', ...filter }], { subscriptionIdentifiers: [7] }))
  await five.expect('suback')
  four.send(subscribePacket(4, 1, [{ filter: 'a/+', qos: 1 }]))
  four.send(subscribePacket(4, 2, [{ filter: '$share/group/s', qos: 1 }]))
  await four.expect('suback')
  await four.expect('suback')
  five.send(publishPacket(5, { topic: 'nobody', qos: 2, packetId: 77 }))
  await five.expect('pubrec')
  five.drop()
  four.drop()
  await within(() => broker.connectedClients === 0)

  const publisher = new SmallClient(broker, 5, { clientId: 'publisher', clean: true, properties: {} })
  await publisher.expect('connack')
  for (let i = 0; i < 6; i++) {
    publisher.send(
      publishPacket(5, {
        topic: `a/${i % 3}`,
        payload: `message ${i} ${i === 4 ? 'x'.repeat(3000) : ''}`,
        qos: 1,
        packetId: i + 1,
        retain: i % 2 === 0,
        properties: { contentType: 'text', messageExpiryInterval: 7200, userProperties: [['amqp-priority', `${i}`]] },
      }),
    )
  }
  // In one commit, so that they share a block.
  for (let i = 0; i < 6; i++) await publisher.expect('puback')
  publisher.send(publishPacket(5, { topic: 's', payload: 'for the group', qos: 1, packetId: 20 }))
  await publisher.expect('puback')
  for (const id of ['1', '2']) {
    await queues.publish('orders', 'tea.green', `tea ${id}`, { messageId: id, headers: { kind: 'tea', n: 1 } })
  }
  await queues.enqueue('work', 'later', { delayMs: 3_600_000 })
  const first = await queues.get('work')
  const second = await queues.get('work')
  first?.reject()
  second?.nack()
  publisher.drop()
  await within(() => broker.connectedClients === 0)
  await broker.close()
  return rowsOf(backend)
}
