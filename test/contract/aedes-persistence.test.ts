import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { PersistencePort } from '../../src/broker/ports/persistence-port.ts'
import { createBroker } from '../../src/index.ts'
import { nodeTest } from './support/node-test.ts'

const require = createRequire(import.meta.url)
const suite = require('aedes-persistence/abstract.js') as (options: {
  test: typeof nodeTest
  persistence: () => Promise<PersistencePort>
  testAsync: true
}) => void

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step()
})

async function portOf(storage: 'memory' | 'disk'): Promise<PersistencePort> {
  if (storage === 'memory') {
    const broker = await createBroker({ memory: true })
    cleanUp.push(() => broker.close())
    return broker.persistence as PersistencePort
  }
  const folder = await mkdtemp(join(tmpdir(), 'sluice-contract-'))
  const broker = await createBroker({ data: folder, durability: 'os' })
  cleanUp.push(
    () => broker.close(),
    () => rm(folder, { recursive: true }),
  )
  return broker.persistence as PersistencePort
}

// The state behind the port is a whole broker's: its sessions, retained messages and wills.
for (const storage of ['memory', 'disk'] as const) {
  suite({
    test: (name, run) => nodeTest(`${name} (${storage})`, run),
    persistence: () => portOf(storage),
    testAsync: true,
  })
}
