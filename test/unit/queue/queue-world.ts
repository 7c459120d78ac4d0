import { encodeProperties, type BasicProperties } from '../../../src/message/basic-properties.ts'
import type { FieldTable } from '../../../src/message/field-table.ts'
import type { Message } from '../../../src/message/message.ts'
import type { QueueDelivery } from '../../../src/queue/queue-delivery.ts'
import type { Receiver } from '../../../src/queue/consumer.ts'
import type { Queue } from '../../../src/queue/queue.ts'
import { type Published, Queues, type QueuesOptions } from '../../../src/queue/queues.ts'
import { argumentsOf } from '../../support/queue-arguments.ts'
import { Router } from '../../../src/router/router.ts'
import { MemoryBackend } from '../../../src/store/memory/memory-backend.ts'
import { storeOver } from '../../../src/store/open-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** A queue engine over a disk that is a Map, and a clock that stands still. */
export interface World {
  readonly clock: FakeClock
  readonly backend: MemoryBackend
  readonly store: Store
  readonly router: Router
  readonly queues: Queues
}

export async function openWorld(
  backend = new MemoryBackend(),
  clock = new FakeClock(),
  options: Partial<QueuesOptions> = {},
): Promise<World> {
  const store = await storeOver(backend, 'os', { clock })
  const router = new Router()
  const queues = new Queues({ store, router, ...options })
  await queues.recover()
  store.destroyUnclaimed()
  return { clock, backend, store, router, queues }
}

/** The broker is killed and started again: what was not committed is lost. */
export function crash({ backend, clock }: World): Promise<World> {
  return openWorld(copyOf(backend), clock)
}

export async function restart(world: World): Promise<World> {
  world.queues.close()
  await world.store.close()
  return openWorld(copyOf(world.backend), world.clock)
}

function copyOf(backend: MemoryBackend): MemoryBackend {
  const copy = new MemoryBackend()
  const from = backend as unknown as { rows: Map<string, unknown> }
  const to = copy as unknown as { rows: Map<string, unknown>; unsorted: boolean }
  for (const [key, row] of from.rows) to.rows.set(key, row)
  to.unsorted = true
  return copy
}

export function declare({ queues }: World, name: string, args: Record<string, unknown> = {}): Queue {
  return queues.declareQueue(name, { arguments: argumentsOf(args) })
}

/** Publishes to the default exchange unless told otherwise. */
export function publish(
  { queues }: World,
  key: string,
  text: string,
  properties: BasicProperties = {},
  exchange = '',
): Published {
  const isPlain = Object.keys(properties).length === 0
  return queues.publish(exchange, key, {
    payload: Buffer.from(text),
    ...(isPlain ? {} : { properties: encodeProperties(properties) }),
  })
}

export function table(fields: Record<string, unknown>): FieldTable {
  return argumentsOf(fields)
}

export class Recorder implements Receiver {
  ready = true
  isCancelled = false
  readonly deliveries: QueueDelivery[] = []

  deliver(delivery: QueueDelivery): void {
    this.deliveries.push(delivery)
  }

  cancelled(): void {
    this.isCancelled = true
  }

  get texts(): string[] {
    return this.deliveries.map(textOf)
  }
}

export function textOf({ message }: QueueDelivery): string {
  return message.payload.toString()
}

/** Waits for what is being read from disk. */
export async function settle({ store }: World): Promise<void> {
  await store.commit.flush()
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Takes all ready messages, acknowledged. */
export async function drain(world: World, queue: Queue): Promise<string[]> {
  const texts: string[] = []
  for (let misses = 0; misses < 3; ) {
    const delivery = queue.get(true)
    if (delivery === undefined) {
      misses++
      await settle(world)
    } else texts.push(textOf(delivery))
  }
  return texts
}

/** Publishes as an MQTT client does. */
export function publishTopic({ queues, router }: World, message: Message): void {
  queues.toTopics(message, router.route(message.topic))
}
