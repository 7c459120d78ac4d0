import type { Duplex } from 'node:stream'
import type { Journal } from './journal.ts'
import type { Random } from './random.ts'
import { ConnectionLost, type World } from './world.ts'

/** What all actors share: the journal, and whether the broker is up. */
export class Stage {
  readonly world: World
  readonly journal: Journal
  readonly random: Random
  /** No more new work: what is open is brought to its end. */
  isEnding = false
  isUp = false
  upSinceMs = 0
  private upWaiters: (() => void)[] = []

  constructor(world: World, journal: Journal, random: Random) {
    this.world = world
    this.journal = journal
    this.random = random
  }

  async start(): Promise<void> {
    await this.world.start()
    this.isUp = true
    this.upSinceMs = performance.now()
    for (const resolve of this.upWaiters.splice(0)) resolve()
  }

  async crash(random: Random): Promise<string> {
    this.isUp = false
    return this.world.crash(random)
  }

  /** Resolves while the broker is up. */
  async up(): Promise<void> {
    while (!this.isUp) await new Promise<void>((resolve) => this.upWaiters.push(resolve))
  }

  async open(): Promise<Duplex> {
    try {
      return await this.world.open()
    } catch (error) {
      if (this.isUp) this.journal.violation(`a broker that is up refused a connection: ${String(error)}`)
      throw new ConnectionLost()
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
