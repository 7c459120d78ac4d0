import { Device } from './device.ts'
import { pause, type Stage } from './stage.ts'
import type { WillClient } from './will-client.ts'

/** A persistent session that gets the wills, and compares them with what became of the clients. */
export class WillReader {
  private readonly stage: Stage
  private readonly device: Device
  private readonly clients: readonly WillClient[]
  private readonly got = new Map<string, number>()

  constructor(stage: Stage, clients: readonly WillClient[]) {
    this.stage = stage
    this.clients = clients
    this.device = new Device(stage, 'will reader', { version: 5, expirySeconds: 3600 })
    this.device.onMessage = ({ topic, payload }) => {
      stage.journal.counts.wills++
      const name = `${topic} ${payload}`
      this.got.set(name, (this.got.get(name) ?? 0) + 1)
    }
  }

  async prepare(): Promise<void> {
    await this.device.ensureConnected()
    await this.device.subscribe(['will/#'], 2)
  }

  async run(): Promise<void> {
    while (!this.stage.isEnding) {
      await this.device.ensureConnected()
      await pause(50)
    }
  }

  async finish(waitMs: number): Promise<void> {
    await this.device.ensureConnected()
    for (let waited = 0; waited < waitMs && this.problems(false).length > 0; waited += 20) {
      await this.device.ensureConnected()
      await pause(20)
    }
    for (const problem of this.problems(true)) this.stage.journal.violation(problem)
  }

  leave(): void {
    this.device.drop()
  }

  private problems(tooMany: boolean): string[] {
    const found: string[] = []
    for (const { topic, fates } of this.clients) {
      for (const [index, fate] of fates.entries()) {
        const name = `${topic} ${index + 1}`
        const count = this.got.get(name) ?? 0
        if (count === 0 && fate === 'once') found.push(`the will ${name} did not go out`)
        if (!tooMany) continue
        if (count > 0 && fate === 'never') found.push(`the will ${name} went out although its client had left in time`)
        if (count > 1) found.push(`the will ${name} went out ${count} times`)
      }
    }
    return found
  }
}
