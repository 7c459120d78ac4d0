import type { Random } from '../random.ts'
import { pause, type Stage } from '../stage.ts'
import { ConnectionLost } from '../world.ts'
import type { AnswerKind, Given, Ledger } from './ledger.ts'
import type { Line, Taken, Tap } from './tap.ts'

interface Answer {
  readonly given: Given
  readonly kind: AnswerKind
  readonly atMs: number
}

const HELD_MS = 30

/** One of the competing consumers of a queue: acknowledges, rejects, gives back, takes its time, and dies. */
export class Worker {
  private readonly stage: Stage
  private readonly tap: Tap
  private readonly ledger: Ledger
  private readonly random: Random
  private line: Line | undefined
  /** Counts those that were opened and those that were left. */
  private lines = 0
  /** Answered on this line, and not known to be on disk. */
  private answers: Answer[] = []
  private seen: Given[] = []
  /** Place of the last message of each device that came to this line for the first time. */
  private last = new Map<string, number>()
  private isDraining = false
  private isDone = false

  constructor(stage: Stage, tap: Tap, ledger: Ledger) {
    this.stage = stage
    this.tap = tap
    this.ledger = ledger
    this.random = stage.random.fork()
  }

  async run(): Promise<void> {
    const { plan } = this.ledger
    while (!this.isDone) {
      if (!(await this.open())) continue
      await this.live()
      this.leave()
      if (!this.isDraining) await pause(this.random.below(plan.awayMs + 1))
    }
  }

  /** No more deaths, and everything is acknowledged. */
  drain(): void {
    this.isDraining = true
  }

  /** Commits what it has answered, and goes. */
  end(): void {
    this.isDone = true
  }

  private async open(): Promise<boolean> {
    const { plan } = this.ledger
    const number = ++this.lines
    try {
      this.last = new Map()
      this.line = await this.tap.open(plan.name, (taken) => this.lines === number && this.take(taken))
      return true
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      this.leave()
      await pause(1)
      return false
    }
  }

  private async live(): Promise<void> {
    const { isDraining, line, random } = this
    // For draining another one is opened, so that what was kept comes again.
    while (line?.isOpen && !this.isDone && this.isDraining === isDraining) {
      await pause(random.below(this.isDraining ? 20 : 60))
      if (this.isDraining || random.chance(0.6)) await this.commit()
      // Most of them die with something in their hands.
      if (!this.isDraining && random.chance(0.12)) return
    }
    await this.commit()
  }

  private leave(): void {
    this.lines++
    this.line?.close()
    this.line = undefined
    for (const { given, kind } of this.answers) this.ledger.uncertain(given, kind)
    this.answers = []
    this.seen = []
  }

  private async commit(): Promise<void> {
    const { line, answers, seen } = this
    if (line === undefined || answers.length + seen.length === 0) return
    this.answers = []
    this.seen = []
    if (await line.commit()) {
      for (const given of seen) this.ledger.seenCommitted(given)
      for (const { given, kind, atMs } of answers) this.ledger.committed(given, kind, atMs)
    } else this.answers = [...answers, ...this.answers]
  }

  private take(taken: Taken): void {
    const { ledger, random, stage } = this
    const { given } = taken
    const sent = ledger.delivered(given, Date.now())
    stage.journal.counts.received++
    this.seen.push(given)
    if (sent !== undefined && !given.redelivered && ledger.keepsOrder(sent)) {
      const row = ledger.rowOf(sent)
      const last = this.last.get(row) ?? 0
      if (sent.place < last) stage.journal.violation(`${ledger.plan.name}: ${sent.topic} ${sent.serial} came too late`)
      this.last.set(row, Math.max(last, sent.place))
    }
    const heldMs = random.chance(0.15) ? random.below(HELD_MS) : 0
    if (heldMs === 0) this.answer(taken)
    else {
      const { lines } = this
      setTimeout(() => lines === this.lines && this.answer(taken), heldMs)
    }
  }

  private answer(taken: Taken): void {
    const { ledger, line, random } = this
    // The line may not be known yet while its first messages come.
    if (line !== undefined && !line.isOpen) return
    const { rejects, returns } = ledger.plan
    const choice = this.isDraining ? 1 : random.next()
    if (choice < returns) {
      // Who cannot give back a single message keeps it until the end of the connection.
      taken.giveBack?.()
      return
    }
    const kind = choice < rejects && taken.canReject ? 'reject' : 'ack'
    taken.answer(kind)
    this.answers.push({ given: taken.given, kind, atMs: Date.now() })
  }
}
