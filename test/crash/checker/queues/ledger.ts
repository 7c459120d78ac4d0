import type { DeathReason } from '../../../../src/message/amqp-part.ts'
import type { Journal } from '../journal.ts'
import { DELIVERY_LIMIT, type QueuePlan, RETRY_DELAYS_MS } from './topology.ts'

/** One message as its publisher knows it. */
export interface QueueSent {
  readonly topic: string
  readonly serial: number
  readonly device: string
  /** Place among all messages of the device. */
  readonly place: number
  readonly payload: string
  readonly priority: number
  readonly qos: number
  readonly sentAtMs: number
  readonly delayMs: number
  /** How often PUBLISH went out. */
  sends: number
  /** What the publisher was told; undefined: nothing yet. */
  reasonCode: number | undefined
}

/** What a consumer was given. */
export interface Given {
  readonly topic: string
  readonly serial: number
  /** How often it came back before; undefined: not told. */
  readonly count: number | undefined
  readonly redelivered: boolean
  readonly payload: string
  /** Why it died last and where; empty: it has not died. */
  readonly deathReason: string
  readonly deathQueue: string
  /** How often it has died, as far as that is told. */
  readonly deaths: number
}

export type AnswerKind = 'ack' | 'reject'

interface Fate {
  deliveries: number
  acks: number
  /** Acknowledged, and the connection or the broker was gone before the commit was known. */
  openAcks: number
  rejects: number
  openRejects: number
  rejectedAtMs: number
  /** Reasons that its dead letters told. */
  readonly reasons: Set<string>
  /** Largest count that is known to be stored. */
  count: number
}

const UNANSWERED_MS = 3

/** What became of each message in one queue, and where the broker did not keep its word. */
export class Ledger {
  readonly plan: QueuePlan
  /** Of the dead letters of this queue. */
  dead: Ledger | undefined
  private readonly journal: Journal
  private readonly sent: ReadonlyMap<string, QueueSent>
  private readonly source: Ledger | undefined
  private readonly fates = new Map<string, Fate>()
  private readonly rejectsMax: number

  /** `source`: whose dead letters these are. */
  constructor(plan: QueuePlan, journal: Journal, sent: ReadonlyMap<string, QueueSent>, source?: Ledger) {
    this.plan = plan
    this.journal = journal
    this.sent = sent
    this.source = source
    if (source !== undefined) source.dead = this
    this.rejectsMax = plan.arguments['x-retry-delays'] === undefined ? 1 : RETRY_DELAYS_MS.length + 1
  }

  /** Answers what is known of the message; undefined: it should not be here at all. */
  delivered(given: Given, nowMs: number): QueueSent | undefined {
    const { plan } = this
    const name = nameOf(given)
    const sent = this.sent.get(name)
    const belongs = this.source === undefined ? plan.takes(given.topic) : this.source.plan.takes(given.topic)
    if (sent === undefined || !belongs) {
      this.violation(`got ${name}, which does not belong there`)
      return undefined
    }
    const fate = this.fateOf(name)
    fate.deliveries++
    if (given.payload !== sent.payload) this.violation(`gave out ${name} as ${given.payload.slice(0, 100)}`)
    const copies = this.copiesOf(sent)
    if (this.finals(fate, name, copies) >= copies) {
      this.violation(`gave out ${name} (${describe(sent)}) again after its answer was committed: ${this.story(name)}`)
    }
    const { count = fate.count } = given
    if (plan.name === 'limited' && count > DELIVERY_LIMIT) {
      this.violation(`gave out ${name} although it had come back ${count} times`)
    }
    if (copies === 1 && count < fate.count) {
      this.violation(`forgot that ${name} had come back ${fate.count} times: it says ${count}`)
    }
    if (nowMs < sent.sentAtMs + sent.delayMs - UNANSWERED_MS) this.violation(`gave out ${name} before its time`)
    const [pauseMs = 0] = RETRY_DELAYS_MS
    if (this.rejectsMax > 1 && copies === 1 && nowMs < fate.rejectedAtMs + pauseMs - UNANSWERED_MS) {
      this.violation(`tried ${name} again too soon`)
    }
    if (this.source !== undefined) this.died(given, name, fate, this.source)
    else if (given.deathReason !== '') this.violation(`gave out ${name} as a dead letter`)
    return sent
  }

  /** Messages of one row keep their order. */
  rowOf({ device, priority }: QueueSent): string {
    return this.plan.arguments['x-max-priority'] === undefined ? device : `${device} ${priority}`
  }

  /**
   * Whether the one consumer of the queue has to see it in the order of sending. Where several compete, a message that
   * was at one of them and not sent comes late to another.
   */
  keepsOrder(sent: QueueSent): boolean {
    const { arguments: args, workers } = this.plan
    const isAlone = workers === 1 || args['x-single-active-consumer'] === true
    return isAlone && this.source === undefined && (sent.qos === 2 || sent.sends === 1)
  }

  /** What was known of the message when it was given out is stored. */
  seenCommitted(given: Given): void {
    const fate = this.fateOf(nameOf(given))
    fate.count = Math.max(fate.count, given.count ?? 0)
  }

  committed(given: Given, kind: AnswerKind, atMs: number): void {
    const name = nameOf(given)
    const fate = this.fateOf(name)
    if (kind === 'ack') fate.acks++
    else {
      fate.rejects++
      fate.rejectedAtMs = atMs
    }
    const sent = this.sent.get(name)
    const copies = sent === undefined ? 0 : this.copiesOf(sent)
    if (sent !== undefined && this.finals(fate, name, copies) > copies) {
      this.violation(`was answered ${name} (${describe(sent)}) too often: ${this.story(name)}`)
    }
  }

  /** Answered, and it may be on disk or not. */
  uncertain(given: Given, kind: AnswerKind): void {
    const fate = this.fateOf(nameOf(given))
    if (kind === 'ack') fate.openAcks++
    else fate.openRejects++
  }

  /** The first message that was promised to this queue and has neither been acknowledged nor died. */
  missing(): string | undefined {
    for (const [name, sent] of this.sent) {
      if (sent.reasonCode === undefined || sent.reasonCode >= 0x80 || !this.plan.takes(sent.topic)) continue
      if (this.outcomes(name) === 0 && !this.isSuperseded(sent)) {
        return `${name} (${describe(sent)}) is lost: ${this.story(name)}`
      }
    }
    return undefined
  }

  /** Everything is at its end: what is still wrong. */
  finish(): void {
    const missing = this.missing()
    if (missing !== undefined) this.violation(missing)
    for (const [name, fate] of this.fates) {
      const sent = this.sent.get(name)
      if (sent === undefined) continue
      if ((sent.reasonCode ?? 0) >= 0x80 && sent.sends === 1) this.violation(`gave out ${name}, which it had refused`)
      if (this.copiesOf(sent) > 1) continue
      const dead = this.dead?.answersOf(name) ?? 0
      if (fate.acks > 0 && (this.dead?.acksOf(name) ?? 0) > 0) {
        this.violation(`both acknowledged and dead-lettered ${name}: ${this.story(name)}`)
      }
      if (fate.rejects >= this.rejectsMax && dead === 0) {
        this.violation(`rejected ${name} and it is no dead letter: ${this.story(name)}`)
      }
      for (const reason of this.dead?.reasonsOf(name) ?? []) this.checkReason(name, fate, reason)
    }
  }

  get size(): number {
    return this.fates.size
  }

  private checkReason(name: string, fate: Fate, reason: string): void {
    const rejects = fate.rejects + fate.openRejects
    if (reason === 'rejected' && rejects < this.rejectsMax) {
      this.violation(`dead-lettered ${name} as rejected, and it was rejected ${rejects} times`)
    }
  }

  private died({ deathReason, deathQueue, deaths }: Given, name: string, fate: Fate, source: Ledger): void {
    fate.reasons.add(deathReason)
    const isKnown = source.plan.deaths.includes(deathReason as DeathReason) && deathQueue === source.plan.name
    if (isKnown && deaths === 1) return
    this.violation(`got ${name}, which says that it was ${deathReason} in ${deathQueue}, and died ${deaths} times`)
  }

  // A dead letter that was only seen may have been undone by a crash, together with what it died of.
  private answersOf(name: string): number {
    const fate = this.fates.get(name)
    return (fate?.acks ?? 0) + (fate?.openAcks ?? 0)
  }

  private acksOf(name: string): number {
    return this.fates.get(name)?.acks ?? 0
  }

  private reasonsOf(name: string): ReadonlySet<string> {
    return this.fates.get(name)?.reasons ?? new Set()
  }

  /** How often the message may be in the queue: a publisher at QoS 1 that lost its connection has sent it twice. */
  private copiesOf(sent: QueueSent): number {
    return sent.qos === 2 || this.plan.name === 'once' ? 1 : sent.sends
  }

  /** So many copies at least can no longer come. */
  private finals(fate: Fate, name: string, copies: number): number {
    // Each of them may have been rejected before and tried again.
    const rejected = Math.max(0, fate.rejects - copies * (this.rejectsMax - 1))
    return fate.acks + Math.max(rejected, this.dead?.acksOf(name) ?? 0)
  }

  private outcomes(name: string): number {
    return this.answersOf(name) + (this.dead?.answersOf(name) ?? 0)
  }

  /** In the last-value queue a newer message of the topic takes the place of an older one. */
  private isSuperseded({ topic, serial }: QueueSent): boolean {
    return this.plan.name === 'latest' && this.sent.has(`${topic} ${serial + 1}`)
  }

  private fateOf(name: string): Fate {
    let fate = this.fates.get(name)
    if (fate === undefined) {
      fate = {
        deliveries: 0,
        acks: 0,
        openAcks: 0,
        rejects: 0,
        openRejects: 0,
        rejectedAtMs: 0,
        reasons: new Set(),
        count: 0,
      }
      this.fates.set(name, fate)
    }
    return fate
  }

  private story(name: string): string {
    const { reasons = [], ...rest } = this.fates.get(name) ?? {}
    const dead = this.dead === undefined ? '' : ` dead ${this.dead.story(name)}`
    return `${JSON.stringify({ ...rest, reasons: [...reasons] })}${dead}`
  }

  private violation(text: string): void {
    this.journal.violation(`the queue ${this.plan.name} ${text}`)
  }
}

function nameOf({ topic, serial }: { topic: string; serial: number }): string {
  return `${topic} ${serial}`
}

function describe({ qos, sends }: QueueSent): string {
  return `QoS ${qos}, sent ${sends === 1 ? 'once' : `${sends} times`}`
}
