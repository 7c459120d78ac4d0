import { Device } from './device.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

/** Asks for what is not permitted and cannot be answered: a message of version 3.1.1, for which it is disconnected, and a will. */
export class DeniedClient {
  private readonly stage: Stage
  private readonly name: string
  private readonly random: Random
  private device: Device | undefined

  constructor(stage: Stage, name: string) {
    this.stage = stage
    this.name = name
    this.random = stage.random.fork()
  }

  async run(): Promise<void> {
    const { random, stage } = this
    while (!stage.isEnding) {
      await stage.up()
      try {
        await (random.chance(0.5) ? this.publish() : this.leaveWill())
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
      await pause(random.below(300))
    }
  }

  leave(): void {
    this.device?.drop()
  }

  private async publish(): Promise<void> {
    const { random, stage } = this
    const up = stage.upSinceMs
    const device = this.begin()
    device.mayBeClosed = true
    await device.connect()
    device.publish(stage.world.deniedTopic, 'denied', random.between(1, 2), random.chance(0.5), () => {
      stage.journal.violation('a message that is not permitted was accepted')
    })
    while (device.isConnected) await pause(1)
    if (stage.isUp && stage.upSinceMs === up) stage.journal.counts.denied++
  }

  private async leaveWill(): Promise<void> {
    const { random, stage } = this
    const device = this.begin()
    const topic = stage.world.deniedTopic
    await device.connect({ will: { topic, payload: 'denied', qos: random.below(3), retain: random.chance(0.5) } })
    device.drop()
  }

  /** A new one each time: it does not send again what was denied. */
  private begin(): Device {
    this.device = new Device(this.stage, this.name, { version: 4, expirySeconds: 0 })
    return this.device
  }
}
