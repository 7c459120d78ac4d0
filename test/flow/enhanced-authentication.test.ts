import { connect as openSocket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Broker, createBroker } from '../../src/index.ts'
import { ReasonCode } from '../../src/wire/mqtt/reason-codes.ts'
import { RawClient } from '../support/raw-client.ts'
import { ScramClient, scramAuthenticator } from '../support/scram.ts'
import { authPacket } from '../support/wire-writer.ts'

const METHOD = 'SCRAM-SHA-256'
const CONTINUE = ReasonCode.ContinueAuthentication
const AGAIN = ReasonCode.ReAuthenticate

describe('enhanced authentication (MQTT 5, section 4.12)', () => {
  let broker: Broker
  const clients: RawClient[] = []

  beforeEach(async () => {
    broker = await createBroker({
      memory: true,
      mqtt: { port: 0 },
      limits: { connectTimeoutMs: 500 },
      authenticators: [scramAuthenticator({ ada: 'secret' })],
    })
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.drop()
    await broker.close()
  })

  function begin(scram: ScramClient, method = METHOD): RawClient {
    const { host, port } = broker.addresses[0] as { host: string; port: number }
    const client = new RawClient(openSocket(port, host), 5)
    clients.push(client)
    client.sendConnect({
      version: 5,
      clientId: 'ada-1',
      properties: { authenticationMethod: method, authenticationData: scram.first() },
    })
    return client
  }

  async function answer(client: RawClient, scram: ScramClient, challenge: { properties: object }): Promise<string> {
    const { authenticationData } = challenge.properties as { authenticationData: Buffer }
    const { answer: data, expected } = scram.final(authenticationData)
    client.send(authPacket(CONTINUE, { authenticationMethod: METHOD, authenticationData: data }))
    return expected
  }

  it('lets a client in that proves its password, and proves itself to the client', async () => {
    const scram = new ScramClient('ada', 'secret')
    const client = begin(scram)
    const challenge = await client.expect('auth', { reasonCode: CONTINUE })
    const expected = await answer(client, scram, challenge)
    const { properties } = await client.expect('connack', { reasonCode: 0 })
    expect(properties).toMatchObject({ authenticationMethod: METHOD })
    expect(String((properties as { authenticationData: Buffer }).authenticationData)).toBe(expected)
    await client.subscribe('a')
    await client.publish('a', 'x')
    await client.expect('publish', { topic: 'a' })
  })

  it('refuses a wrong password with 0x87', async () => {
    const scram = new ScramClient('ada', 'guess')
    const client = begin(scram)
    await answer(client, scram, await client.expect('auth'))
    await client.expect('connack', { reasonCode: ReasonCode.NotAuthorized })
    await client.expectClosed()
  })

  it('refuses a method that nobody offers with 0x8C (MQTT-4.12.0-1)', async () => {
    const client = begin(new ScramClient('ada', 'secret'), 'GS2-KRB5')
    await client.expect('connack', { reasonCode: ReasonCode.BadAuthenticationMethod })
    await client.expectClosed()
  })

  it('refuses another packet in the middle of the exchange', async () => {
    const client = begin(new ScramClient('ada', 'secret'))
    await client.expect('auth')
    client.sendPublish({ topic: 'a', payload: 'too early' })
    await client.expect('connack', { reasonCode: ReasonCode.ProtocolError })
    await client.expectClosed()
    expect(broker.connectedClients).toBe(0)
  })

  it('does not wait for ever for the next step', async () => {
    const client = begin(new ScramClient('ada', 'secret'))
    await client.expect('auth')
    await client.end()
    expect(broker.connectedClients).toBe(0)
  })

  it('authenticates a connected client again when it asks (section 4.12.1)', async () => {
    const scram = new ScramClient('ada', 'secret')
    const client = begin(scram)
    await answer(client, scram, await client.expect('auth'))
    await client.expect('connack', { reasonCode: 0 })
    const again = new ScramClient('ada', 'secret')
    client.send(authPacket(AGAIN, { authenticationMethod: METHOD, authenticationData: again.first() }))
    const expected = await answer(client, again, await client.expect('auth', { reasonCode: CONTINUE }))
    const { properties } = await client.expect('auth', { reasonCode: 0 })
    expect(String((properties as { authenticationData: Buffer }).authenticationData)).toBe(expected)
    await client.expectNothing()
  })

  it('disconnects a client that fails to authenticate again', async () => {
    const scram = new ScramClient('ada', 'secret')
    const client = begin(scram)
    await answer(client, scram, await client.expect('auth'))
    await client.expect('connack', { reasonCode: 0 })
    const again = new ScramClient('ada', 'guess')
    client.send(authPacket(AGAIN, { authenticationMethod: METHOD, authenticationData: again.first() }))
    await answer(client, again, await client.expect('auth'))
    await client.expectDisconnected(ReasonCode.NotAuthorized)
  })

  it('ends the connection of a client that changes the method (MQTT-4.12.1-1)', async () => {
    const scram = new ScramClient('ada', 'secret')
    const client = begin(scram)
    await answer(client, scram, await client.expect('auth'))
    await client.expect('connack', { reasonCode: 0 })
    client.send(authPacket(AGAIN, { authenticationMethod: 'OTHER' }))
    await client.expectDisconnected(ReasonCode.BadAuthenticationMethod)
  })
})
