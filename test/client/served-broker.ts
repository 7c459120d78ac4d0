import { once } from 'node:events'
import type { Client, Subscription } from 'aedes'
import type { Broker, BrokerOptions } from '../../src/index.ts'
import { createBroker } from '../../src/index.ts'

/** A broker in this process on TCP and WebSocket, with the clock of the machine, for clients that know no other. */
export class ServedBroker {
  readonly broker: Broker
  private readonly subscribed = new Map<string, number>()

  private constructor(broker: Broker) {
    this.broker = broker
    broker.on('subscribe', (subscriptions: Subscription[], client: Client) => {
      this.subscribed.set(client.id, (this.subscribed.get(client.id) ?? 0) + subscriptions.length)
    })
  }

  static async start(options: BrokerOptions = {}): Promise<ServedBroker> {
    return new ServedBroker(
      await createBroker({
        memory: true,
        mqtt: { port: 0 },
        http: { port: 0 },
        sys: { intervalSeconds: 0 },
        ...options,
      }),
    )
  }

  get port(): number {
    return this.broker.addresses[0]?.port ?? 0
  }

  get webSocketUrl(): string {
    return this.broker.addresses[1]?.url ?? ''
  }

  get webSocketPort(): number {
    return this.broker.addresses[1]?.port ?? 0
  }

  /** Waits until this client has made so many subscriptions, since the start of the broker. */
  async subscription(clientId: string, count = 1): Promise<void> {
    while ((this.subscribed.get(clientId) ?? 0) < count) await once(this.broker, 'subscribe')
  }

  async stop(): Promise<void> {
    await this.broker.close()
  }
}
