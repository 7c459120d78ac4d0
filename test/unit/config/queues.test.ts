import { describe, expect, test } from 'vitest'
import { readDefinitions } from '../../../src/admin/queue-definitions.ts'
import { UsageError } from '../../../src/base/errors.ts'
import { readEnvironment } from '../../../src/config/environment.ts'
import { parseConfigFile } from '../../../src/config/file.ts'
import { configKeys } from '../../../src/config/keys.ts'
import { checkConfig } from '../../../src/config/load.ts'
import { configFromOptions } from '../../../src/config/options.ts'
import { queuesSchema } from '../../../src/config/queues.ts'
import { QUEUE_ARGUMENT_NAMES } from '../../../src/message/queue-arguments.ts'

function read(yaml: string): ReturnType<typeof readDefinitions> {
  return readDefinitions(checkConfig(parseConfigFile('sluice.yaml', yaml), []))
}

function refusal(yaml: string): string {
  try {
    read(yaml)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    expect((error as UsageError).exitCode).toBe(2)
    return (error as Error).message
  }
  return 'nothing was refused'
}

describe('queues in the config file', () => {
  test('have everything at its default where nothing is said', () => {
    const [orders] = read('queues:\n  orders:\n').queues
    const arguments_ = new Map()
    expect(orders?.definition).toEqual({
      name: 'orders',
      durable: true,
      exclusive: false,
      autoDelete: false,
      arguments: arguments_,
    })
  })

  test('have their arguments under readable names, and under those of the wire', () => {
    const { queues } = read(
      'queues:\n  a: { messageTtlMs: 5, retryDelaysMs: [1, 2], singleActiveConsumer: true }\n' +
        '  b: { x-message-ttl: 5, x-retry-delays: [1, 2], x-single-active-consumer: true }\n',
    )
    const [readable, wire] = queues.map(({ definition }) => Object.fromEntries(definition.arguments))
    expect(readable).toEqual({ 'x-message-ttl': 5, 'x-retry-delays': [1, 2], 'x-single-active-consumer': true })
    expect(wire).toEqual(readable)
  })

  test('know each argument that has a readable name', () => {
    const given = { type: 'quorum', overflow: 'drop-head', retryDelaysMs: [1], singleActiveConsumer: true }
    const texts = ['deadLetterExchange', 'deadLetterRoutingKey', 'lastValueKey']
    for (const name of QUEUE_ARGUMENT_NAMES.keys()) {
      const value = (given as Record<string, unknown>)[name] ?? (texts.includes(name) ? 'text' : 1)
      expect(queuesSchema.safeParse({ orders: { [name]: value } }).error?.issues ?? []).toEqual([])
      expect(queuesSchema.safeParse({ orders: { [name]: {} } }).success).toBe(false)
    }
  })

  test('are bound by topic filters of MQTT, and to any exchange', () => {
    const { bindings } = read(
      "queues:\n  a:\n    bindings:\n      - 'site/+/temp'\n      - { exchange: logs, key: k, arguments: { x-match: any } }\n",
    )
    expect(bindings.map(({ definition }) => definition)).toEqual([
      { source: 'amq.topic', target: 'a', targetKind: 'queue', key: 'site.*.temp', arguments: new Map() },
      { source: 'logs', target: 'a', targetKind: 'queue', key: 'k', arguments: new Map([['x-match', 'any']]) },
    ])
  })

  test.each([
    [
      'queues:\n  a: { maxLenth: 5 }\n',
      "sluice.yaml:2:8 queues.a: unrecognised key 'maxLenth'; did you mean 'maxLength'?",
    ],
    [
      'queues:\n  a: { exclusive: true }\n',
      "sluice.yaml:2:8 queues.a: unrecognised key 'exclusive'; known are durable, ",
    ],
    ['queues:\n  a:\n    maxLength: -5\n', 'sluice.yaml:3:16 queues.a.maxLength: must be at least 0, got -5'],
    ['queues:\n  a:\n    maxLength: 1.5\n', 'sluice.yaml:3:16 queues.a.maxLength: expected a whole number, got 1.5'],
    ['queues:\n  a: { maxPriority: 256 }\n', 'sluice.yaml:2:21 queues.a.maxPriority: must be at most 255, got 256'],
    [
      'queues:\n  a: { type: stream }\n',
      "sluice.yaml:2:14 queues.a.type: expected one of classic, quorum, got 'stream'",
    ],
    [
      'queues:\n  a: { deadLetterExchange: 5 }\n',
      'sluice.yaml:2:28 queues.a.deadLetterExchange: expected a text, got 5',
    ],
    ['queues:\n  a: 5\n', 'sluice.yaml:2:6 queues.a: expected keys and values, got 5'],
    ['queues: [a]\n', 'sluice.yaml:1:9 queues: expected keys and values, got a list'],
    ['queues:\n  __proto__: {}\n', "sluice.yaml:2:3 queues: '__proto__' cannot be a name here"],
    ['queues:\n  "": {}\n', 'sluice.yaml:2:3 queues: a name has 1 to 255 bytes'],
    [`queues:\n  ${'ü'.repeat(128)}: {}\n`, 'sluice.yaml:2:3 queues: a name has 1 to 255 bytes'],
    ['queues:\n  amq.x: {}\n', "sluice.yaml:2:3 queues: names that begin with 'amq.' are reserved"],
    [
      'queues:\n  a: { x-mesage-ttl: 5 }\n',
      "sluice.yaml:2:8 queues.a: unrecognised key 'x-mesage-ttl'; did you mean 'x-message-ttl'?",
    ],
    [
      'queues:\n  a: { maxLength: 5, x-max-length: 5 }\n',
      'sluice.yaml:2:22 queues.a: says the same as maxLength; keep one of the two',
    ],
    ['queues:\n  a: { x-max-length: many }\n', "sluice.yaml:2:22 queues.a.x-max-length: invalid arg 'x-max-length'"],
    [
      'queues:\n  a: { maxLength: 1, deadLetterRoutingKey: k }\n',
      'sluice.yaml:2:44 queues.a.deadLetterRoutingKey: needs a dead-letter exchange',
    ],
    ['queues:\n  a: { type: quorum, maxPriority: 5 }\n', 'sluice.yaml:2:'],
    ['queues:\n  a: { type: quorum, durable: false }\n', "queues.a.type: invalid property 'durable'"],
    ['queues:\n  a: { bindings: b }\n', "sluice.yaml:2:18 queues.a.bindings: expected a list, got 'b'"],
    [
      'queues:\n  a:\n    bindings:\n      - b\n      - c/#/d\n',
      "sluice.yaml:5:9 queues.a.bindings.1: the topic filter has # before its end, got 'c/#/d'",
    ],
    [
      'queues:\n  a: { bindings: [$share/g/t] }\n',
      'sluice.yaml:2:19 queues.a.bindings.0: a queue shares its messages by itself',
    ],
    [
      `queues:\n  a: { bindings: [${'b'.repeat(256)}] }\n`,
      'queues.a.bindings.0: the topic filter is longer than the 255 bytes',
    ],
    [
      'queues:\n  a: { bindings: [{ exchang: b }] }\n',
      "queues.a.bindings.0: unrecognised key 'exchang'; did you mean 'exchange'?",
    ],
    [
      'queues:\n  a: { bindings: [{ exchange: "" }] }\n',
      'sluice.yaml:2:31 queues.a.bindings.0.exchange: must not be empty',
    ],
    ['queues:\n  a: { bindings: [5] }\n', 'queues.a.bindings.0: expected a text, or keys and values, got 5'],
    [
      'exchanges:\n  a: { type: x-delayed }\n',
      'sluice.yaml:2:14 exchanges.a.type: expected one of direct, fanout, topic, headers, got',
    ],
    ['exchanges:\n  a: { typ: direct }\n', "sluice.yaml:2:8 exchanges.a: unrecognised key 'typ'; did you mean 'type'?"],
    ['exchanges:\n  amq.topic: {}\n', "sluice.yaml:2:3 exchanges: names that begin with 'amq.' are reserved"],
    [
      'exchanges:\n  a: { alternateExchange: b, arguments: { alternate-exchange: b } }\n',
      'exchanges.a: says the same as alternate-exchange',
    ],
    [
      'exchanges:\n  a: { arguments: { alternate-exchange: 5 } }\n',
      'sluice.yaml:2:41 exchanges.a.arguments.alternate-exchange: expected the name',
    ],
  ])('with a mistake are refused in one line that says where: %j', (yaml, message) => {
    const line = refusal(yaml)
    expect(line).toContain(message)
    expect(line).not.toContain('\n')
  })

  test('may be named like anything that objects have', () => {
    expect(read('queues:\n  constructor:\n  toString: { maxLength: 1 }\n').queues).toHaveLength(2)
  })

  test('cannot be said by a variable', () => {
    for (const variable of ['SLUICE_QUEUES', 'SLUICE_QUEUES_ORDERS', 'SLUICE_EXCHANGES_LOGS_TYPE']) {
      expect(() => readEnvironment({ [variable]: '1' })).toThrow(`${variable}: a variable cannot hold names`)
    }
    expect(configKeys().map(({ name }) => name)).not.toContain('queues')
  })
})

describe('queues in the options of a program', () => {
  test('are refused by the name of the option', () => {
    expect(() => configFromOptions({ queues: { a: { maxLength: -1 } } })).toThrow(
      'option queues.a.maxLength: must be at least 0, got -1',
    )
    const config = configFromOptions({ queues: { a: { bindings: ['#/a'] } } })
    expect(() => readDefinitions(config)).toThrow('option queues.a.bindings.0: the topic filter has # before its end')
  })
})
