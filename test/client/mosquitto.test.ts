import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Finished, isInstalled, Program } from './program.ts'
import { ServedBroker } from './served-broker.ts'

// It answers a request for help with 1.
const there = isInstalled('mosquitto_pub', 'mosquitto_pub', ['--help'], 1)
const versions = ['mqttv31', 'mqttv311', 'mqttv5']

let broker: ServedBroker
const closing: (() => unknown)[] = []

beforeEach(async () => {
  broker = await ServedBroker.start({
    authenticate: (_client, name, password, done) => done(null, name === undefined || String(password) === 'right'),
  })
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await broker.stop()
})

function run(command: 'mosquitto_pub' | 'mosquitto_sub', ...args: string[]): Program {
  const program = new Program(command, ['-h', '127.0.0.1', '-p', String(broker.port), ...args])
  closing.push(() => program.kill())
  return program
}

async function pub(...args: string[]): Promise<Finished> {
  const finished = await run('mosquitto_pub', ...args).finished()
  expect(finished).toMatchObject({ code: 0, errors: [] })
  return finished
}

/** mosquitto_sub with this client identifier, as soon as the broker has its subscription. */
async function sub(clientId: string, ...args: string[]): Promise<Program> {
  const program = run('mosquitto_sub', '-i', clientId, ...args)
  await broker.subscription(clientId)
  return program
}

describe.skipIf(!there)('mosquitto_pub and mosquitto_sub', () => {
  describe.each(versions)('with -V %s', (version) => {
    test.each(['0', '1', '2'])('send and receive at QoS %s', async (qos) => {
      const subscriber = await sub('s', '-V', version, '-t', 'a/+', '-q', qos, '-C', '3', '-F', '%t %q %r %p')
      for (const payload of ['one', 'two', 'zwölf €']) await pub('-V', version, '-t', 'a/b', '-q', qos, '-m', payload)
      expect(await subscriber.finished()).toEqual({
        code: 0,
        errors: [],
        output: ['one', 'two', 'zwölf €'].map((payload) => `a/b ${qos} 0 ${payload}`),
      })
    })

    test('find retained messages, and delete them', async () => {
      await pub('-V', version, '-t', 'r/1', '-r', '-q', '1', '-m', 'first')
      await pub('-V', version, '-t', 'r/2', '-r', '-q', '1', '-m', 'second')
      await pub('-V', version, '-t', 'r/1', '-r', '-q', '1', '-n')
      const subscriber = await sub('s', '-V', version, '-t', 'r/#', '-C', '2', '-F', '%t %r %p')
      await pub('-V', version, '-t', 'r/end', '-r', '-q', '1', '-m', 'live')
      expect((await subscriber.finished()).output).toEqual(['r/2 1 second', 'r/end 0 live'])
    })

    test('leave a will behind', async () => {
      const watching = await sub('w', '-V', version, '-t', 'will', '-q', '1', '-C', '1', '-F', '%q %p')
      const will = ['--will-topic', 'will', '--will-payload', 'gone', '--will-qos', '1']
      const dying = await sub('d', '-V', version, '-t', 'x', ...will)
      dying.kill('SIGKILL')
      expect((await watching.finished()).output).toEqual(['1 gone'])
    })

    test('come back to a session', async () => {
      const session = ['-V', version, '-i', 's', '-c', '-t', 'a', '-q', '2']
      if (version === 'mqttv5') session.push('-x', '60')
      expect((await run('mosquitto_sub', ...session, '-E').finished()).code).toBe(0)
      for (const qos of ['1', '2']) await pub('-V', version, '-t', 'a', '-q', qos, '-m', `at ${qos}`)
      const back = await run('mosquitto_sub', ...session, '-C', '2').finished()
      expect(back).toEqual({ code: 0, errors: [], output: ['at 1', 'at 2'] })
    })

    test('share a subscription', async () => {
      const args = ['-V', version, '-t', '$share/group/jobs', '-q', '1', '-C', '5']
      const workers = [await sub('one', ...args), await sub('two', ...args)]
      for (let job = 0; job < 10; job++) await pub('-V', version, '-t', 'jobs', '-q', '1', '-m', String(job))
      const done = await Promise.all(workers.map((worker) => worker.finished()))
      expect(done.flatMap(({ output }) => output).toSorted()).toEqual('0123456789'.split(''))
    })

    test('are told when they may not come in', async () => {
      const credentials = ['-u', 'somebody', '-P']
      await pub('-V', version, '-t', 'a', '-m', 'x', ...credentials, 'right')
      const refused = await run(
        'mosquitto_pub',
        '-V',
        version,
        '-t',
        'a',
        '-m',
        'x',
        ...credentials,
        'wrong',
      ).finished()
      expect(refused.code).not.toBe(0)
      expect(refused.errors.join()).toMatch(/not authori[sz]ed/i)
    })
  })

  test('carry the properties of MQTT 5', async () => {
    const format = '%C|%R|%D|%P|%F|%S|%p'
    const subscriber = await sub(
      's',
      '-V',
      'mqttv5',
      '-t',
      'a',
      '-C',
      '1',
      '-F',
      format,
      '-D',
      'subscribe',
      'subscription-identifier',
      '7',
    )
    const properties = [
      ['content-type', 'text/plain'],
      ['response-topic', 'answers'],
      ['correlation-data', 'c1'],
      ['user-property', 'colour', 'red'],
      ['payload-format-indicator', '1'],
      ['message-expiry-interval', '60'],
    ].flatMap((property) => ['-D', 'publish', ...property])
    await pub('-V', 'mqttv5', '-t', 'a', '-q', '1', '-m', 'x', ...properties)
    expect((await subscriber.finished()).output).toEqual(['text/plain|answers|c1|colour:red|1|7|x'])
  })

  test('carry a file of a megabyte', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-client-'))
    closing.push(() => rm(folder, { recursive: true }))
    const file = join(folder, 'file')
    await writeFile(file, 'x'.repeat(1_000_000))
    const subscriber = await sub('s', '-t', 'file', '-q', '2', '-C', '1', '-F', '%l')
    await pub('-t', 'file', '-q', '2', '-f', file)
    expect((await subscriber.finished()).output).toEqual(['1000000'])
  })

  test('receive in one version what was sent in another', async () => {
    const subscribers = await Promise.all(
      versions.map((version) => sub(version, '-V', version, '-t', 'a', '-q', '2', '-C', '3', '-F', '%q %p')),
    )
    for (const version of versions) await pub('-V', version, '-t', 'a', '-q', '2', '-m', version)
    for (const subscriber of subscribers) {
      expect((await subscriber.finished()).output).toEqual(versions.map((version) => `2 ${version}`))
    }
  })
})
