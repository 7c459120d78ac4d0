import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lasting } from '../../support/flow.ts'
import { openSocket } from '../../support/mosquitto-peer.ts'
import { RawClient } from '../../support/raw-client.ts'
import { Sluice } from '../broker-child.ts'
import { canTrace, TracedBroker } from './traced-broker.ts'

const CALLS_MAX = 12
const COMMITS_MAX = 7
const MESSAGES = 400

let folder: string
let traced: TracedBroker | undefined
let child: Sluice | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-calls-'))
})

afterEach(async () => {
  await traced?.end('SIGKILL')
  await child?.end('SIGKILL')
  await rm(folder, { recursive: true })
})

/** A broker that is killed as one of its threads begins this call for the n-th time. */
function doomed(call: string, n: number): TracedBroker {
  traced = new TracedBroker(
    ['-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${n}`],
    join(folder, 'data'),
  )
  return traced
}

async function start(): Promise<number> {
  child = new Sluice('start', '--mqtt-port', '0', '--http-port', '0', '--data', join(folder, 'data'))
  return child.port()
}

async function connect(port: number, clientId: string): Promise<RawClient> {
  const client = new RawClient(await openSocket(port), 4)
  client.sendConnect(lasting({ clientId }))
  await client.expect('connack', { reasonCode: 0 })
  return client
}

async function subscribe(port: number): Promise<void> {
  const reader = await connect(port, 'reader')
  await reader.subscribe('topic', 2)
  await reader.disconnect()
}

/** What waits for the reader. */
async function read(port: number): Promise<number[]> {
  const reader = await connect(port, 'reader')
  await reader.subscribe('end', 1)
  await reader.publish('end', 'end', { qos: 1 })
  const got: number[] = []
  for (;;) {
    const { topic, payload } = await reader.receive()
    if (topic === 'end') break
    got.push(Number(payload))
  }
  await reader.unsubscribe('end')
  await reader.disconnect()
  return got
}

describe.skipIf(!canTrace && process.env['CI'] === undefined)('kill -9 at a system call', () => {
  test('a kill at any sync of a group commit loses nothing that was acknowledged', { timeout: 90_000 }, async () => {
    await subscribe(await start())
    await child?.end('SIGTERM')
    let kills = 0
    for (let n = 1; n <= COMMITS_MAX; n++) {
      const port = await doomed('fdatasync', n).port()
      let acknowledged = 0
      if (port !== undefined) {
        const publisher = await connect(port, `publisher ${n}`).catch(() => undefined)
        for (let index = 0; publisher?.isClosed === false && index < MESSAGES; index++) {
          publisher.sendPublish({ topic: 'topic', payload: String(index), qos: 1, packetId: index + 1 })
          if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
        }
        const acks = (): number => publisher?.received.filter(({ type }) => type === 'puback').length ?? 0
        while (publisher?.isClosed === false && acks() < MESSAGES)
          await new Promise((resolve) => setTimeout(resolve, 2))
        if (publisher?.isClosed !== false) kills++
        await traced?.end('SIGKILL')
        await publisher?.end()
        acknowledged = acks()
      } else kills++
      const got = await read(await start())
      expect(got.length).toBeGreaterThanOrEqual(acknowledged)
      expect(got).toEqual(Array.from({ length: got.length }, (_, index) => index))
      await child?.end('SIGKILL')
    }
    expect(kills).toBeGreaterThan(3)
  })

  test.each(['fdatasync', 'rename', 'unlink'])(
    'a kill at any %s of a start leaves a store that the next one recovers',
    { timeout: 90_000 },
    async (call) => {
      const port = await start()
      await subscribe(port)
      const publisher = await connect(port, 'publisher')
      const sent = Array.from({ length: 50 }, (_, index) => index)
      for (const index of sent) await publisher.publish('topic', String(index), { qos: 1 + (index % 2) })
      await publisher.publish('kept', 'kept', { qos: 1, retain: true })
      await child?.end('SIGKILL')
      let n = 1
      for (; n < CALLS_MAX; n++) {
        const started = await doomed(call, n).port()
        await traced?.end('SIGKILL')
        if (started !== undefined) break
      }
      expect(n).toBeGreaterThan(1)
      const again = await start()
      expect(await read(again)).toEqual(sent)
      const reader = await connect(again, 'retained reader')
      await reader.subscribe('kept', 1)
      await reader.receive({ payload: 'kept', retain: true })
    },
  )
})
