import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import { Device } from './device.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

/** Whether a will has to go out: once, never, or whichever of the two the broker got to. */
export type Fate = 'once' | 'never' | 'either'

const DELAY_SECONDS = 2
const MARGIN_MS = 500

/** A client that ends its connections in every way, each with a will of its own number. */
export class WillClient {
  readonly fates: Fate[] = []
  readonly topic: string
  private readonly stage: Stage
  private readonly device: Device
  private readonly probe: Device
  private readonly random: Random
  private readonly delayed: boolean

  constructor(stage: Stage, name: string, version: ProtocolVersion, delayed: boolean) {
    this.stage = stage
    this.topic = `will/${name}`
    this.delayed = delayed
    this.random = stage.random.fork()
    this.device = new Device(stage, name, { version, expirySeconds: delayed ? 3600 : 0 })
    this.probe = new Device(stage, `${name} probe`, { version: 4, expirySeconds: 0 })
  }

  async run(): Promise<void> {
    while (!this.stage.isEnding) await this.live()
  }

  leave(): void {
    this.device.drop()
    this.probe.drop()
  }

  private async live(): Promise<void> {
    const { device, random, stage } = this
    await stage.up()
    const number = this.fates.length
    this.fates.push('either')
    const connectedAtMs = performance.now()
    try {
      const properties = this.delayed ? { willDelayInterval: DELAY_SECONDS } : {}
      const payload = String(number + 1)
      await device.connect({ will: { topic: this.topic, payload, qos: 2, properties } })
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      await pause(1)
      return
    }
    await pause(random.below(300))
    const ending = random.next()
    if (ending < 0.4) device.drop()
    else if (ending < 0.7) {
      await this.disconnect(number)
      return
    } else {
      // Until the broker goes.
      while (device.isConnected && !stage.isEnding) await pause(5)
      device.drop()
    }
    this.fates[number] = this.delayed ? 'either' : 'once'
    if (this.delayed) await this.comeBack(number, connectedAtMs)
  }

  private async disconnect(number: number): Promise<void> {
    const { stage } = this
    const up = stage.upSinceMs
    if (!(await this.device.disconnect())) return
    try {
      await stage.up()
      await this.probe.connect()
      // What is stored and acknowledged after the will was deleted shows that the deletion is stored.
      let isStored = false
      this.probe.publish(`probe/${this.topic}`, String(number), 1, true, () => (isStored = true))
      while (this.probe.isConnected && !isStored) await pause(1)
      if (isStored && stage.upSinceMs === up && stage.isUp) this.fates[number] = 'never'
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
    } finally {
      this.probe.drop()
    }
  }

  /** Within the delay, so that the will must not go out, or long after it. */
  private async comeBack(number: number, connectedAtMs: number): Promise<void> {
    const { device, random, stage } = this
    const droppedAtMs = performance.now()
    if (random.chance(0.5)) {
      await stage.up()
      try {
        await device.connect()
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        return
      }
      const awayMs = performance.now() - droppedAtMs
      if (awayMs < DELAY_SECONDS * 1000 - MARGIN_MS && connectedAtMs < droppedAtMs) this.fates[number] = 'never'
      await device.disconnect()
      return
    }
    // A broker that is up all the time has published it by then.
    for (;;) {
      await stage.up()
      const up = stage.upSinceMs
      const left = Math.max(up, droppedAtMs) + DELAY_SECONDS * 1000 + MARGIN_MS - performance.now()
      if (left <= 0) break
      await pause(Math.min(left, 50))
      if (stage.isEnding && left > 0) continue
    }
    this.fates[number] = 'once'
  }
}
