import type { ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import type { ReceivedPacket } from '../../support/wire-reader.ts'
import { Device } from './device.ts'
import { serialOf } from './journal.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

interface Window {
  readonly askedAt: number
  certainFrom: number
  certainTo: number
  endedAt: number
}

const NEVER = Number.POSITIVE_INFINITY

/**
 * A persistent session that subscribes and unsubscribes. A message whose whole way from PUBLISH to acknowledgement was
 * while the subscription stood has to come; one whose whole way was while none stood must not.
 */
export class ChangingReader {
  private readonly stage: Stage
  private readonly device: Device
  private readonly random: Random
  private readonly prefix: string
  private readonly windows: Window[] = []
  private readonly got = new Map<string, number>()
  private readonly last = new Map<string, number>()

  constructor(stage: Stage, name: string, version: ProtocolVersion, prefix: string) {
    this.stage = stage
    this.prefix = prefix
    this.random = stage.random.fork()
    this.device = new Device(stage, name, { version, expirySeconds: 3600 })
    this.device.onMessage = (packet) => this.receive(packet)
  }

  async run(): Promise<void> {
    while (!this.stage.isEnding) {
      await this.subscribed()
      await this.unsubscribed()
    }
  }

  async finish(waitMs: number): Promise<void> {
    await this.device.ensureConnected()
    for (let waited = 0; waited < waitMs && this.missing() !== undefined; waited += 20) {
      await this.device.ensureConnected()
      await pause(20)
    }
    const missing = this.missing()
    const { journal } = this.stage
    if (missing !== undefined) journal.violation(`${this.device.name} was subscribed and did not get ${missing}`)
    for (const sent of journal.below(`${this.prefix}/`).flat()) {
      const count = this.got.get(`${sent.topic} ${sent.serial}`) ?? 0
      const possible = this.windows.some(({ askedAt, endedAt }) => askedAt < sent.ackedAt && endedAt > sent.sentAt)
      if (count > 0 && !possible) {
        journal.violation(`${this.device.name} was not subscribed and got ${sent.topic} ${sent.serial}`)
      }
      if (count > 1 && sent.qos === 2) journal.violation(`${this.device.name} got ${sent.topic} ${sent.serial} twice`)
    }
  }

  leave(): void {
    this.device.drop()
  }

  private async subscribed(): Promise<void> {
    const { journal } = this.stage
    const window: Window = { askedAt: journal.now(), certainFrom: NEVER, certainTo: NEVER, endedAt: NEVER }
    this.windows.push(window)
    await this.untilAnswered(() => this.device.subscribe([`${this.prefix}/#`], 2))
    window.certainFrom = journal.now()
    await this.stay()
    window.certainTo = journal.now()
    await this.untilAnswered(() => this.device.unsubscribe(`${this.prefix}/#`))
    window.endedAt = journal.now()
  }

  private async unsubscribed(): Promise<void> {
    await this.stay()
  }

  private async stay(): Promise<void> {
    const { device, random } = this
    await pause(random.below(400))
    if (random.chance(0.2)) device.drop()
    await device.ensureConnected()
  }

  private async untilAnswered(ask: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await this.device.ensureConnected()
        await ask()
        return
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
    }
  }

  private missing(): string | undefined {
    for (const sent of this.stage.journal.below(`${this.prefix}/`).flat()) {
      const certain = this.windows.some((one) => one.certainFrom < sent.sentAt && one.certainTo > sent.ackedAt)
      if (certain && !this.got.has(`${sent.topic} ${sent.serial}`)) return `${sent.topic} ${sent.serial}`
    }
    return undefined
  }

  private receive({ topic, payload }: ReceivedPacket): void {
    const { journal } = this.stage
    journal.counts.received++
    const serial = serialOf(payload)
    const name = `${topic} ${serial}`
    const count = (this.got.get(name) ?? 0) + 1
    this.got.set(name, count)
    if (count > 1) {
      journal.counts.duplicates++
      return
    }
    const last = this.last.get(topic) ?? 0
    if (serial < last && this.isWithin(topic, serial))
      journal.violation(`${this.device.name} got ${name} after ${last}`)
    this.last.set(topic, Math.max(serial, last))
  }

  /**
   * Whether the message was sent for the first time while the subscription stood, and it still does. One that was sent
   * before, and once more after a failure, may come behind its successors.
   */
  private isWithin(topic: string, serial: number): boolean {
    const window = this.windows.at(-1)
    const sent = this.stage.journal.on(topic)[serial - 1]
    return sent !== undefined && window?.certainTo === NEVER && window.certainFrom < sent.sentAt
  }
}
