import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import type { ReceivedPacket } from '../../support/wire-reader.ts'
import { Device } from './device.ts'
import { serialOf } from './journal.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'

/**
 * A persistent session that is subscribed from before the first message on: it gets each message of each topic, in the
 * order of the serial numbers, those of QoS 2 exactly once.
 */
export class SteadyReader {
  private readonly stage: Stage
  private readonly device: Device
  private readonly random: Random
  private readonly prefix: string
  private readonly qos: number
  private readonly last = new Map<string, number>()

  constructor(stage: Stage, name: string, version: ProtocolVersion, prefix: string, qos: number) {
    this.stage = stage
    this.prefix = prefix
    this.qos = qos
    this.random = stage.random.fork()
    const receiveMaximum = version === 5 ? { receiveMaximum: 20 } : {}
    this.device = new Device(stage, name, { version, expirySeconds: 3600, ...receiveMaximum })
    this.device.onMessage = (packet) => this.receive(packet)
    // Some messages are always in flight when the broker goes.
    this.device.ackDelayMs = () => (this.random.chance(0.03) ? this.random.below(20) : 0)
  }

  async prepare(): Promise<void> {
    await this.device.ensureConnected()
    await this.device.subscribe([`${this.prefix}/#`, this.stage.world.deniedFilter], this.qos)
  }

  async run(): Promise<void> {
    const { device, random, stage } = this
    while (!stage.isEnding) {
      await device.ensureConnected()
      await pause(random.below(80))
      if (random.chance(0.03)) device.drop()
      else if (random.chance(0.04)) {
        await device.disconnect()
        await pause(random.below(300))
      }
    }
  }

  /** Waits for the rest; answers what is missing when nothing comes any more. */
  async finish(waitMs: number): Promise<void> {
    for (let waited = 0; waited < waitMs && this.missing() > 0; waited += 20) {
      await this.device.ensureConnected()
      await pause(20)
    }
    // What came too often or too late would come now.
    await this.device.ensureConnected()
    await pause(50)
    const { journal } = this.stage
    for (const list of journal.below(`${this.prefix}/`)) {
      const topic = list[0]?.topic ?? ''
      const last = this.last.get(topic) ?? 0
      if (last < list.length) {
        journal.violation(`${this.device.name} got ${last} of ${list.length} messages of ${topic}`)
      }
    }
  }

  leave(): void {
    this.device.drop()
  }

  private missing(): number {
    let missing = 0
    for (const list of this.stage.journal.below(`${this.prefix}/`)) {
      missing += list.length - (this.last.get(list[0]?.topic ?? '') ?? 0)
    }
    return missing
  }

  private receive(packet: ReceivedPacket): void {
    const { journal, world } = this.stage
    const { topic } = packet
    journal.counts.received++
    const serial = serialOf(packet.payload)
    if (topic === world.deniedTopic) {
      journal.violation(`${this.device.name} got a message that was not permitted`)
      return
    }
    const sent = journal.on(topic)[serial - 1]
    const last = this.last.get(topic) ?? 0
    if (sent === undefined) journal.violation(`${this.device.name} got ${topic} ${serial}, which nobody has sent`)
    else if (serial === last + 1) this.last.set(topic, serial)
    else if (serial <= last) this.again(packet, serial)
    else {
      const lost = journal.on(topic)[last]
      const how = (lost?.ackedAt ?? 0) < Number.POSITIVE_INFINITY ? 'acknowledged' : 'not acknowledged'
      journal.violation(
        `${this.device.name} got ${topic} ${serial} after ${last}; ${last + 1} (QoS ${lost?.qos}) was ${how}`,
      )
      this.last.set(topic, serial)
    }
  }

  private again(packet: ReceivedPacket, serial: number): void {
    const { journal } = this.stage
    journal.counts.duplicates++
    const qos = journal.on(packet.topic)[serial - 1]?.qos ?? 0
    if (Math.min(this.qos, qos) === 2)
      journal.violation(`${this.device.name} got ${packet.topic} ${serial} (QoS 2) twice`)
  }
}
