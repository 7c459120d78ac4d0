import { mkdtemp, rm } from 'node:fs/promises'
import { duplexPair } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBroker } from '../../src/index.ts'
import type { Broker, BrokerOptions } from '../../src/index.ts'
import { FakeClock } from './fake-clock.ts'
import { openSocket } from './mosquitto-peer.ts'
import type { BrokerNeeds, Peer } from './peer.ts'

/** Runs every test over the store on disk, where acknowledgements wait for their commit. */
const onDisk = process.env['SLUICE_TEST_STORE'] === 'disk'

/** The broker of this repository, in the same process, with a clock that the test moves. */
export async function startSluice(needs: BrokerNeeds): Promise<Peer> {
  const clock = new FakeClock()
  const folder = needs.persistent || onDisk ? await mkdtemp(join(tmpdir(), 'sluice-flow-')) : undefined
  const start = (): Promise<Broker> => createBroker({ ...options(needs, folder), clock })
  let broker = await start()
  return {
    open() {
      const { hostname, port } = new URL(broker.addresses[0]?.url ?? '')
      return openSocket(Number(port), hostname)
    },
    openInMemory() {
      const [near, far] = duplexPair()
      broker.handle(far)
      return near
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

function options(needs: BrokerNeeds, folder: string | undefined): BrokerOptions {
  const { users, denyPublish, denySubscribe } = needs
  const built: BrokerOptions = {
    ...(folder === undefined ? { memory: true } : { data: folder, durability: onDisk ? 'fsync' : 'os' }),
    mqtt: { port: 0 },
    sys: { intervalSeconds: needs.sysIntervalSeconds ?? 0 },
    limits: { ...needs.limits },
  }
  if (users !== undefined) {
    built.authenticate = (_client, name, password, done) => {
      done(null, name !== undefined && Object.hasOwn(users, name) && users[name] === password?.toString())
    }
  }
  if (denyPublish !== undefined) {
    built.authorizePublish = (_client, packet, done) => {
      done(isBelow(packet.topic, denyPublish) ? new Error('not allowed here') : null)
    }
  }
  if (denySubscribe !== undefined) {
    built.authorizeSubscribe = (_client, subscription, done) => {
      done(null, isBelow(subscription.topic, denySubscribe) ? null : subscription)
    }
  }
  return built
}

function isBelow(topic: string, filter: string): boolean {
  return topic.startsWith(filter.slice(0, -1))
}
