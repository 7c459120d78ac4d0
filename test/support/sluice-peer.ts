import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../src/base/clock.ts'
import { FakeClock } from './fake-clock.ts'
import { openSocket } from './mosquitto-peer.ts'
import type { BrokerNeeds, Peer } from './peer.ts'

interface Running {
  addresses: readonly { url: string }[]
  close(): Promise<void>
}

type CreateBroker = (options: object & { clock: Clock }) => Promise<Running>

type Done<Result> = (error: (Error & { returnCode?: number }) | null, result?: Result) => void

/** The broker of this repository, in the same process, with a clock that the test moves. */
export async function startSluice(needs: BrokerNeeds): Promise<Peer> {
  const entry: string = '../../src/index.ts'
  const { createBroker } = (await import(entry)) as { createBroker: CreateBroker }
  const clock = new FakeClock()
  const folder = needs.persistent ? await mkdtemp(join(tmpdir(), 'sluice-flow-')) : undefined
  const start = (): Promise<Running> => createBroker({ ...options(needs, folder), clock })
  let broker = await start()
  return {
    open() {
      const { hostname, port } = new URL(broker.addresses[0]?.url ?? '')
      return openSocket(Number(port), hostname)
    },
    async restart() {
      await broker.close()
      broker = await start()
    },
    pass: (ms) => clock.advance(ms),
    async stop() {
      await broker.close()
      if (folder !== undefined) await rm(folder, { recursive: true })
    },
  }
}

function options(needs: BrokerNeeds, folder: string | undefined): object {
  const { users, denyPublish, denySubscribe } = needs
  return {
    ...(folder === undefined ? { memory: true } : { data: folder, durability: 'os' }),
    mqtt: { port: 0 },
    sys: { intervalSeconds: needs.sysIntervalSeconds ?? 0 },
    limits: { ...needs.limits },
    ...(users && {
      authenticate(_client: unknown, name: string | undefined, password: Buffer | undefined, done: Done<boolean>) {
        done(null, name !== undefined && Object.hasOwn(users, name) && users[name] === password?.toString())
      },
    }),
    ...(denyPublish !== undefined && {
      authorizePublish(_client: unknown, packet: { topic: string }, done: Done<void>) {
        done(isBelow(packet.topic, denyPublish) ? new Error('not allowed here') : null)
      },
    }),
    ...(denySubscribe !== undefined && {
      authorizeSubscribe(_client: unknown, subscription: { topic: string }, done: Done<object | null>) {
        done(null, isBelow(subscription.topic, denySubscribe) ? null : subscription)
      },
    }),
  }
}

function isBelow(topic: string, filter: string): boolean {
  return topic.startsWith(filter.slice(0, -1))
}
