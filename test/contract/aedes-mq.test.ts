import { createRequire } from 'node:module'
import { MqPort } from '../../src/broker/ports/mq-port.ts'
import type { MqDialect } from '../../src/broker/ports/mq-dialect.ts'
import { Router } from '../../src/router/router.ts'
import { nodeTest } from './support/node-test.ts'

const require = createRequire(import.meta.url)
const suite = require('mqemitter/abstractTest.js') as (options: {
  builder: (dialect?: MqDialect) => MqPort
  test: typeof nodeTest
}) => void

suite({ builder: (dialect) => new MqPort(new Router(), dialect), test: nodeTest })
