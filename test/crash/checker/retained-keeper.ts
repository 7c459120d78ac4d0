import { Device } from './device.ts'
import { payloadOf, serialOf } from './journal.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

const TOPICS = 5

interface State {
  /** Serial number of the last change that was sent, and of the last that was acknowledged. */
  sent: number
  acknowledged: number
  /** Those that delete. */
  readonly deletions: Set<number>
}

/** Sets and deletes retained messages; who asks afterwards gets what was acknowledged, or what was sent since. */
export class RetainedKeeper {
  private readonly stage: Stage
  private readonly device: Device
  private readonly random: Random
  private readonly states: State[] = Array.from({ length: TOPICS }, () => ({
    sent: 0,
    acknowledged: 0,
    deletions: new Set<number>([0]),
  }))
  private probes = 0

  constructor(stage: Stage) {
    this.stage = stage
    this.random = stage.random.fork()
    this.device = new Device(stage, 'retained keeper', { version: 5, expirySeconds: 3600 })
  }

  async run(): Promise<void> {
    let open = true
    const kept = Promise.all(this.states.map((state, index) => this.keep(state, `retained/${index}`)))
    const staying = (async () => {
      while (open) {
        await this.device.ensureConnected()
        await pause(2)
      }
    })()
    await kept
    open = false
    await staying
  }

  /** Asks with a new client, and compares. */
  async check(): Promise<void> {
    const { journal } = this.stage
    const reader = new Device(this.stage, `retained reader ${++this.probes}`, { version: 5, expirySeconds: 0 })
    const seen = new Map<string, number>()
    reader.onMessage = (packet) => {
      if (packet.retain) seen.set(packet.topic, serialOf(packet.payload))
    }
    const before = this.states.map(({ acknowledged }) => acknowledged)
    try {
      await reader.connect()
      await reader.subscribe(['retained/#'], 1)
      // Behind what is retained, since replies keep their order.
      await reader.unsubscribe('nothing')
    } catch (error) {
      if (error instanceof ConnectionLost) return
      throw error
    } finally {
      reader.drop()
    }
    for (const [index, state] of this.states.entries()) {
      const serial = seen.get(`retained/${index}`)
      const least = before[index] ?? 0
      if (serial !== undefined && (serial < least || serial > state.sent || state.deletions.has(serial))) {
        journal.violation(`retained/${index} is ${serial}, but ${least} was acknowledged`)
      }
      if (serial === undefined && ![...state.deletions].some((deletion) => deletion >= least)) {
        journal.violation(`retained/${index} is not there, but ${least} was acknowledged`)
      }
    }
  }

  /** How many topics have a message, when nothing is open. */
  get liveTopics(): string[] {
    return this.states.flatMap(({ sent, deletions }, index) => (deletions.has(sent) ? [] : [`retained/${index}`]))
  }

  leave(): void {
    this.device.drop()
  }

  private async keep(state: State, topic: string): Promise<void> {
    const { random, stage, device } = this
    while (!stage.isEnding) {
      await device.ensureConnected()
      const serial = ++state.sent
      const deletes = random.chance(0.2)
      if (deletes) state.deletions.add(serial)
      const payload = deletes ? '' : payloadOf(serial, random.below(100))
      await device.published(topic, payload, random.between(1, 2), true)
      state.acknowledged = serial
      await pause(random.below(40))
    }
  }
}
