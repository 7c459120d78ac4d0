import { Device } from './device.ts'
import { Probe } from './probe.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

const EXPIRY_MS = 2000
// The clocks of two processes.
const MARGIN_MS = 200

/** What is certain of the time for which a session was without connection. */
interface Absence {
  readonly notBeforeMs: number
  /** The broker has stored the end of the connection by then; undefined: nobody knows. */
  readonly storedByMs?: number
}

/** Sessions of version 5 that expire soon: there before, and gone after, whatever happened in between. */
export class ShortSession {
  readonly name: string
  private readonly stage: Stage
  private readonly device: Device
  private readonly probe: Probe
  private readonly random: Random

  constructor(stage: Stage, name: string) {
    this.stage = stage
    this.name = name
    this.random = stage.random.fork()
    this.device = new Device(stage, name, { version: 5, expirySeconds: EXPIRY_MS / 1000 })
    this.probe = new Probe(stage, name)
  }

  async run(): Promise<void> {
    const { device, random, stage } = this
    let absence: Absence | undefined
    while (!stage.isEnding) {
      await stage.up()
      const askedAtMs = performance.now()
      try {
        await device.connect()
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        // Whether that began a new time nobody knows.
        absence = undefined
        await pause(1)
        continue
      }
      if (absence !== undefined) this.compare(absence, askedAtMs)
      await pause(random.below(200))
      // A crash may have ended the connection before.
      absence = await this.stayAway(askedAtMs)
    }
  }

  leave(): void {
    this.device.drop()
    this.probe.leave()
  }

  private compare({ notBeforeMs, storedByMs }: Absence, askedAtMs: number): void {
    const { device } = this
    const { journal } = this.stage
    const awayMs = performance.now() - notBeforeMs
    if (awayMs < EXPIRY_MS - MARGIN_MS && !device.sessionPresent) {
      journal.violation(`${device.name} came back after ${Math.round(awayMs)} ms, and its session was gone`)
    }
    if (storedByMs === undefined || askedAtMs - storedByMs < EXPIRY_MS + MARGIN_MS) return
    journal.counts.lapses++
    if (device.sessionPresent) journal.violation(`${device.name} was away for longer than its session was to last`)
  }

  /** For a shorter time than the session lasts, or for a longer one. */
  private async stayAway(notBeforeMs: number): Promise<Absence> {
    const { device, probe, random } = this
    if (random.chance(0.5)) device.drop()
    else await device.disconnect()
    if (random.chance(0.6)) {
      await pause(random.below(1000))
      return { notBeforeMs }
    }
    await probe.untilStored()
    const storedByMs = performance.now()
    await pause(EXPIRY_MS + 2 * MARGIN_MS)
    return { notBeforeMs, storedByMs }
  }
}
