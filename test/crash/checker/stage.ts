import type { Duplex } from 'node:stream'
import type { Journal } from './journal.ts'
import type { Random } from './random.ts'
import { SessionBook } from './session-book.ts'
import { ConnectionLost, type World } from './world.ts'

// However slow the machine is.
const ANSWER_MS_MAX = 2000
const UNREAD_MS_MAX = 100

/** A client that has a connection. */
interface Waiting {
  /** What it asked before this time and has no answer to. */
  overdue(beforeMs: number): string[]
}

/** What all actors share: the journal, and whether the broker is up. */
export class Stage {
  readonly world: World
  readonly journal: Journal
  readonly random: Random
  readonly sessions = new SessionBook()
  readonly connected = new Set<Waiting>()
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
    await this.lookForOverdue()
    this.isUp = false
    return this.world.crash(random)
  }

  /** A crash excuses the broker from every answer: whatever it has withheld until then is to be found before. */
  private async lookForOverdue(): Promise<void> {
    const beforeMs = performance.now() - ANSWER_MS_MAX
    const overdue = (): string[] => [...this.connected].flatMap((each) => each.overdue(beforeMs))
    // This process may have been too busy to read what is there.
    if (overdue().length > 0) await pause(UNREAD_MS_MAX)
    for (const what of overdue()) this.journal.violation(`${what} was not answered for ${ANSWER_MS_MAX} ms`)
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
