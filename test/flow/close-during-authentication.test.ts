import { once } from 'node:events'
import { connect as openSocket } from 'node:net'
import { expect, it } from 'vitest'
import { createBroker } from '../../src/index.ts'
import { RawClient } from '../support/raw-client.ts'

it('a broker that is closed while a client is being authenticated neither accepts it nor publishes its will', async () => {
  const broker = await createBroker({ memory: true, mqtt: { port: 0 } })
  const published: string[] = []
  broker.on('publish', ({ topic }) => void (topic.startsWith('$SYS') || published.push(topic)))
  broker.on('client', () => published.push('a client'))
  const asked = new Promise<(error: null, successful: boolean) => void>((resolve) => {
    broker.authenticate = (_client, _username, _password, done) => resolve(done)
  })
  const { port, host } = broker.addresses[0] as { port: number; host: string }
  const socket = openSocket(port, host)
  const client = new RawClient(socket, 4)
  client.sendConnect({ version: 4, clientId: 'c', will: { topic: 'gone', payload: 'x' } })
  const answer = await asked
  const closed = broker.close()
  expect(broker.closed).toBe(true)
  answer(null, true)
  await closed
  if (!socket.closed) await once(socket, 'close')
  expect(published).toEqual([])
})
