import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import { Device } from './device.ts'
import { payloadOf } from './journal.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'

const WINDOW = 24
const TOPICS = 3
const PADDING_BYTES_MAX = 600

/** Publishes to a few topics of its own and to those of others' concern, until told to end; loses its connection now and then. */
export class Publisher {
  private readonly stage: Stage
  private readonly device: Device
  private readonly random: Random
  private readonly prefixes: readonly string[]

  constructor(stage: Stage, name: string, version: ProtocolVersion, prefixes: readonly string[]) {
    this.stage = stage
    this.prefixes = prefixes
    this.random = stage.random.fork()
    this.device = new Device(stage, name, { version, expirySeconds: 3600 })
  }

  async run(): Promise<void> {
    const { device, random, stage } = this
    while (!stage.isEnding) {
      await device.ensureConnected()
      for (let left = random.below(8); left > 0 && device.isConnected; left--) {
        if (device.session.openCount < WINDOW) this.publishOne()
      }
      if (random.chance(0.004)) device.drop()
      await pause(random.below(6))
    }
    // All that is open is acknowledged in the end: a device does not give up.
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
    if (random.chance(0.02) && device.version === 5) {
      this.publishDenied()
      return
    }
    const prefix = this.prefixes[random.below(this.prefixes.length)] ?? ''
    const topic = `${prefix}/${device.name}/${random.below(TOPICS)}`
    const qos = random.between(1, 2)
    const sent = stage.journal.send(topic, qos)
    const payload = payloadOf(sent.serial, random.below(PADDING_BYTES_MAX))
    device.publish(topic, payload, qos, false, (reasonCode) => {
      if (reasonCode >= 0x80) stage.journal.violation(`${topic} ${sent.serial} was refused with ${reasonCode}`)
      stage.journal.acknowledge(sent)
    })
  }

  private publishDenied(): void {
    const { device, random, stage } = this
    device.publish(stage.world.deniedTopic, 'denied', random.between(1, 2), random.chance(0.5), (reasonCode) => {
      stage.journal.counts.denied++
      if (reasonCode < 0x80) stage.journal.violation('a message that is not permitted was accepted')
    })
  }
}
