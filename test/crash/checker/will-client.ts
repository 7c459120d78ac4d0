import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import { Device } from './device.ts'
import { Probe } from './probe.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

/** Whether a will has to go out: once, never, or whichever of the two the broker got to. */
export type Fate = 'once' | 'never' | 'either'

const DELAY_MS = 2000
const MARGIN_MS = 500
const LATE_MS = 200

/** A client that ends its connections in every way, each with a will of its own number. */
export class WillClient {
  readonly name: string
  readonly fates: Fate[] = []
  readonly topic: string
  private readonly stage: Stage
  private readonly device: Device
  private readonly probe: Probe
  private readonly random: Random
  private readonly delayed: boolean

  constructor(stage: Stage, name: string, version: ProtocolVersion, delayed: boolean) {
    this.stage = stage
    this.name = name
    this.topic = `will/${name}`
    this.delayed = delayed
    this.random = stage.random.fork()
    this.device = new Device(stage, name, { version, expirySeconds: delayed ? 3600 : 0 })
    this.probe = new Probe(stage, name)
  }

  async run(): Promise<void> {
    while (!this.stage.isEnding) await this.live()
  }

  leave(): void {
    this.device.drop()
    this.probe.leave()
  }

  private async live(): Promise<void> {
    const { device, random, stage } = this
    await stage.up()
    const number = this.fates.length
    this.fates.push('either')
    // A crash may have ended the connection at any time from now on.
    let notBeforeMs = performance.now()
    try {
      const properties = this.delayed ? { willDelayInterval: DELAY_MS / 1000 } : {}
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
      while (device.isConnected && !stage.isEnding) {
        notBeforeMs = performance.now()
        await pause(5)
      }
      device.drop()
    }
    this.fates[number] = this.delayed ? 'either' : 'once'
    if (this.delayed) await this.comeBack(number, notBeforeMs)
  }

  private async disconnect(number: number): Promise<void> {
    const { device, probe, stage } = this
    const up = stage.upSinceMs
    if (!(await device.disconnect())) return
    await stage.up()
    // The deletion of the will is stored, and not only done.
    if ((await probe.isStored()) && stage.upSinceMs === up) this.fates[number] = 'never'
  }

  /** Within the delay, so that the will must not go out, or after it. */
  private async comeBack(number: number, notBeforeMs: number): Promise<void> {
    const { device, probe, random, stage } = this
    if (random.chance(0.5)) {
      await pause(random.below(DELAY_MS / 2))
      await stage.up()
      try {
        await device.connect()
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        return
      }
      const awayMs = performance.now() - notBeforeMs
      if (awayMs < DELAY_MS - MARGIN_MS) this.fates[number] = 'never'
      await device.disconnect()
      return
    }
    await probe.untilStored()
    // Crashes do not make it longer. A broker that starts after it publishes the will before it accepts anybody.
    await pause(DELAY_MS + LATE_MS)
    this.fates[number] = 'once'
    stage.journal.counts.delays++
  }
}
