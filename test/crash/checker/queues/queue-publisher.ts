import type { Properties, ProtocolVersion } from '../../../../src/wire/mqtt/packet.ts'
import { Device } from '../device.ts'
import type { Random } from '../random.ts'
import { pause, type Stage } from '../stage.ts'
import type { QueueSent } from './ledger.ts'
import { DIRECT_TOPIC } from './topology.ts'

const WINDOW = 20
const TOPICS = 3
const PADDING_BYTES_MAX = 300
const DELAY_MS_MAX = 300
/** Only version 5 hears of a refusal, and has user properties. */
const PREFIXES = ['jobs', 'jobs', 'jobs', 'value', DIRECT_TOPIC]
const PREFIXES_OF_5 = [...PREFIXES, 'refuse', 'once', 'later']

/** Publishes at QoS 1 and 2 to topics that lead to queues, until told to end; loses its connection now and then. */
export class QueuePublisher {
  private readonly stage: Stage
  private readonly device: Device
  private readonly random: Random
  private readonly sent: Map<string, QueueSent>
  /** Shared by all publishers, as is one of the topics. */
  private readonly serials: Map<string, number>
  private place = 0

  constructor(
    stage: Stage,
    name: string,
    version: ProtocolVersion,
    sent: Map<string, QueueSent>,
    serials: Map<string, number>,
  ) {
    this.stage = stage
    this.sent = sent
    this.serials = serials
    this.random = stage.random.fork()
    this.device = new Device(stage, name, { version, expirySeconds: 3600 })
  }

  async run(): Promise<void> {
    const { device, random, stage } = this
    while (!stage.isEnding) {
      await device.ensureConnected()
      for (let left = random.below(5); left > 0 && device.isConnected; left--) {
        if (device.session.openCount < WINDOW) this.publishOne()
      }
      if (random.chance(0.004)) device.drop()
      await pause(random.below(12))
    }
    while (device.session.openCount > 0) {
      await device.ensureConnected()
      await pause(2)
    }
  }

  leave(): void {
    this.device.drop()
  }

  private publishOne(): void {
    const { device, random, stage } = this
    const { counts } = stage.journal
    const prefixes = device.version === 5 ? PREFIXES_OF_5 : PREFIXES
    const prefix = prefixes[random.below(prefixes.length)] ?? ''
    const topic = prefix === DIRECT_TOPIC ? prefix : `${prefix}/${device.name}/${random.below(TOPICS)}`
    const serial = (this.serials.get(topic) ?? 0) + 1
    this.serials.set(topic, serial)
    // What is sent again at QoS 1 comes behind newer values.
    const qos = prefix === 'value' ? 2 : random.between(1, 2)
    const delayMs = prefix === 'later' ? random.below(DELAY_MS_MAX) : 0
    const payload = `${serial} ${topic} ${'x'.repeat(random.below(PADDING_BYTES_MAX))}`
    const sent: QueueSent = {
      topic,
      serial,
      payload,
      priority: 0,
      device: device.name,
      place: ++this.place,
      qos,
      sentAtMs: Date.now(),
      delayMs,
      sends: 1,
      reasonCode: undefined,
    }
    this.sent.set(`${topic} ${serial}`, sent)
    counts.sent++
    const userProperties: [string, string][] = []
    if (prefix === 'once') userProperties.push(['message-id', `${topic} ${serial}`])
    if (delayMs > 0) userProperties.push(['x-delay', String(delayMs)])
    const properties: Properties = userProperties.length === 0 ? {} : { userProperties }
    const answered = (reasonCode: number): void => {
      sent.reasonCode ??= reasonCode
      if (reasonCode < 0x80) counts.acknowledged++
      else if (prefix === 'refuse') counts.denied++
      else stage.journal.violation(`${topic} ${serial} was refused with ${reasonCode}`)
    }
    device.publish(topic, payload, qos, false, answered, {
      properties,
      repeated: () => sent.sends++,
    })
  }
}

/** The topic that stands in a payload, for those who are not told it otherwise. */
export function topicOf(payload: string): string {
  return payload.slice(payload.indexOf(' ') + 1, payload.lastIndexOf(' '))
}
