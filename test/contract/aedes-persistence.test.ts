import { createRequire } from 'node:module'
import { PersistencePort } from '../../src/broker/ports/persistence-port.ts'
import { nodeTest } from './support/node-test.ts'
import { memoryState } from './support/port-state.ts'

const require = createRequire(import.meta.url)
const suite = require('aedes-persistence/abstract.js') as (options: {
  test: typeof nodeTest
  persistence: () => Promise<PersistencePort>
  testAsync: true
}) => void

suite({ test: nodeTest, persistence: async () => new PersistencePort(await memoryState()), testAsync: true })
