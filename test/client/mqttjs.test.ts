import type { Duplex } from 'node:stream'
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient, type Packet } from 'mqtt'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ServedBroker } from './served-broker.ts'

let broker: ServedBroker
let topic: string
let round = 0

beforeAll(async () => {
  broker = await ServedBroker.start({ limits: { topicAliasMax: 10 } })
})

// One broker for all, so each test has its own names.
beforeEach(() => {
  topic = `topic/${++round}`
})

afterAll(async () => {
  await broker.stop()
})

describe.each([
  { transport: 'mqtt', version: 3, name: 'MQTT 3.1' },
  { transport: 'mqtt', version: 4, name: 'MQTT 3.1.1' },
  { transport: 'mqtt', version: 5, name: 'MQTT 5.0' },
  { transport: 'ws', version: 3, name: 'MQTT 3.1' },
  { transport: 'ws', version: 4, name: 'MQTT 3.1.1' },
  { transport: 'ws', version: 5, name: 'MQTT 5.0' },
] as const)('mqtt.js over $transport with $name', ({ transport, version }) => {
  const url = (): string => (transport === 'ws' ? broker.webSocketUrl : `mqtt://127.0.0.1:${broker.port}`)
  const lasting = version === 5 ? { properties: { sessionExpiryInterval: 60 } } : {}

  async function connect(options: IClientOptions = {}): Promise<MqttClient> {
    const protocol = version === 3 ? { protocolId: 'MQIsdp' as const } : {}
    const common = { protocolVersion: version, reconnectPeriod: 0, ...protocol }
    return mqtt.connectAsync(url(), { ...common, ...options })
  }

  test.for([0, 1, 2] as const)('sends and receives at QoS %i', async (qos) => {
    const client = await connect()
    const got = collect(client)
    const [granted] = await client.subscribeAsync(`${topic}/+`, { qos })
    expect(granted).toMatchObject({ topic: `${topic}/+`, qos })
    await Promise.all(numbers(50).map((each) => client.publishAsync(`${topic}/x`, String(each), { qos })))
    expect((await got(50)).map(({ text, qos: at }) => `${text} ${at}`)).toEqual(
      numbers(50).map((each) => `${each} ${qos}`),
    )
    await client.endAsync()
  })

  test('carries a megabyte both ways', async () => {
    const client = await connect()
    const got = collect(client)
    await client.subscribeAsync(topic, { qos: 1 })
    const payload = Buffer.alloc(1_000_000, 'abcdefg')
    await client.publishAsync(topic, payload, { qos: 1 })
    const [packet] = await got(1)
    expect(payload.equals(packet?.payload as Buffer)).toBe(true)
    await client.endAsync()
  })

  test('comes back to its session after a break, and loses nothing', async () => {
    const clientId = `session ${round}`
    const before = await connect({ clientId, clean: false, ...lasting })
    await before.subscribeAsync(topic, { qos: 2 })
    const broken = next(before, 'close')
    ;(before.stream as Duplex).destroy()
    await broken
    const publisher = await connect()
    for (const each of numbers(20)) await publisher.publishAsync(topic, String(each), { qos: 1 })
    // As a device does: it knows its handlers before it connects.
    const back = mqtt.connect(url(), {
      protocolVersion: version,
      ...(version === 3 ? { protocolId: 'MQIsdp' } : {}),
      clientId,
      clean: false,
      ...lasting,
    })
    const got = collect(back)
    const connack = await packetFrom(back, 'connack')
    expect(connack.sessionPresent).toBe(version !== 3)
    expect((await got(20)).map(({ text }) => Number(text))).toEqual(numbers(20))
    await Promise.all([back.endAsync(), publisher.endAsync()])
  })

  test('leaves a will when its connection breaks, and none when it says goodbye', async () => {
    const watcher = await connect()
    const got = collect(watcher)
    await watcher.subscribeAsync(`${topic}/#`, { qos: 1 })
    const will = { topic: `${topic}/will`, payload: Buffer.from('gone'), qos: 1 as const, retain: false }
    await (await connect({ will: { ...will, topic: `${topic}/never` } })).endAsync()
    ;((await connect({ will })).stream as Duplex).destroy()
    expect(await got(1)).toMatchObject([{ topic: `${topic}/will`, qos: 1 }])
    await watcher.endAsync()
  })

  test('finds what is retained', async () => {
    const client = await connect()
    await client.publishAsync(topic, 'kept', { qos: 1, retain: true })
    const got = collect(client)
    await client.subscribeAsync(topic)
    expect(await got(1)).toMatchObject([{ topic, retain: true, payload: Buffer.from('kept') }])
    await client.publishAsync(topic, '', { qos: 1, retain: true })
    await client.endAsync()
  })

  test('is alive by its own keep alive', async () => {
    const client = await connect({ keepalive: 1 })
    const answered = packetFrom(client, 'pingresp')
    client.sendPing()
    expect(await answered).toMatchObject({ cmd: 'pingresp' })
    await client.endAsync()
  })

  if (version !== 5) return

  describe('and what only version 5 has', () => {
    test('uses topic aliases both ways', async () => {
      const receiver = await connect({ properties: { topicAliasMaximum: 5 } })
      const seen: IPublishPacket[] = []
      receiver.on('packetreceive', (packet) => {
        if (packet.cmd === 'publish') seen.push({ ...packet, topic: String(packet.topic) })
      })
      const got = collect(receiver)
      await receiver.subscribeAsync(topic, { qos: 1 })
      const sender = await connect({ autoAssignTopicAlias: true, autoUseTopicAlias: true })
      const sent: IPublishPacket[] = []
      sender.on('packetsend', (packet) => {
        if (packet.cmd === 'publish') sent.push(packet)
      })
      for (const each of numbers(3)) await sender.publishAsync(topic, String(each), { qos: 1 })
      expect((await got(3)).map(({ name, text }) => `${name} ${text}`)).toEqual(
        numbers(3).map((each) => `${topic} ${each}`),
      )
      expect(sent.map((packet) => packet.topic)).toEqual([topic, '', ''])
      expect(seen.map(({ properties }) => properties?.topicAlias)).toEqual([1, 1, 1])
      await Promise.all([receiver.endAsync(), sender.endAsync()])
    })

    test('never gets more messages at once than its Receive Maximum', async () => {
      const receiver = await connect({ properties: { receiveMaximum: 3 } })
      let open = 0
      let most = 0
      receiver.handleMessage = (_packet, done) => {
        most = Math.max(most, ++open)
        setImmediate(() => {
          open--
          done()
        })
      }
      const got = collect(receiver)
      await receiver.subscribeAsync(topic, { qos: 1 })
      const sender = await connect()
      await Promise.all(numbers(50).map((each) => sender.publishAsync(topic, String(each), { qos: 1 })))
      expect((await got(50)).map(({ text }) => Number(text))).toEqual(numbers(50))
      expect(most).toBeLessThanOrEqual(3)
      await Promise.all([receiver.endAsync(), sender.endAsync()])
    })

    test('gets properties, and is told by reason codes', async () => {
      const client = await connect()
      const got = collect(client)
      await client.subscribeAsync(topic, { qos: 1, properties: { subscriptionIdentifier: 9 } })
      const properties = {
        contentType: 'text/plain',
        responseTopic: 'answers',
        correlationData: Buffer.from([0, 255]),
        userProperties: { a: ['1', '2'], b: '3' },
      }
      await client.publishAsync(topic, 'x', { qos: 1, properties })
      const [packet] = await got(1)
      expect({ ...packet?.properties?.userProperties }).toEqual(properties.userProperties)
      expect(packet?.properties).toMatchObject({
        contentType: 'text/plain',
        responseTopic: 'answers',
        subscriptionIdentifier: 9,
      })
      const answered = packetFrom(client, 'puback')
      await client.publishAsync(`${topic}/nobody`, 'x', { qos: 1 })
      expect(await answered).toMatchObject({ reasonCode: 0x10 })
      await client.endAsync()
    })

    test('is told why when another takes its client identifier', async () => {
      const first = await connect({ clientId: `twice ${round}` })
      const told = packetFrom(first, 'disconnect')
      const second = await connect({ clientId: `twice ${round}` })
      expect(await told).toMatchObject({ reasonCode: 0x8e })
      await second.endAsync()
    })
  })
})

interface Message extends IPublishPacket {
  name: string
  text: string
}

/** Keeps the messages of a client, by the name of their topic, and waits until there are so many. */
function collect(client: MqttClient): (count: number) => Promise<Message[]> {
  const messages: Message[] = []
  client.on('message', (name, payload, packet) => messages.push({ ...packet, name, text: payload.toString() }))
  return async (count) => {
    while (messages.length < count) await next(client, 'message')
    return messages
  }
}

/** The next event of this name, with what it says. */
function next(client: MqttClient, event: 'message' | 'close' | 'connect'): Promise<unknown[]> {
  return new Promise((resolve) => client.once(event, (...values: unknown[]) => resolve(values)))
}

/** The next packet of this type that the broker sends. */
function packetFrom<Cmd extends Packet['cmd']>(client: MqttClient, cmd: Cmd): Promise<Packet & { cmd: Cmd }> {
  return new Promise((resolve) => {
    client.on('packetreceive', (packet) => packet.cmd === cmd && resolve(packet as Packet & { cmd: Cmd }))
  })
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
