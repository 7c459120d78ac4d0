import mqtt from 'mqtt'
import { random } from './random.mjs'

const lifeMsMax = 20_000
const settleMs = 2000
const rooms = 20

/**
 * Clients of all versions that come, do what clients do, and go in all ways, each with names that nobody has used
 * before. At the end everything retained is cleared.
 *
 * @param {{ port: number, webSocketPort: number, seconds: number, atOnce: number, seed: number }} job
 */
export async function soak(job) {
  const soaking = new Soak(job)
  const endMs = performance.now() + job.seconds * 1000
  await Promise.all(
    Array.from({ length: job.atOnce }, async () => {
      while (performance.now() < endMs) await soaking.live()
    }),
  )
  // Wills of those who broke off are published by then.
  await new Promise((next) => setTimeout(next, settleMs))
  await soaking.clear()
  const { lives, received, failures } = soaking
  return { lives, received, failures: failures.length, firstFailures: failures.slice(0, 3) }
}

class Soak {
  lives = 0
  received = 0
  /** @type {string[]} */
  failures = []
  /** Topics that may hold a retained message. @type {Set<string>} */
  #retained = new Set()

  /** @param {Parameters<typeof soak>[0]} job */
  constructor(job) {
    this.job = job
    this.random = random(job.seed)
  }

  /** One client from its first connection to its last. */
  async live() {
    const number = this.lives++
    let client
    let late
    try {
      const timeout = new Promise((_, reject) => {
        late = setTimeout(() => reject(new Error('took too long')), lifeMsMax)
      })
      client = this.#client(number)
      await Promise.race([this.#life(client, number), timeout])
    } catch (error) {
      this.failures.push(`client ${number}: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      clearTimeout(late)
      client?.end(true)
    }
  }

  async clear() {
    const client = mqtt.connect(`mqtt://127.0.0.1:${this.job.port}`, { clientId: 'soak-janitor', reconnectPeriod: 0 })
    for (const topic of this.#retained) await client.publishAsync(topic, '', { qos: 1, retain: true })
    await client.endAsync()
  }

  /** @param {number} number */
  #client(number) {
    const { port, webSocketPort } = this.job
    const url = this.#chance(0.3) ? `ws://127.0.0.1:${webSocketPort}/mqtt` : `mqtt://127.0.0.1:${port}`
    const version = this.#one([3, 4, 4, 5, 5])
    const persistent = this.#chance(0.4)
    const client = mqtt.connect(url, {
      clientId: `soak-${this.job.seed}-${number}`,
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      clean: !persistent,
      reconnectPeriod: 0,
      keepalive: this.#one([0, 5, 60]),
      ...(version === 5 && persistent ? { properties: { sessionExpiryInterval: this.#one([1, 2, 3]) } } : {}),
      ...(this.#chance(0.5) ? { will: this.#will(version) } : {}),
    })
    client.on('message', () => {
      this.received++
    })
    client.on('error', () => {})
    return client
  }

  /** @param {number} version */
  #will(version) {
    const retain = this.#chance(0.3)
    const topic = `soak/will/${Math.floor(this.random() * rooms)}`
    if (retain) this.#retained.add(topic)
    const delayed = version === 5 && !retain && this.#chance(0.5)
    return {
      topic,
      payload: Buffer.from('gone'),
      qos: this.#one([0, 1, 2]),
      retain,
      ...(delayed ? { properties: { willDelayInterval: 1 } } : {}),
    }
  }

  /** @param {import('mqtt').MqttClient} client @param {number} number */
  async #life(client, number) {
    await this.#opened(client)
    const room = number % rooms
    const own = `soak/${this.job.seed}/${number}`
    const filters = [`${own}/#`, `soak/room/${room}/+`, `$share/group-${number % 50}/soak/work/#`, 'soak/will/+']
    const chosen = filters.filter(() => this.#chance(0.6))
    if (chosen.length > 0) await client.subscribeAsync(chosen, { qos: this.#one([0, 1, 2]) })
    for (let n = Math.floor(this.random() * 6); n > 0; n--) {
      const topic = this.#one([`${own}/value`, `soak/room/${room}/${number}`, `soak/work/${number}`])
      await client.publishAsync(topic, 'x'.repeat(1 + Math.floor(this.random() * 400)), { qos: this.#one([0, 1, 2]) })
    }
    if (this.#chance(0.3)) await this.#retain(client, `${own}/state`)
    await new Promise((next) => setTimeout(next, this.random() * 200))
    if (chosen[0] !== undefined && this.#chance(0.5)) await client.unsubscribeAsync(chosen[0])
    await this.#leave(client)
  }

  /** Waits for CONNACK. @param {import('mqtt').MqttClient} client */
  #opened(client) {
    return new Promise((done, failed) => {
      client.once('connect', () => done(undefined))
      client.once('error', failed)
      client.once('close', () => failed(new Error('closed before CONNACK')))
    })
  }

  /** @param {import('mqtt').MqttClient} client @param {string} topic */
  async #retain(client, topic) {
    this.#retained.add(topic)
    await client.publishAsync(topic, 'on', { qos: 1, retain: true })
    if (this.#chance(0.5)) return
    await client.publishAsync(topic, '', { qos: 1, retain: true })
    this.#retained.delete(topic)
  }

  /** @param {import('mqtt').MqttClient} client */
  async #leave(client) {
    const way = this.#one(['goodbye', 'broken', 'broken', 'taken over', 'in the middle'])
    if (way === 'goodbye') await client.endAsync()
    else if (way === 'taken over') await this.#takeOver(client)
    else {
      // Not waited for: the connection breaks with messages under way.
      if (way === 'in the middle') client.publish('soak/work/last', 'half done', { qos: this.#one([1, 2]) }, () => {})
      client.stream.destroy()
    }
  }

  /** @param {import('mqtt').MqttClient} client */
  async #takeOver(client) {
    const closed = new Promise((done) => client.once('close', () => done(undefined)))
    const { will: _will, properties: _properties, ...same } = client.options
    const second = mqtt.connect(`mqtt://127.0.0.1:${this.job.port}`, {
      ...{ clientId: same.clientId, protocolId: same.protocolId, protocolVersion: same.protocolVersion },
      ...{ clean: same.clean, reconnectPeriod: 0 },
    })
    second.on('error', () => {})
    await this.#opened(second)
    await closed
    await second.endAsync()
  }

  /** @param {number} probability */
  #chance(probability) {
    return this.random() < probability
  }

  /** @template T @param {T[]} choices @returns {T} */
  #one(choices) {
    return /** @type {T} */ (choices[Math.floor(this.random() * choices.length)])
  }
}
