import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRequest } from '../../src/admin/control-server.ts'
import { LINE_BYTES_MAX, LineReader } from '../../src/admin/control-socket.ts'
import { queueCommands } from '../../src/admin/queue-commands.ts'
import { SluiceError, UsageError } from '../../src/base/errors.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { parseConfigFile } from '../../src/config/file.ts'
import { configKeys } from '../../src/config/keys.ts'
import { checkConfig } from '../../src/config/load.ts'
import { configSchema } from '../../src/config/schema.ts'
import { readDefinitions } from '../../src/admin/queue-definitions.ts'
import { damagedBytes } from '../support/damaged-bytes.ts'
import { fuzzTimes, runsWithin } from '../support/property-runs.ts'
import { openWorld } from '../unit/queue/queue-world.ts'

const LIMIT = runsWithin(3000, 500)

describe('the lines of the control socket', () => {
  test('come out as they went in, however they are cut', () => {
    const lines = fc.array(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' ')))
    const property = fc.property(lines, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (all, cuts) => {
      const bytes = Buffer.from(all.map((line) => `${line}\n`).join(''))
      const reader = new LineReader()
      const found: string[] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = cuts[i % cuts.length] as number
        found.push(...reader.push(bytes.subarray(at, at + size)))
        at += size
      }
      expect(found).toEqual(all)
    })
    fc.assert(property, LIMIT)
  })

  test('of any bytes are lines, or too long', () => {
    const chunk = fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array))
    const long = fc.constant(Buffer.alloc(LINE_BYTES_MAX / 2, 0x20))
    const chunks = fc.array(fc.oneof({ arbitrary: chunk, weight: 20 }, { arbitrary: long, weight: 1 }), {
      maxLength: 12,
    })
    const property = fc.property(chunks, (all) => {
      const reader = new LineReader()
      try {
        for (const each of all) for (const line of reader.push(each)) expect(line).not.toContain('\n')
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    })
    fc.assert(property, runsWithin(500, 500))
  })
})

const request = fc
  .record({ id: fc.integer(), command: fc.string(), arguments: fc.dictionary(fc.string(), fc.jsonValue()) })
  .map((each) => JSON.stringify(each))
const line = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc
    .record({ id: fc.jsonValue(), command: fc.jsonValue(), arguments: fc.jsonValue() })
    .map((each) => JSON.stringify(each)),
  request,
  damagedBytes(request.map((text) => Buffer.from(text))).map((bytes) => bytes.toString()),
)

test('any line is a request to the broker, or malformed', () => {
  const property = fc.property(line, (text) => {
    try {
      const { id, command, arguments: given } = parseRequest(text)
      expect(typeof id).toBe('number')
      expect(typeof command).toBe('string')
      expect(typeof given === 'object' && given !== null).toBe(true)
    } catch (error) {
      expect(error).toMatchObject({ name: 'SluiceError', code: 'CONTROL_MALFORMED' })
    }
  })
  fc.assert(property, LIMIT)
})

test('any arguments of a command are done, or refused by a SluiceError', { timeout: 20_000 * fuzzTimes }, async () => {
  const { queues, store } = await openWorld()
  const commands = queueCommands(queues)
  queues.declareQueue('work')
  const names = ['queue', 'name', 'from', 'to', 'max', 'count', 'arguments', 'bindings', 'exchange', 'key', 'headers']
  const value = fc.oneof(
    fc.constantFrom('work', 'other', '', 'amq.topic', 'a.#', 0, 1, -1, 1e308, true, null),
    fc.jsonValue(),
  )
  const known = fc.constantFrom(...names, 'payload', 'limit', 'durable', 'autoDelete', 'type', 'text', '__proto__')
  const given = fc.dictionary(known, value) as fc.Arbitrary<Record<string, unknown>>
  const property = fc.asyncProperty(
    fc.constantFrom(...[...commands].map(([name]) => name)),
    given,
    async (name, args) => {
      const command = new Map(commands).get(name)
      try {
        await command?.(args, () => {}, new AbortController().signal)
      } catch (error) {
        expect(error).toBeInstanceOf(SluiceError)
      }
    },
  )
  await fc.assert(property, runsWithin(2000, 1000))
  queues.close()
  await store.close()
})

const valid = `data: ./here
durability: os
mqtt: { enabled: true, port: 1883, host: '127.0.0.1' }
http:
  port: 8080
limits:
  packetBytesMax: 1000
sys: { intervalSeconds: 10 }
exchanges:
  orders: { type: topic }
queues:
  work:
    maxLength: 100
    deadLetterExchange: orders
    bindings: [ 'a/#', { exchange: orders, key: '*.b' } ]
  other: &anchor
    arguments: { x-max-priority: 3 }
  third: *anchor
`

/** What a person is told: one line, and no word of JavaScript. */
function expectTold(error: unknown): void {
  expect(error).toBeInstanceOf(UsageError)
  const { message } = error as UsageError
  expect(message).not.toBe('')
  expect(message).not.toMatch(/is not a function|Cannot read|is not iterable|Maximum call stack/)
}

describe('a config file', () => {
  const text = fc.oneof(
    { arbitrary: damagedBytes(fc.constant(Buffer.from(valid))).map((bytes) => bytes.toString()), weight: 6 },
    { arbitrary: fc.string({ unit: 'binary' }), weight: 1 },
    { arbitrary: fc.json(), weight: 1 },
    {
      arbitrary: fc
        .dictionary(fc.constantFrom('mqtt', 'limits', 'queues', 'exchanges', 'data', '__proto__'), fc.jsonValue())
        .map((each) => JSON.stringify(each)),
      weight: 2,
    },
  )

  test('of any text is a configuration, or refused with what is wrong', () => {
    const property = fc.property(text, (yaml) => {
      try {
        const config = checkConfig(parseConfigFile('sluice.yaml', yaml), [])
        expect(configSchema.safeParse(config).success).toBe(true)
        readDefinitions(config)
      } catch (error) {
        expectTold(error)
      }
    })
    fc.assert(property, runsWithin(2000, 1200))
  })
})

test('any environment is a configuration, or refused with the name of the variable', () => {
  const variable = fc.oneof(
    { arbitrary: fc.constantFrom(...configKeys().map((key) => key.variable)), weight: 4 },
    fc.string({ maxLength: 12 }).map((end) => `SLUICE_${end.toUpperCase()}`),
    fc.string({ maxLength: 12 }),
  )
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('true', '1', '-1', '1e9', '0', 'os', '', 'a/b'))
  const property = fc.property(fc.dictionary(variable, value, { maxKeys: 4 }), (environment) => {
    try {
      const config = checkConfig(undefined, readEnvironment(environment))
      expect(configSchema.safeParse(config).success).toBe(true)
    } catch (error) {
      expectTold(error)
      const { message } = error as UsageError
      expect(Object.keys(environment).some((name) => message.includes(name))).toBe(true)
    }
  })
  fc.assert(property, LIMIT)
})
