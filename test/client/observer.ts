import mqtt, { type IClientPublishOptions, type MqttClient } from 'mqtt'

export interface Seen {
  topic: string
  payload: string
  retain: boolean
  correlationData: Buffer | undefined
}

/** A back end that watches some topics and gives commands. */
export class Observer {
  readonly seen: Seen[] = []
  #client: MqttClient
  #watchers = new Set<() => void>()

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (topic, payload, { retain, properties }) => {
      this.seen.push({ topic, payload: payload.toString(), retain, correlationData: properties?.correlationData })
      for (const look of this.#watchers) look()
    })
  }

  static async on(port: number, ...filters: string[]): Promise<Observer> {
    const client = await mqtt.connectAsync({ host: '127.0.0.1', port, protocol: 'mqtt', protocolVersion: 5 })
    const observer = new Observer(client)
    await client.subscribeAsync(filters, { qos: 1 })
    return observer
  }

  publish(topic: string, payload: string, options: IClientPublishOptions = {}): Promise<unknown> {
    return this.#client.publishAsync(topic, payload, { qos: 1, ...options })
  }

  /** Waits until what was seen so far passes; the test's own time limit ends the waiting. */
  until(condition: (seen: Seen[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition(this.seen)) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  /** The first message of the topic that passes. */
  async message(topic: string, passes: (payload: string) => boolean = () => true): Promise<Seen> {
    const find = (seen: Seen[]) => seen.find((one) => one.topic === topic && passes(one.payload))
    await this.until((seen) => find(seen) !== undefined)
    const found = find(this.seen)
    if (!found) throw new Error('unreachable')
    return found
  }

  async close(): Promise<void> {
    await this.#client.endAsync()
  }
}
