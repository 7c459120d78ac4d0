import mqtt from 'mqtt'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isInstalled, Program } from './program.ts'
import { ServedBroker } from './served-broker.ts'

// It answers a request for help with 1.
const there = isInstalled('mosquitto_pub', 'mosquitto_pub', ['--help'], 1)

let broker: ServedBroker

beforeEach(async () => {
  broker = await ServedBroker.start({
    queues: { failed: {}, jobs: { bindings: ['site/+/job'], deadLetterExchange: '', deadLetterRoutingKey: 'failed' } },
  })
})

afterEach(async () => {
  await broker.stop()
})

function countOf(queueName: string): number {
  return broker.broker.queues.engine.queue(queueName).stats().messages
}

describe('mqtt.js', () => {
  test('consumes a queue, acknowledges or rejects each message', async () => {
    const url = `mqtt://127.0.0.1:${broker.port}`
    const seen: string[] = []
    let finished = (): void => {}
    const all = new Promise<void>((resolve) => {
      finished = resolve
    })
    const consumer = await mqtt.connectAsync(url, {
      protocolVersion: 5,
      customHandleAcks: (_topic, message, _packet, done) => {
        done(message.toString() === 'bad' ? 0x83 : 0)
      },
    })
    consumer.on('message', (topic, payload, { properties }) => {
      const { ['x-mqtt-topic']: original } = properties?.userProperties ?? {}
      seen.push(`${topic} ${String(original)} ${payload.toString()}`)
      if (seen.length === 2) finished()
    })
    await consumer.subscribeAsync('$queue/jobs', { qos: 1 })
    const publisher = await mqtt.connectAsync(url)
    await publisher.publishAsync('site/1/job', 'good', { qos: 1 })
    await publisher.publishAsync('site/2/job', 'bad', { qos: 2 })
    await publisher.publishAsync('$queue/jobs', 'direct', { qos: 1 })
    await all
    await consumer.endAsync()
    await publisher.endAsync()
    expect(seen).toEqual(['$queue/jobs site/1/job good', '$queue/jobs $queue/jobs direct'])
    expect([countOf('jobs'), countOf('failed')]).toEqual([0, 1])
  })
})

describe.skipIf(!there)('mosquitto_pub and mosquitto_sub', () => {
  test.each(['mqttv31', 'mqttv311', 'mqttv5'])('put messages into a queue and take them out (%s)', async (version) => {
    const run = (command: string, ...args: string[]): Program =>
      new Program(command, ['-h', '127.0.0.1', '-p', String(broker.port), '-V', version, ...args])
    for (const payload of ['one', 'two', 'three']) {
      const sent = await run('mosquitto_pub', '-q', '1', '-t', '$queue/jobs', '-m', payload).finished()
      expect(sent).toMatchObject({ code: 0, errors: [] })
    }
    expect(countOf('jobs')).toBe(3)
    const taken = await run('mosquitto_sub', '-q', '1', '-t', '$queue/jobs', '-C', '3', '-F', '%t %q %p').finished()
    expect(taken).toEqual({
      code: 0,
      errors: [],
      output: ['one', 'two', 'three'].map((payload) => `$queue/jobs 1 ${payload}`),
    })
    expect(countOf('jobs')).toBe(0)
  })
})
