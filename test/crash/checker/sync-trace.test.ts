import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lasting } from '../../support/flow.ts'
import { openSocket } from '../../support/mosquitto-peer.ts'
import { RawClient } from '../../support/raw-client.ts'
import { acknowledgementsIn } from './acknowledgement-trace.ts'
import { readCalls } from './system-calls.ts'
import { canTrace, TracedBroker } from './traced-broker.ts'

const CALLS = 'read,write,writev,sendto,sendmsg,fdatasync'
const PUBLISHERS = 3
const MESSAGES = 20

let folder: string
let broker: TracedBroker | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-trace-'))
})

afterEach(async () => {
  await broker?.end('SIGKILL')
  await rm(folder, { recursive: true })
})

async function startTraced(durability: string): Promise<number> {
  const trace = ['-y', '-xx', '-s', '65536', '-e', `trace=${CALLS}`, '-o', join(folder, 'trace')]
  broker = new TracedBroker(trace, join(folder, 'data'), durability)
  return (await broker.port()) ?? 0
}

async function connect(port: number, clientId: string): Promise<RawClient> {
  const client = new RawClient(await openSocket(port), 4)
  client.sendConnect(lasting({ clientId }))
  await client.expect('connack', { reasonCode: 0 })
  return client
}

/** Several clients at once, each with many messages in flight; answers the payload of each packet identifier. */
async function publish(port: number): Promise<Map<number, string>> {
  const reader = await connect(port, 'reader')
  await reader.subscribe('#', 2)
  await reader.disconnect()
  const payloads = new Map<number, string>()
  const live = async (index: number): Promise<void> => {
    const client = await connect(port, `publisher ${index}`)
    const ids = Array.from({ length: MESSAGES }, (_, message) => 1 + index * 1000 + message)
    for (const packetId of ids) {
      const payload = `payload of ${packetId}.`
      payloads.set(packetId, payload)
      client.sendPublish({ topic: `topic/${index}`, payload, qos: 1 + (packetId % 2), packetId })
      if (packetId % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 3))
    }
    for (const packetId of ids) {
      if (packetId % 2 === 0) await client.take('puback', { packetId })
      else {
        await client.take('pubrec', { packetId })
        client.sendAck('pubrel', packetId)
      }
    }
    for (const packetId of ids) if (packetId % 2 === 1) await client.take('pubcomp', { packetId })
    await client.disconnect()
  }
  await Promise.all(Array.from({ length: PUBLISHERS }, (_, index) => live(index)))
  return payloads
}

// Without it this machine cannot be asked; where everything has to be tested, that is a failure.
describe.skipIf(!canTrace && process.env['CI'] === undefined)('what the operating system sees of the broker', () => {
  test('no PUBACK, PUBREC or PUBCOMP leaves before the fdatasync that covers it', { timeout: 60_000 }, async () => {
    const payloads = await publish(await startTraced('fsync'))
    await broker?.end('SIGTERM')
    const found = acknowledgementsIn(await readCalls(join(folder, 'trace')), payloads)
    const half = (PUBLISHERS * MESSAGES) / 2
    const count = (wanted: string): number => found.filter(({ type }) => type === wanted).length
    expect([count('PUBACK'), count('PUBREC'), count('PUBCOMP')]).toEqual([half, half, half])
    expect(found.filter(({ isCovered }) => !isCovered)).toEqual([])
  })

  test('the same look at a broker that does not sync finds every one of them', { timeout: 60_000 }, async () => {
    const payloads = await publish(await startTraced('os'))
    await broker?.end('SIGTERM')
    const found = acknowledgementsIn(await readCalls(join(folder, 'trace')), payloads)
    expect(found).toHaveLength((PUBLISHERS * MESSAGES * 3) / 2)
    expect(found.filter(({ isCovered }) => isCovered)).toEqual([])
  })
})
