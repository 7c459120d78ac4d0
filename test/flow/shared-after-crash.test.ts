import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { connect as openSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type Broker, createBroker } from '../../src/index.ts'
import { RawClient } from '../support/raw-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-shared-'))
const open: { clients: RawClient[]; brokers: Broker[] } = { clients: [], brokers: [] }

afterEach(async () => {
  for (const client of open.clients) client.drop()
  for (const broker of open.brokers) await broker.close()
  rmSync(folder, { recursive: true, force: true })
})

async function start(name: string): Promise<Broker> {
  const broker = await createBroker({ data: join(folder, name), mqtt: { port: 0 } })
  open.brokers.push(broker)
  return broker
}

async function join5(broker: Broker, clientId: string, clean = false): Promise<RawClient> {
  const { host, port } = broker.addresses[0] as { host: string; port: number }
  const client = new RawClient(openSocket(port, host), 5)
  open.clients.push(client)
  client.sendConnect({ version: 5, clientId, clean, properties: { sessionExpiryInterval: 3600 } })
  await client.expect('connack', { reasonCode: 0 })
  return client
}

it('a message of a shared group that a crash left with a member goes to another when that one does not return', async () => {
  const before = await start('before')
  const a = await join5(before, 'a')
  await a.subscribe('$share/g/topic', 1)
  const publisher = await join5(before, 'p', true)
  await publisher.publish('topic', 'precious', { qos: 1 })
  await a.expect('publish', { payload: 'precious' })
  // Not acknowledged. What is on disk now is what a power cut would leave.
  await before.store.commit.flush()
  cpSync(join(folder, 'before'), join(folder, 'after'), { recursive: true, filter: (path) => !path.endsWith('.sock') })

  const after = await start('after')
  const b = await join5(after, 'b')
  await b.subscribe('$share/g/topic', 1)
  expect(await b.receive({ payload: 'precious' })).toMatchObject({ topic: 'topic' })
  const again = await join5(after, 'a', true)
  await again.expectNothing()
})
