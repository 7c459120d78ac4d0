import type { ReceivedPacket } from '../../support/wire-reader.ts'
import { Device } from './device.ts'
import { type Sent, serialOf } from './journal.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

const NEVER = Number.POSITIVE_INFINITY
const STAY_MS_MAX = 700
const STAY_ALONE_MS_MAX = 1500

/** The time from when somebody was subscribed to when nobody was any more. */
interface Span {
  readonly askedAt: number
  certainFrom: number
  endedAt: number
}

interface Member {
  readonly device: Device
  /** It has asked for it, and is not told that it has left. */
  isSubscribed: boolean
  leftAt: number
}

/**
 * Members of a shared subscription whose sessions persist, and who come and go: together they get each message, those of
 * QoS 2 exactly once, and whoever is alone gets them in order. Where all may leave, what waits then is deleted.
 */
export class Group {
  private readonly stage: Stage
  private readonly name: string
  private readonly prefix: string
  private readonly filter: string
  private readonly mayEnd: boolean
  private readonly random: Random
  private readonly members: Member[]
  private readonly got = new Map<string, string[]>()
  /** When there was a group. */
  private readonly spans: Span[] = []
  /** The only member, from this time on. */
  private alone: { readonly member: Member; readonly since: number; readonly staysConnected: boolean } | undefined
  /** When the last one of each publisher that it got was sent, of those sent since. */
  private readonly last = new Map<string, number>()

  constructor(stage: Stage, name: string, prefix: string, mayEnd: boolean) {
    this.stage = stage
    this.name = name
    this.prefix = prefix
    this.mayEnd = mayEnd
    this.filter = `$share/${name}/${prefix}/#`
    this.random = stage.random.fork()
    this.members = ([5, 4, 5] as const).map((version, index) => {
      const receiveMaximum = version === 5 ? { receiveMaximum: 10 } : {}
      const device = new Device(stage, `${name} ${index}`, { version, expirySeconds: 3600, ...receiveMaximum })
      const member: Member = { device, isSubscribed: false, leftAt: 0 }
      device.onMessage = (packet) => this.receive(member, packet)
      device.ackDelayMs = () => (this.random.chance(0.05) ? this.random.below(15) : 0)
      return member
    })
  }

  prepare(): Promise<void> {
    return this.consistOf(this.members)
  }

  async run(): Promise<void> {
    await Promise.all([this.change(), ...this.members.map((member) => this.live(member))])
  }

  async finish(waitMs: number): Promise<void> {
    const connect = (): Promise<unknown> => Promise.all(this.members.map(({ device }) => device.ensureConnected()))
    await connect()
    for (let waited = 0; waited < waitMs && this.missing() !== undefined; waited += 20) {
      await connect()
      await pause(20)
    }
    const { journal } = this.stage
    const missing = this.missing()
    if (missing !== undefined) journal.violation(`no member of ${this.name} got ${missing}`)
    for (const sent of journal.below(`${this.prefix}/`).flat()) {
      const takers = this.got.get(`${sent.topic} ${sent.serial}`) ?? []
      if (sent.qos === 2 && takers.length > 1) {
        journal.violation(`${this.name} got ${sent.topic} ${sent.serial} (QoS 2) at ${takers.join(' and ')}`)
      }
      const possible = this.spans.some(({ askedAt, endedAt }) => askedAt < sent.ackedAt && endedAt > sent.sentAt)
      if (takers.length > 0 && !possible) {
        journal.violation(`${this.name} had no members and got ${sent.topic} ${sent.serial} at ${takers.join(' and ')}`)
      }
    }
  }

  leave(): void {
    for (const { device } of this.members) device.drop()
  }

  private async live(member: Member): Promise<void> {
    const { random, stage } = this
    const { device } = member
    while (!stage.isEnding) {
      await device.ensureConnected()
      await pause(random.below(120))
      if (this.alone?.member === member && this.alone.staysConnected) continue
      if (random.chance(0.06)) device.drop()
      else if (random.chance(0.04)) {
        await device.disconnect()
        await pause(random.below(200))
      }
    }
  }

  private async change(): Promise<void> {
    const { members, mayEnd, random, stage } = this
    while (!stage.isEnding) {
      await pause(random.below(this.alone === undefined ? STAY_MS_MAX : STAY_ALONE_MS_MAX))
      const wanted = members.filter(() => random.chance(0.5))
      if (wanted.length === 0 && !mayEnd) wanted.push(...members)
      await this.consistOf(wanted)
    }
  }

  /** Those who join do it before the others leave: the group ends only when nobody is wanted. */
  private async consistOf(wanted: readonly Member[]): Promise<void> {
    const { journal } = this.stage
    const joining = wanted.filter((member) => !member.isSubscribed)
    const leaving = this.members.filter((member) => member.isSubscribed && !wanted.includes(member))
    if (joining.length > 0) {
      this.alone = undefined
      const isFirst = this.spans.at(-1)?.endedAt !== NEVER
      if (isFirst) this.spans.push({ askedAt: journal.now(), certainFrom: NEVER, endedAt: NEVER })
      await Promise.all(joining.map((member) => this.join(member)))
      if (isFirst) this.current.certainFrom = journal.now()
    }
    await Promise.all(leaving.map((member) => this.part(member)))
    if (wanted.length === 0) {
      this.alone = undefined
      if (leaving.length > 0) this.current.endedAt = journal.now()
    } else if (wanted.length === 1 && this.alone === undefined) {
      this.alone = { member: wanted[0] as Member, since: journal.now(), staysConnected: this.random.chance(0.6) }
      this.last.clear()
    }
  }

  private async join(member: Member): Promise<void> {
    member.isSubscribed = true
    await this.untilAnswered(member, () => member.device.subscribe([this.filter], 2))
  }

  private async part(member: Member): Promise<void> {
    await this.untilAnswered(member, () => member.device.unsubscribe(this.filter))
    member.isSubscribed = false
    member.leftAt = this.stage.journal.now()
  }

  private async untilAnswered({ device }: Member, ask: () => Promise<void>): Promise<void> {
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

  private get current(): Span {
    return this.spans.at(-1) as Span
  }

  private missing(): string | undefined {
    const { certainFrom, endedAt } = this.current
    if (endedAt !== NEVER) return undefined
    for (const { topic, serial, qos, sentAt } of this.stage.journal.below(`${this.prefix}/`).flat()) {
      if (sentAt > certainFrom && !this.got.has(`${topic} ${serial}`)) return `${topic} ${serial} (QoS ${qos})`
    }
    return undefined
  }

  private receive(member: Member, { topic, payload }: ReceivedPacket): void {
    const { journal } = this.stage
    journal.counts.received++
    const serial = serialOf(payload)
    const name = `${topic} ${serial}`
    const sent = journal.on(topic)[serial - 1]
    const { device } = member
    if (sent === undefined) {
      journal.violation(`${device.name} got ${name}, which nobody has sent`)
      return
    }
    if (!this.mayGet(member, sent)) {
      const { isSubscribed, leftAt } = member
      journal.violation(
        `${device.name} had left the group and got ${name} (QoS ${sent.qos}${isSubscribed ? ', in it again' : ''}, sent ` +
          `${Math.round(sent.sentAt - leftAt)} ms after it had left)`,
      )
    }
    const takers = this.got.get(name)
    if (takers === undefined) {
      this.got.set(name, [device.name])
      if (this.alone?.member === member) this.compareOrder(sent, Math.max(this.alone.since, device.connectedAt))
    } else {
      takers.push(device.name)
      journal.counts.duplicates++
    }
  }

  /**
   * Who has left keeps what was sent to it before (MQTT-3.10.4-3), also when it comes only with the next connection; who
   * is a member at QoS 1 gets nothing from a group of the same name that has ended before.
   */
  private mayGet({ isSubscribed, leftAt }: Member, { qos, sentAt, ackedAt }: Sent): boolean {
    if (leftAt > sentAt) return true
    return isSubscribed && (qos === 2 || ackedAt > this.current.askedAt)
  }

  /** What a member gave back, itself perhaps as it lost its connection, may come behind its successors. */
  private compareOrder({ topic, serial, sentAt }: Sent, since: number): void {
    if (sentAt < since) return
    const publisher = topic.slice(0, topic.lastIndexOf('/'))
    const last = this.last.get(publisher) ?? 0
    if (sentAt < last) {
      this.stage.journal.violation(`the only member of ${this.name} got ${topic} ${serial} after what was sent later`)
    }
    this.last.set(publisher, Math.max(sentAt, last))
  }
}
