import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, Program } from './program.ts'
import { ServedBroker } from './served-broker.ts'

const PYTHON = '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('./paho_client.py', import.meta.url))
const there = isInstalled('paho for Python', PYTHON, ['-c', 'import paho.mqtt.subscribeoptions'])

let broker: ServedBroker

beforeAll(async () => {
  broker = await ServedBroker.start()
})

afterAll(() => broker.stop())

/** Plays a scenario of the script and returns what it wrote. */
async function play(scenario: string, transport: string, version: number): Promise<string[]> {
  const port = transport === 'tcp' ? broker.port : broker.webSocketPort
  const program = new Program(PYTHON, [SCRIPT, transport, String(version), String(port), scenario])
  const { code, output, errors } = await program.finished()
  expect({ code, errors }).toEqual({ code: 0, errors: [] })
  return output
}

const numbers = (from: number): string => Array.from({ length: 10 }, (_, index) => from + index).join(' ')

describe.skipIf(!there).each([
  { transport: 'tcp', version: 3, name: 'MQTT 3.1' },
  { transport: 'tcp', version: 4, name: 'MQTT 3.1.1' },
  { transport: 'tcp', version: 5, name: 'MQTT 5.0' },
  { transport: 'websockets', version: 4, name: 'MQTT 3.1.1' },
  { transport: 'websockets', version: 5, name: 'MQTT 5.0' },
])('paho for Python over $transport with $name', ({ transport, version }) => {
  test('sends and receives at each QoS, each message once', async () => {
    const granted = version === 5 ? 'Granted QoS 2' : '2'
    expect(await play('levels', transport, version)).toEqual([
      'connected present=0',
      `subscribed ${granted}`,
      'received 5 at 0',
      'received 5 at 1',
      'received 5 at 2',
    ])
  })

  test('comes back to its session, after a goodbye and after a break', async () => {
    // 3.1 has no Session Present.
    const present = version === 3 ? 0 : 1
    expect(await play('session', transport, version)).toEqual([
      `back present=${present}`,
      `received ${numbers(0)}`,
      `again present=${present}`,
      `received ${numbers(10)}`,
    ])
  })

  test('finds retained messages and wills', async () => {
    expect(await play('state', transport, version)).toEqual([
      'first state/retained kept qos=1 retain=1',
      'then state/will gone qos=1 retain=0',
    ])
    await new Promise<void>((resolve) => broker.broker.publish({ topic: 'state/will', retain: true }, () => resolve()))
  })

  test('sends 500 messages of QoS 2 at once and gets them in order', async () => {
    expect(await play('rush', transport, version)).toEqual(['in order'])
  })

  if (version !== 5) return

  test('carries the properties and reason codes of MQTT 5', async () => {
    expect(await play('properties', transport, version)).toEqual([
      'announced receive-maximum=1024 topic-alias-maximum=64',
      "text/plain answers 00ff 60 [('a', '1'), ('a', '2')]",
    ])
  })
})
