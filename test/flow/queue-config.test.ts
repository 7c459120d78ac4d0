import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import type { Broker } from '../../src/broker/broker.ts'
import { compose } from '../../src/compose.ts'
import { parseConfigFile } from '../../src/config/file.ts'
import { checkConfig } from '../../src/config/load.ts'
import { createBroker } from '../../src/index.ts'

let data: string
const open: Broker[] = []

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'sluice-queue-config-'))
})

afterEach(async () => {
  for (const broker of open.splice(0)) await broker.close()
  await rm(data, { recursive: true })
})

async function start(yaml: string): Promise<Broker> {
  const listeners = `mqtt: { enabled: false }\nhttp: { enabled: false }\ndurability: os\ndata: ${data}\n`
  const config = checkConfig(parseConfigFile('sluice.yaml', `${yaml}${listeners}`), [])
  const broker = await compose({ config, log: silentLog })
  open.push(broker)
  return broker
}

async function startAndStop(yaml: string): Promise<void> {
  await (await start(yaml)).close()
}

function publish(broker: Broker, topic: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const packet = { cmd: 'publish', topic, payload: topic, qos: 1, retain: false, dup: false } as const
    broker.publish(packet, (error) => (error ? reject(error) : resolve()))
  })
}

const ready = (broker: Broker, queue: string): number => broker.queues.engine.queue(queue).readyCount

describe('queues of the config file', () => {
  test('are there from the start, bound, in whatever order they are written', async () => {
    const broker = await start(
      'queues:\n' +
        '  all: { deadLetterExchange: dead, bindings: [{ exchange: copies }] }\n' +
        "  temperatures: { maxLength: 10, bindings: ['site/+/temp', 'other/#'] }\n" +
        'exchanges:\n' +
        "  copies: { type: fanout, bindings: ['site/#'] }\n" +
        '  dead: { type: topic, alternateExchange: copies }\n',
    )
    await publish(broker, 'site/1/temp')
    await publish(broker, 'site/1/state')
    expect([ready(broker, 'temperatures'), ready(broker, 'all')]).toEqual([1, 2])
  })

  test('keep their messages and their bindings over a restart', async () => {
    const yaml = 'queues:\n  a: { maxLength: 10, bindings: [t] }\n'
    const before = await start(yaml)
    await publish(before, 't')
    await before.close()
    const broker = await start(yaml)
    await publish(broker, 't')
    expect(ready(broker, 'a')).toBe(2)
    expect(broker.queues.engine.queue('a').incoming.size).toBe(1)
  })

  test('are given what bindings they lack; others that they have stay', async () => {
    const before = await start('queues:\n  a: { bindings: [one] }\n')
    before.queues.engine.bind({ source: 'amq.fanout', target: 'a' })
    await before.close()
    const broker = await start('queues:\n  a: { bindings: [two] }\n')
    const bindings = [...broker.queues.engine.queue('a').incoming].map(({ source, key }) => `${source.name} ${key}`)
    expect(bindings.toSorted()).toEqual(['amq.fanout ', 'amq.topic one', 'amq.topic two'])
  })

  test('may leave out what is stored', async () => {
    await startAndStop('queues:\n  a: { maxLength: 10 }\n')
    expect((await start('')).queues.engine.queue('a').settings.maxLength).toBe(10)
  })

  test.each([
    [
      '{ maxLength: 5 }',
      'sluice.yaml:2:19 queues.a.maxLength: the stored queue has 10, the configuration 5; what exists is not changed: say 10, or start with that and run: sluice queue delete a',
    ],
    ['{ x-max-length: 5 }', 'sluice.yaml:2:22 queues.a.x-max-length: the stored queue has 10, the configuration 5'],
    ['{}', 'sluice.yaml:2:6 queues.a: x-max-length: the stored queue has 10, the configuration none'],
    [
      '{ maxLength: 10, messageTtlMs: 7 }',
      'queues.a.messageTtlMs: the stored queue has none, the configuration 7; what exists is not changed: leave it out, or',
    ],
    [
      '{ maxLength: 10, durable: false }',
      'sluice.yaml:2:32 queues.a.durable: the stored queue has true, the configuration false',
    ],
    ['{ maxLength: 10, autoDelete: true }', 'queues.a.autoDelete: the stored queue has false, the configuration true'],
  ])('that are stored otherwise end the start, unchanged: %s', async (definition, message) => {
    await startAndStop('queues:\n  a: { maxLength: 10 }\n')
    const failing = start(`queues:\n  a: ${definition}\n  new: {}\n`)
    await expect(failing).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining(message) })
    const { queues } = (await start('')).queues.engine
    expect([...queues.keys()]).toEqual(['a'])
    expect(queues.get('a')?.settings.maxLength).toBe(10)
  })

  test('are the same when only their numbers are written otherwise', async () => {
    await startAndStop('queues:\n  a: { maxLength: 10, x-dead-letter-exchange: "" }\n')
    expect(
      (await start('queues:\n  a: { deadLetterExchange: "", x-max-length: 10 }\n')).queues.engine.queues.size,
    ).toBe(1)
  })

  test.each([
    [
      'queues:\n  a: { deadLetterExchange: dead }\n',
      "sluice.yaml:2:28 queues.a.deadLetterExchange: there is no exchange 'dead'; define it under exchanges",
    ],
    [
      'queues:\n  a: { bindings: [{ exchange: logs }] }\n',
      "sluice.yaml:2:31 queues.a.bindings.0.exchange: there is no exchange 'logs'",
    ],
    [
      'exchanges:\n  a: { alternateExchange: b }\n',
      "sluice.yaml:2:27 exchanges.a.alternateExchange: there is no exchange 'b'",
    ],
    [
      'queues:\n  a: { bindings: [{ exchange: amq.headers, arguments: { x-match: most } }] }\n',
      'sluice.yaml:2:19 queues.a.bindings.0: PRECONDITION_FAILED - invalid x-match',
    ],
  ])('that name what is not there are refused: %j', async (yaml, message) => {
    await expect(start(yaml)).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining(message) })
  })

  test('may name an exchange that is stored', async () => {
    await startAndStop('exchanges:\n  logs: { type: fanout }\n')
    const broker = await start('queues:\n  a: { deadLetterExchange: logs, bindings: [{ exchange: logs }] }\n')
    expect(broker.queues.engine.queue('a').incoming.size).toBe(1)
  })

  test('come with exchanges that are compared as well', async () => {
    await startAndStop('exchanges:\n  logs: { type: fanout }\n')
    const message = 'sluice.yaml:2:17 exchanges.logs.type: the stored exchange has '
    await expect(start('exchanges:\n  logs: { type: direct }\n')).rejects.toMatchObject({
      exitCode: 1,
      message: `${message}'fanout', the configuration 'direct'; what exists is not changed: say 'fanout', or take another name`,
    })
  })
})

test('a program gives them as options', async () => {
  const broker = await createBroker({
    memory: true,
    exchanges: { logs: { type: 'fanout' } },
    queues: { a: { messageTtlMs: 60_000, bindings: ['t/#', { exchange: 'logs' }] }, b: { 'x-max-length': 1 } },
  })
  open.push(broker)
  await publish(broker, 't/1')
  expect(ready(broker, 'a')).toBe(1)
  await expect(createBroker({ memory: true, queues: { a: { deadLetterExchange: 'no' } } })).rejects.toThrow(
    "option queues.a.deadLetterExchange: there is no exchange 'no'",
  )
})
