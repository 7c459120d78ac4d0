import { Device } from './device.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

const EXPIRY_SECONDS = 2
const MARGIN_MS = 700

/** Sessions of version 5 that expire soon: there before, and gone after, whatever happened in between. */
export class ShortSession {
  private readonly stage: Stage
  private readonly device: Device
  private readonly random: Random

  constructor(stage: Stage, name: string) {
    this.stage = stage
    this.random = stage.random.fork()
    this.device = new Device(stage, name, { version: 5, expirySeconds: EXPIRY_SECONDS })
  }

  async run(): Promise<void> {
    const { device, random, stage } = this
    let leftAtMs: number | undefined
    let leftBroker = 0
    while (!stage.isEnding) {
      await stage.up()
      const askedAtMs = performance.now()
      const awayFrom = Math.max(leftAtMs ?? 0, stage.upSinceMs === leftBroker ? 0 : stage.upSinceMs)
      try {
        await device.connect()
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        // Whether that began a new time nobody knows.
        leftAtMs = undefined
        await pause(1)
        continue
      }
      if (leftAtMs !== undefined) {
        const answeredMs = performance.now() - leftAtMs
        if (answeredMs < EXPIRY_SECONDS * 1000 - MARGIN_MS && !device.sessionPresent) {
          stage.journal.violation(
            `${device.name} came back after ${Math.round(answeredMs)} ms, and its session was gone`,
          )
        }
        if (askedAtMs - awayFrom > EXPIRY_SECONDS * 1000 + MARGIN_MS && device.sessionPresent) {
          stage.journal.violation(`${device.name} was away for longer than its session was to last`)
        }
      }
      await pause(random.below(200))
      leftBroker = stage.upSinceMs
      if (random.chance(0.5)) device.drop()
      else await device.disconnect()
      leftAtMs = performance.now()
      await pause(random.chance(0.6) ? random.below(1000) : 3000)
    }
  }

  leave(): void {
    this.device.drop()
  }
}
