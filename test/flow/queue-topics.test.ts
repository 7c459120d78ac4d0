import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, test } from 'vitest'
import { createBroker } from '../../src/index.ts'

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-queues-'))
  try {
    await run(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('what MQTT publishes to a bound topic is in the queue, acknowledged, over a restart', async () => {
  await withFolder(async (data) => {
    const options = { data, durability: 'fsync', mqtt: { port: 0 }, http: { enabled: false } } as const
    const first = await createBroker(options)
    first.queues.engine.declareQueue('temperatures')
    first.queues.engine.bind({ source: 'amq.topic', target: 'temperatures', key: 'site.*.temp' })
    const client = await connectAsync(first.addresses[0]?.url.replace('tcp:', 'mqtt:') ?? '')
    await client.publishAsync('site/1/temp', '21', { qos: 1 })
    await client.publishAsync('site/1/hum', '60', { qos: 1 })
    await client.publishAsync('site/2/temp', '22', { qos: 2 })
    await client.endAsync()
    await first.close()

    const second = await createBroker(options)
    const found: string[] = []
    await new Promise<void>((resolve) => {
      second.queues.engine.queue('temperatures').consume({
        ready: true,
        deliver(delivery) {
          found.push(`${delivery.message.topic} ${delivery.message.payload.toString()} ${delivery.redelivered}`)
          delivery.ack()
          if (found.length === 2) resolve()
        },
        cancelled() {},
      })
    })
    await second.close()
    expect(found).toEqual(['site/1/temp 21 false', 'site/2/temp 22 false'])
  })
})

test('a queue that refuses makes the acknowledgement a negative one', async () => {
  await withFolder(async (data) => {
    const broker = await createBroker({ data, mqtt: { port: 0 }, http: { enabled: false } })
    const args = new Map<string, string | number>([
      ['x-max-length', 1],
      ['x-overflow', 'reject-publish'],
    ])
    broker.queues.engine.declareQueue('short', { arguments: args })
    broker.queues.engine.bind({ source: 'amq.topic', target: 'short', key: '#' })
    const url = broker.addresses[0]?.url.replace('tcp:', 'mqtt:') ?? ''
    const client = await connectAsync(url, { protocolVersion: 5 })
    await client.publishAsync('a', '1', { qos: 1 })
    const refused = await client.publishAsync('a', '2', { qos: 1 }).then(
      () => 0,
      (error: { code?: number }) => error.code,
    )
    await client.endAsync()
    await broker.close()
    expect(refused).toBe(0x97)
  })
})
