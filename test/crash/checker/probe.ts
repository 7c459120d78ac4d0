import { Device } from './device.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

/** A client that finds out whether what the broker did is stored: an acknowledgement stands behind all that came before. */
export class Probe {
  private readonly stage: Stage
  private readonly device: Device
  private count = 0

  constructor(stage: Stage, name: string) {
    this.stage = stage
    this.device = new Device(stage, `${name} probe`, { version: 4, expirySeconds: 0 })
  }

  /** True when what a broker that is up has done until now is stored; false when nobody knows, because it crashed. */
  async isStored(): Promise<boolean> {
    const { device, stage } = this
    const up = stage.upSinceMs
    let isAcknowledged = false
    try {
      await device.connect()
      device.publish(`probe/${device.name}`, String(++this.count), 1, true, () => (isAcknowledged = true))
      while (device.isConnected && !isAcknowledged) await pause(1)
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
    } finally {
      device.drop()
    }
    return isAcknowledged && stage.isUp && stage.upSinceMs === up
  }

  /** After it, what has ended before is stored as ended: by the broker that saw it, or by one that found it at its start. */
  async untilStored(): Promise<void> {
    do await this.stage.up()
    while (!(await this.isStored()))
  }

  leave(): void {
    this.device.drop()
  }
}
