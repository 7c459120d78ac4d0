import { duplexPair } from 'node:stream'
import { Broker } from '../../dist/index.js'

// The suite checks `client instanceof Client`; the class is private to the broker, so it is taken from what handle()
// returns.
const broker = await Broker.createBroker()
const [near, far] = duplexPair()
const client = broker.handle(far)
near.destroy()
far.destroy()
await new Promise((resolve) => broker.close(resolve))

export default client.constructor
