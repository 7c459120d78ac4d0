import type { ReceivedPacket } from '../../support/wire-reader.ts'
import { Device } from './device.ts'
import { serialOf } from './journal.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

/**
 * Members of a shared subscription whose sessions persist: together they get each message, those of QoS 2 exactly once.
 * All but the first leave the group now and then.
 */
export class Group {
  private readonly stage: Stage
  private readonly members: Device[]
  private readonly random: Random
  private readonly prefix: string
  private readonly filter: string
  private readonly got = new Map<string, string[]>()

  constructor(stage: Stage, prefix: string) {
    this.stage = stage
    this.prefix = prefix
    this.filter = `$share/group/${prefix}/#`
    this.random = stage.random.fork()
    this.members = ([5, 4, 5] as const).map((version, index) => {
      const receiveMaximum = version === 5 ? { receiveMaximum: 10 } : {}
      const device = new Device(stage, `member ${index}`, { version, expirySeconds: 3600, ...receiveMaximum })
      device.onMessage = (packet) => this.receive(device, packet)
      device.ackDelayMs = () => (this.random.chance(0.05) ? this.random.below(15) : 0)
      return device
    })
  }

  async prepare(): Promise<void> {
    for (const device of this.members) await this.untilAnswered(device, () => device.subscribe([this.filter], 2))
  }

  async run(): Promise<void> {
    await Promise.all(this.members.map((device, index) => this.live(device, index > 0)))
  }

  async finish(waitMs: number): Promise<void> {
    for (const device of this.members) await device.ensureConnected()
    for (let waited = 0; waited < waitMs && this.missing() !== undefined; waited += 20) {
      for (const device of this.members) await device.ensureConnected()
      await pause(20)
    }
    const { journal } = this.stage
    const missing = this.missing()
    if (missing !== undefined) journal.violation(`no member of the group got ${missing}`)
    for (const sent of journal.below(`${this.prefix}/`).flat()) {
      const takers = this.got.get(`${sent.topic} ${sent.serial}`) ?? []
      if (sent.qos === 2 && takers.length > 1) {
        journal.violation(`the group got ${sent.topic} ${sent.serial} (QoS 2) at ${takers.join(' and ')}`)
      }
    }
  }

  leave(): void {
    for (const device of this.members) device.drop()
  }

  private async live(device: Device, mayLeave: boolean): Promise<void> {
    const { random, stage } = this
    while (!stage.isEnding) {
      await device.ensureConnected()
      await pause(random.below(120))
      if (random.chance(0.06)) device.drop()
      else if (random.chance(0.04)) {
        await device.disconnect()
        await pause(random.below(200))
      } else if (mayLeave && random.chance(0.03)) {
        await this.untilAnswered(device, () => device.unsubscribe(this.filter))
        await pause(random.below(100))
        await this.untilAnswered(device, () => device.subscribe([this.filter], 2))
      }
    }
  }

  private async untilAnswered(device: Device, ask: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await device.ensureConnected()
        await ask()
        return
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
    }
  }

  private missing(): string | undefined {
    for (const { topic, serial, qos } of this.stage.journal.below(`${this.prefix}/`).flat()) {
      if (!this.got.has(`${topic} ${serial}`)) return `${topic} ${serial} (QoS ${qos})`
    }
    return undefined
  }

  private receive(device: Device, { topic, payload }: ReceivedPacket): void {
    const { journal } = this.stage
    journal.counts.received++
    const name = `${topic} ${serialOf(payload)}`
    const takers = this.got.get(name)
    if (takers === undefined) this.got.set(name, [device.name])
    else {
      takers.push(device.name)
      journal.counts.duplicates++
    }
  }
}
