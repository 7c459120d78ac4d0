import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ControlClient } from '../../src/admin/control-client.ts'
import type { Broker } from '../../src/broker/broker.ts'
import { runCommand } from '../../src/cli/command-line.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { createBroker } from '../../src/index.ts'

let data: string
let broker: Broker

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'sluice-queue-'))
  broker = await createBroker({ data, durability: 'os' })
})

afterEach(async () => {
  await broker.close()
  await rm(data, { recursive: true })
})

interface Said {
  output: string
  errors: string
  exitCode: number | undefined
}

async function runOn(folder: string, args: readonly string[], columns?: number): Promise<Said> {
  const said: Said = { output: '', errors: '', exitCode: undefined }
  const terminal: Terminal = {
    environment: {},
    isErrorTty: false,
    columns,
    out: (text) => void (said.output += text),
    err: (text) => void (said.errors += text),
    exit: (code) => void (said.exitCode ??= code),
    onSignal: () => {},
    onExit: () => {},
  }
  await runCommand(['queue', ...args, '--data', folder], terminal)
  return said
}

const run = (...args: string[]): Promise<Said> => runOn(data, args)

/** What a command prints that is expected to succeed. */
async function printed(...args: string[]): Promise<string> {
  const { output, errors, exitCode } = await run(...args)
  expect([errors, exitCode]).toEqual(['', undefined])
  return output
}

async function json(...args: string[]): Promise<unknown> {
  return JSON.parse(await printed(...args, '--json'))
}

const ready = (queue: string): number => broker.queues.stats(queue).ready

async function texts(queue: string): Promise<string[]> {
  return (await broker.queues.browse(queue, 10_000)).map(({ text }) => text)
}

async function fill(queue: string, count: number): Promise<string[]> {
  const payloads = Array.from({ length: count }, (_, index) => `${queue} ${index}`)
  await Promise.all(payloads.map((payload) => broker.queues.enqueue(queue, payload)))
  return payloads
}

describe('sluice queue list', () => {
  test('says that there is none', async () => {
    expect(await printed('list')).toBe('there are no queues\n')
    expect(await json('list')).toEqual([])
  })

  test('has a line for each queue by name, figures at the right', async () => {
    for (const name of ['orders', 'alarms']) await broker.queues.declare(name)
    await fill('orders', 1200)
    const [titles, alarms, orders] = (await printed('list')).split('\n')
    expect(titles).toBe('QUEUE   LENGTH  READY  UNACKED  CONSUMERS    LAG   IN/S  OUT/S  EMPTY IN')
    expect(alarms).toBe('alarms       0      0        0          0      -      0      0         -')
    expect(orders).toMatch(/^orders {3}1,200 {2}1,200 {8}0 {10}0 {2}\d\.\d s {2} *[\d.,]+ {6}0 {5}never$/)
  })

  test('has the same for scripts', async () => {
    await broker.queues.declare('orders')
    await fill('orders', 2)
    await broker.queues.get('orders')
    const [row] = (await json('list')) as [Record<string, unknown>]
    expect(row).toMatchObject({ name: 'orders', durable: true, ready: 1, unacknowledged: 1, messages: 2, consumers: 0 })
    expect(row['drainMs']).toBeNull()
    expect(row['lagMs']).toBeTypeOf('number')
  })

  test.each([20, 30, 40, 60, 79])('is never wider than a terminal of %i columns', async (columns) => {
    await broker.queues.declare('a-name-that-is-much-longer-than-any-narrow-terminal-is-wide')
    const { output } = await runOn(data, ['list'], columns)
    const lines = output.trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns)
    expect(lines[0]).toMatch(/^QUEUE .*READY/)
  })

  test('tells of more queues than one page holds', async () => {
    for (let index = 0; index < 1201; index++) {
      broker.queues.engine.declareQueue(`q${String(index).padStart(4, '0')}`, { durable: false })
    }
    const rows = (await json('list')) as { name: string }[]
    expect(rows.map(({ name }) => name)).toEqual([...broker.queues.engine.queues.keys()])
  })

  test('writes out what a name could do to a terminal', async () => {
    await broker.queues.declare('red\u001b[31m\nline')
    expect(await printed('list')).toContain('\nred\\u001b[31m\\u000aline ')
  })
})

describe('sluice queue show', () => {
  test('tells figures, arguments and bindings', async () => {
    await broker.queues.declare('orders', {
      maxLength: 10,
      bindings: ['site/+/temp', { exchange: 'amq.headers', arguments: { level: 'error' } }],
    })
    await fill('orders', 3)
    const output = await printed('show', 'orders')
    expect(output).toMatch(/^orders: durable\n {2}length +3 messages, about \d+ bytes\n {2}ready +3, the oldest for /)
    expect(output).toContain('  arguments        x-max-length: 10\n')
    expect(output).toContain(
      '  bindings         site/+/temp\n                   exchange amq.headers, {"level":"error"}\n',
    )
    expect(await json('show', 'orders')).toMatchObject({
      name: 'orders',
      ready: 3,
      arguments: { 'x-max-length': 10 },
      bindingCount: 2,
      bindings: [
        { exchange: 'amq.topic', key: 'site.*.temp', filter: 'site/+/temp', arguments: {} },
        { exchange: 'amq.headers', key: '', arguments: { level: 'error' } },
      ],
    })
  })
})

describe('sluice queue peek', () => {
  test('shows the messages at the front and changes nothing', async () => {
    await broker.queues.declare('orders')
    await fill('orders', 3)
    const output = await printed('peek', 'orders', '--count', '2')
    expect(output).toMatch(
      /^1\. orders \(8 bytes, \d\.\d s old, sent to a queue\)\n {3}orders 0\n2\. [^]*orders 1\n2 of 3 that are ready\n$/,
    )
    expect(ready('orders')).toBe(3)
    const first = await broker.queues.get('orders')
    expect(first).toMatchObject({ text: 'orders 0', redelivered: false, deliveryCount: 0 })
  })

  test('says that nothing is ready', async () => {
    await broker.queues.declare('orders')
    expect(await printed('peek', 'orders')).toBe('no message is ready\n')
    expect(await json('peek', 'orders')).toEqual([])
  })

  test('shows topic, MQTT 5 properties, and bytes in hexadecimal', async () => {
    await broker.queues.declare('all', { bindings: ['#'] })
    await new Promise<void>((resolve) => {
      const payload = Buffer.from([0, 1, 0xff])
      const properties = { userProperties: { colour: 'red\u001b[31m' }, contentType: 'x/y', messageExpiryInterval: 600 }
      const packet = { cmd: 'publish', topic: 'a/b', payload, qos: 1, retain: false, dup: false, properties } as const
      broker.publish(packet, () => resolve())
    })
    const output = await printed('peek', 'all')
    expect(output).toMatch(/^1\. a\/b \(3 bytes, \d\.\d s old, expires in 10 min\)\n/)
    expect(output).toContain('\n   contentType: x/y\n   header colour: red\\u001b[31m\n   hex 00 01 ff\n')
    const [message] = (await json('peek', 'all')) as [Record<string, unknown>]
    expect(message).toMatchObject({ topic: 'a/b', exchange: 'amq.topic', bytes: 3, base64: 'AAH/', deliveryCount: 0 })
  })

  test('cuts what is long for people, and gives all of it to scripts', async () => {
    await broker.queues.declare('long')
    const text = 'ü"'.repeat(1_000_000)
    const bytes = Buffer.alloc(5_000_000)
    await broker.queues.enqueue('long', text)
    await broker.queues.enqueue('long', bytes)
    const output = await printed('peek', 'long', '--count', '2')
    expect(output.length).toBeLessThan(2_000)
    expect(output).toContain('… 2,000,000 characters in all; --json has them\n')
    expect(output).toContain(' 00 … 5,000,000 bytes in all; --json has them\n')
    const [first, second] = (await json('peek', 'long', '--count', '2')) as [{ text: string }, { base64: string }]
    expect(first.text === text).toBe(true)
    expect(Buffer.from(second.base64, 'base64').equals(bytes)).toBe(true)
  })

  test('reads what is on disk', async () => {
    await broker.queues.declare('orders')
    const payloads = await fill('orders', 900)
    await broker.close()
    broker = await createBroker({ data, durability: 'os' })
    const found = (await json('peek', 'orders', '--count', '1000')) as { text: string }[]
    expect(found.map(({ text }) => text)).toEqual(payloads)
  })

  test('cuts a payload that no answer can hold, and says so', async () => {
    await broker.queues.declare('huge')
    await broker.queues.enqueue('huge', Buffer.alloc(20 * 1024 * 1024))
    const [message] = (await json('peek', 'huge')) as [{ bytes: number; base64: string; truncated: boolean }]
    expect(message).toMatchObject({ bytes: 20 * 1024 * 1024, truncated: true })
    expect(message.base64.length).toBeGreaterThan(15_000_000)
  })
})

describe('sluice queue declare, bind and unbind', () => {
  test('make a queue with arguments under either name, once', async () => {
    const args = ['orders', '--argument', 'maxLength=7', '--argument', 'x-retry-delays=100,200', '--bind', 'order/#']
    const dead = ['--argument', 'deadLetterExchange=amq.fanout', '--argument', 'deadLetterRoutingKey=5']
    expect(await printed('declare', ...args, ...dead)).toBe('orders is there now\n')
    expect(await json('declare', ...args, ...dead)).toEqual({ created: false })
    const { definition, settings, incoming } = broker.queues.engine.queue('orders')
    expect(definition).toMatchObject({ durable: true, autoDelete: false })
    expect(settings).toMatchObject({ maxLength: 7, retryDelaysMs: [100, 200], deadLetterRoutingKey: '5' })
    expect([...incoming].map(({ key }) => key)).toEqual(['order.#'])
    await printed('declare', 'short', '--transient', '--auto-delete')
    expect(broker.queues.engine.queue('short').definition).toMatchObject({ durable: false, autoDelete: true })
  })

  test('add bindings and take them away', async () => {
    await broker.queues.declare('orders')
    expect(await printed('bind', 'orders', 'a/+', 'b/#')).toBe('added 2 bindings\n')
    expect(await printed('bind', 'orders', 'a/+')).toBe('added 0 bindings: there already\n')
    await broker.queues.publish('amq.topic', 'a.1', 'one')
    expect(await printed('unbind', 'orders', 'a/+')).toBe('took away 1 binding\n')
    await broker.queues.publish('amq.topic', 'a.1', 'two')
    expect(await texts('orders')).toEqual(['one'])
    const headers = ['--exchange', 'amq.headers', '--argument', 'x-match=any', '--argument', 'level=error']
    expect(await json('bind', 'orders', ...headers)).toEqual({ added: 1 })
    expect(await json('unbind', 'orders', ...headers)).toEqual({ removed: 1 })
    expect(await json('bind', 'orders', '--exchange', 'amq.direct', '--key', 'k')).toEqual({ added: 1 })
  })

  test('say which binding is not there, and take none away then', async () => {
    await broker.queues.declare('orders', { bindings: ['a'] })
    expect(await run('unbind', 'orders', 'a', 'b')).toMatchObject({
      errors: "sluice: queue 'orders' has no such binding; sluice queue show orders tells those it has\n",
      exitCode: 1,
    })
    expect(broker.queues.engine.queue('orders').incoming.size).toBe(1)
  })
})

describe('sluice queue publish, purge and delete', () => {
  test('put a message in, and take all out', async () => {
    await broker.queues.declare('orders')
    expect(await printed('publish', 'orders', 'grüß dich')).toBe('put 1 message into orders\n')
    expect(await texts('orders')).toEqual(['grüß dich'])
    await fill('orders', 3)
    const held = await broker.queues.get('orders')
    expect(await printed('purge', 'orders')).toBe('deleted 3 messages from orders\n')
    held?.nack()
    expect(await texts('orders')).toEqual(['grüß dich'])
    expect(await json('purge', 'orders')).toEqual({ purged: 1 })
  })

  test('refuse where the queue is full, not empty, or in use', async () => {
    await broker.queues.declare('full', { maxLength: 0, overflow: 'reject-publish' })
    expect((await run('publish', 'full', 'x')).errors).toBe("sluice: queue 'full' is full or cannot be written to\n")
    await broker.queues.declare('orders')
    await fill('orders', 2)
    const consumer = await broker.queues.consume('orders', () => {})
    expect(await run('delete', 'orders', '--if-unused')).toMatchObject({
      errors: "sluice: queue 'orders' in use\n",
      exitCode: 1,
    })
    consumer.close()
    await fill('orders', 2)
    expect((await run('delete', 'orders', '--if-empty')).errors).toBe("sluice: queue 'orders' not empty\n")
    expect(await printed('delete', 'orders')).toMatch(/^deleted orders with \d messages\n$/)
    expect(broker.queues.names()).toEqual(['full'])
  })
})

describe('sluice queue move', () => {
  test('moves all that is ready, in order, as it was', async () => {
    await broker.queues.declare('from')
    await broker.queues.declare('to')
    const payloads = await fill('from', 1234)
    expect(await printed('move', 'from', 'to')).toBe('moved 1,234 messages from from to to; 0 left\n')
    expect(await texts('to')).toEqual(payloads)
    expect(ready('from')).toBe(0)
  })

  test('keeps topic, headers and the record of deaths', async () => {
    await broker.queues.declare('dead', { bindings: [{ exchange: 'amq.fanout' }] })
    await broker.queues.declare('orders', { deadLetterExchange: 'amq.fanout', bindings: ['order/#'] })
    await broker.queues.publish('amq.topic', 'order.1', 'x', { headers: { colour: 'red' } })
    const message = await broker.queues.get('orders')
    message?.reject()
    expect(await json('move', 'dead', 'orders')).toEqual({ moved: 1, left: 0, halt: null })
    const again = await broker.queues.get('orders')
    expect(again).toMatchObject({ topic: 'order/1', text: 'x', redelivered: false })
    expect(again?.headers.get('colour')).toBe('red')
    expect(again?.headers.get('x-first-death-queue')).toBe('orders')
  })

  test('moves as many as asked for, and leaves what is unacknowledged', async () => {
    await broker.queues.declare('from')
    await broker.queues.declare('to')
    await fill('from', 5)
    const held = await broker.queues.get('from')
    expect(await json('move', 'from', 'to', '--count', '2')).toEqual({ moved: 2, left: 2, halt: null })
    held?.nack()
    expect(await texts('from')).toEqual(['from 0', 'from 3', 'from 4'])
  })

  test.each(['drop-head', 'reject-publish', 'reject-publish-dlx'] as const)(
    'stops where the target is full, and loses nothing: %s',
    async (overflow) => {
      await broker.queues.declare('from')
      await broker.queues.declare('dead', { bindings: [{ exchange: 'amq.fanout' }] })
      await broker.queues.declare('to', { maxLength: 2, overflow, deadLetterExchange: 'amq.fanout' })
      await fill('from', 5)
      expect(await run('move', 'from', 'to')).toEqual({
        output: 'moved 2 messages from from to to; 3 left\n',
        errors: 'sluice: stopped there: the target is full\n',
        exitCode: 1,
      })
      expect([...(await texts('to')), ...(await texts('from'))]).toEqual([0, 1, 2, 3, 4].map((each) => `from ${each}`))
      expect(ready('dead')).toBe(0)
    },
  )

  test('is on disk when it says so', async () => {
    await broker.queues.declare('from')
    await broker.queues.declare('to')
    const payloads = await fill('from', 600)
    await printed('move', 'from', 'to', '--count', '550')
    await broker.close()
    broker = await createBroker({ data, durability: 'os' })
    expect([await texts('to'), await texts('from')]).toEqual([payloads.slice(0, 550), payloads.slice(550)])
  })

  test('ends with the command that asked for it, and every message is in one of the two', async () => {
    await broker.queues.declare('from')
    await broker.queues.declare('to')
    await fill('from', 5_000)
    const client = await ControlClient.connect(data)
    const asked = client.ask('queue.move', { from: 'from', to: 'to' }, () => client.close())
    await expect(asked).rejects.toMatchObject({ code: 'CONTROL_LOST' })
    // The broker answers this one after it has seen that the other is gone.
    let before = -1
    while (before !== ready('from')) {
      before = ready('from')
      await json('list')
    }
    expect(ready('from')).toBeGreaterThan(0)
    expect(ready('from') + ready('to')).toBe(5_000)
  })

  test('does not hold up the broker', async () => {
    await broker.queues.declare('from')
    await broker.queues.declare('to')
    await fill('from', 5_000)
    let [largest, before, isMoving] = [0, 0, true]
    const look = (): void => {
      const now = ready('to')
      largest = Math.max(largest, now - before)
      before = now
      if (isMoving) setImmediate(look)
    }
    look()
    await printed('move', 'from', 'to')
    isMoving = false
    expect(ready('to')).toBe(5_000)
    // Of one turn of the event loop.
    expect(largest).toBeLessThanOrEqual(500)
  })
})

describe('what cannot be done', () => {
  test.each([
    [['show', 'nope'], "there is no queue 'nope'; sluice queue list shows those there are"],
    [['purge', 'nope'], "there is no queue 'nope'"],
    [['move', 'orders', 'nope'], "there is no queue 'nope'"],
    [['bind', 'orders', '--exchange', 'nope'], "no exchange 'nope'"],
    [
      ['bind', 'orders', '--exchange', 'amq.headers', '--argument', 'x-match=most'],
      'invalid x-match field value "most"',
    ],
    [['declare', 'orders', '--argument', 'maxLength=5'], "inequivalent arg 'x-max-length' for queue 'orders'"],
  ])('is said in one line, with exit code 1: %j', async (args, message) => {
    await broker.queues.declare('orders')
    const { output, errors, exitCode } = await run(...args)
    expect(errors).toMatch(/^sluice: [^\n]*\n$/)
    expect(errors).toContain(message)
    expect([output, exitCode]).toEqual(['', 1])
  })

  test.each([
    [['peek', 'orders', '--count', '0'], '--count: expected a whole number from 1 on'],
    [['peek', 'orders', '--count', '1001'], '--count must be at most 1000'],
    [['move', 'orders', 'orders'], 'a queue cannot be moved into itself'],
    [['bind', 'orders'], 'give either topic filters or --exchange'],
    [['bind', 'orders', 'a', '--exchange', 'b'], 'give either topic filters or --exchange'],
    [['bind', 'orders', 'a', '--key', 'b'], '--key and --argument need --exchange'],
    [['bind', 'orders', '#/a'], 'the topic filter has # before its end'],
    [['declare', 'new', '--argument', 'maxLength'], '--argument: expected a name, = and a value'],
    [['declare', 'new', '--argument', 'maxLength=-1'], 'argument maxLength: must be at least 0, got -1'],
    [['declare', 'new', '--argument', 'maxLenth=1'], "unrecognised key 'maxLenth'; did you mean 'maxLength'?"],
    [['declare', 'new', '--argument', 'x-max-length=1', '--argument', 'maxLength=1'], 'says the same as maxLength'],
    [['declare', 'new', '--bind', 'a/#/b'], 'binding 1: the topic filter has # before its end'],
    [['declare', 'amq.new'], "names that begin with 'amq.' are reserved"],
    [['show'], "missing required argument 'queue'"],
    [['lst'], "unknown command 'lst'"],
  ])('is a mistake of who types, in one line with exit code 2: %j', async (args, message) => {
    await broker.queues.declare('orders')
    const { output, errors, exitCode } = await run(...args)
    expect(errors).toMatch(/^sluice: [^\n]*\n$/)
    expect(errors).toContain(message)
    expect([output, exitCode]).toEqual(['', 2])
    expect(broker.queues.names()).toEqual(['orders'])
  })

  test('is anything where no broker runs that keeps something in the folder', async () => {
    const elsewhere = join(data, 'elsewhere')
    expect(await runOn(elsewhere, ['list'])).toEqual({
      output: '',
      errors:
        `sluice: no broker is running on ${elsewhere}; name its data folder with --data, ` +
        "and run this as the broker's user; one that was started with --memory cannot be asked\n",
      exitCode: 1,
    })
  })
})

test('sluice queue --help tells what there is, with examples', async () => {
  const { output } = await run('--help')
  for (const command of ['list', 'show', 'peek', 'publish', 'purge', 'bind', 'unbind', 'declare', 'delete', 'move']) {
    expect(output).toContain(`\n  ${command} `)
  }
  expect(output).toContain('Examples:')
})
