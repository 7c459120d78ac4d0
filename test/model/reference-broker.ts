import { describes, entryOf, isExpired, mayCome, merged, noteSent, problemOf, tell } from './reference-entry.ts'
import { hasRoom, naiveMatch, newGroup, newSession, NEVER, SHARED } from './state.ts'
import type {
  Entry,
  Group,
  Link,
  ModelMessage,
  ModelSession,
  ModelSubscription,
  ModelWill,
  SeenPacket,
} from './state.ts'

/**
 * What a broker must do, in the plainest way. It does not send, it explains what was received (`take`) and says what
 * should have been (`missing`): the standard leaves open who of a group gets a message, and more.
 */
export class ReferenceBroker {
  now = 0
  readonly sessions = new Map<string, ModelSession>()
  readonly groups = new Map<string, Group>()
  private readonly retained = new Map<string, ModelMessage>()
  private readonly wills = new Map<string, ModelWill>()
  private count = 0

  /** Returns session present. */
  connect(who: string, link: Link, clean: boolean, expirySeconds: number, will: ModelWill | undefined): boolean {
    if (this.sessions.get(who)?.link !== undefined) this.leave(who, true)
    if (clean) this.end(who)
    const known = this.sessions.get(who)
    const session = known ?? newSession(who, link)
    this.sessions.set(who, session)
    this.wills.delete(who)
    if (will !== undefined) this.wills.set(who, will)
    Object.assign(session, { link, expirySeconds, endsAt: NEVER })
    for (const entry of session.entries) entry.inFlight = false
    return known !== undefined
  }

  /** The connection ended; a new expiry comes with DISCONNECT. */
  leave(who: string, withWill: boolean): void {
    const session = this.sessions.get(who) as ModelSession
    session.link = undefined
    session.zero = []
    this.giveBack(session, () => true, false)
    const will = this.wills.get(who)
    if (will !== undefined && withWill) {
      will.dueAt = this.now + Math.min(will.delaySeconds, session.expirySeconds)
      if (will.dueAt <= this.now) this.sendWill(who)
    } else this.wills.delete(who)
    if (session.expirySeconds === 0) this.end(who)
    else session.endsAt = this.now + session.expirySeconds
  }

  /** Returns the reason codes; retained messages follow. */
  subscribe(who: string, requests: readonly ModelSubscription[]): number[] {
    const session = this.sessions.get(who) as ModelSession
    const news = requests.map((request) => {
      const isNew = !session.subscriptions.has(request.filter)
      session.subscriptions.set(request.filter, request)
      const [, name, filter] = SHARED.exec(request.filter) ?? []
      if (name === undefined || filter === undefined) return isNew
      const key = request.filter
      const group = this.groups.get(key) ?? newGroup(key, filter)
      group.members.set(who, request)
      this.groups.set(key, group)
      return isNew
    })
    const batch = `retained ${this.count++}`
    for (const [index, request] of requests.entries()) {
      if (SHARED.test(request.filter) || request.retainHandling === 2) continue
      if (request.retainHandling === 1 && !news[index]) continue
      for (const message of this.retained.values()) {
        if (!naiveMatch(request.filter, message.topic) || isExpired(message, this.now)) continue
        if (request.noLocal && message.publisher === who) continue
        this.enqueue(session, message, { ...request, retainAsPublished: true }, [request.identifier], batch)
      }
    }
    return requests.map((request) => request.qos)
  }

  unsubscribe(who: string, filter: string): number {
    const session = this.sessions.get(who) as ModelSession
    if (!session.subscriptions.delete(filter)) return 0x11
    const group = this.groups.get(filter)
    if (group !== undefined) this.leaveGroup(session, group)
    return 0
  }

  /** Returns the reason code of the acknowledgement. */
  publish(fields: Omit<ModelMessage, 'serial'>, batch = `single ${this.count++}`): number {
    const message = { ...fields, serial: this.count++ }
    if (message.retain) {
      if (message.payload === '') this.retained.delete(message.topic)
      else this.retained.set(message.topic, message)
    }
    let reasonCode = 0x10
    for (const session of this.sessions.values()) {
      const matching = [...session.subscriptions.values()].filter((one) => naiveMatch(one.filter, message.topic))
      if (matching.length > 0) reasonCode = 0
      const counting = matching.filter((one) => !one.noLocal || message.publisher !== session.who)
      if (counting.length === 0) continue
      const identifiers = counting.map((one) => one.identifier)
      this.enqueue(session, message, merged(counting), identifiers, batch)
    }
    for (const group of this.groups.values()) {
      if (!naiveMatch(group.filter, message.topic)) continue
      reasonCode = 0
      const candidates = new Set([...group.members.keys()].filter((member) => this.isReady(member)))
      if (message.qos === 0) {
        if (candidates.size > 0 && this.waiting(group).length === 0) group.zero.push({ message, candidates })
        continue
      }
      const isKept = this.waiting(group).length > 0 || [...group.members.values()].some((one) => one.qos > 0)
      if (candidates.size > 0 || isKept) group.pool.push(message)
    }
    return reasonCode
  }

  /** What a client may acknowledge now, in the order of sending. */
  open(who: string): Entry[] {
    const { entries, link } = this.sessions.get(who) ?? { entries: [], link: undefined }
    return link === undefined ? [] : entries.filter((entry) => entry.inFlight && !entry.awaitsPubrel)
  }

  /** The client acknowledges one message, one step further in its handshake, or refuses it. */
  acknowledge(who: string, entry: Entry, refuses: boolean): void {
    const session = this.sessions.get(who) as ModelSession
    if (entry.qos === 1 || entry.released || refuses) session.entries.splice(session.entries.indexOf(entry), 1)
    else Object.assign(entry, { released: true, awaitsPubrel: true, group: undefined })
  }

  /** When something happens by itself next. */
  nextDue(): number {
    const ends = [...this.sessions.values()].map((session) => session.endsAt)
    return Math.min(NEVER, ...ends, ...[...this.wills.values()].map((will) => will.dueAt))
  }

  /** To be called for each `nextDue`. */
  passTo(time: number): void {
    this.now = time
    for (const [who, will] of [...this.wills]) if (will.dueAt <= time) this.sendWill(who)
    for (const session of [...this.sessions.values()]) if (session.endsAt <= time) this.end(session.who)
  }

  /** The broker stops: what goes out on connections that are about to end is left to it. */
  stop(): void {
    for (const session of this.sessions.values()) {
      const will = this.wills.get(session.who)
      if (
        session.link !== undefined &&
        will !== undefined &&
        Math.min(will.delaySeconds, session.expirySeconds) === 0
      ) {
        this.sendWill(session.who)
      }
    }
  }

  /** Explains a PUBLISH or PUBREL that a client received; the answer says what is wrong with it. */
  take(who: string, packet: SeenPacket): string | undefined {
    const session = this.sessions.get(who)
    if (session?.link === undefined) return 'is for nobody'
    const next = this.nextOf(session)
    if (packet.type === 'pubrel') {
      const entry = session.entries.find((one) => one.awaitsPubrel && one.packetId === packet.packetId)
      if (entry === undefined) return 'releases what was not received'
      entry.awaitsPubrel = false
      return undefined
    }
    const list = packet.qos === 0 ? session.zero : session.entries
    const first = packet.qos === 0 ? session.zero[0] : next
    const fitting = list.find(
      (entry) => !entry.inFlight && mayCome(entry, first, list) && describes(entry, packet, session.link, this.now),
    )
    const entry = fitting ?? this.takeShared(session, packet)
    if (entry === undefined)
      return first === undefined ? 'is not expected' : `instead of ${tell(first, session.link, this.now)}`
    session.zero = session.zero.filter((one) => one !== entry)
    if (packet.qos === 0) return undefined
    const problem = problemOf(session, entry, packet)
    if (problem !== undefined) return problem
    noteSent(session, entry, packet.packetId)
    return undefined
  }

  /** What should have been received by now. */
  missing(): string[] {
    const list: string[] = []
    for (const session of this.sessions.values()) {
      if (session.link === undefined) continue
      const next = this.nextOf(session)
      for (const entry of next === undefined ? session.zero : [next, ...session.zero]) {
        list.push(`${session.who}: ${tell(entry, session.link, this.now)}`)
      }
      const unreleased = session.entries.filter((entry) => entry.awaitsPubrel)
      list.push(...unreleased.map((entry) => `${session.who}: pubrel ${entry.packetId}`))
    }
    for (const group of this.groups.values()) {
      const someoneIsReady = [...group.members.keys()].some((member) => this.isReady(member))
      for (const message of [...(someoneIsReady ? this.waiting(group) : []), ...group.zero.map((one) => one.message)]) {
        list.push(`a member of ${group.key}: ${message.payload}`)
      }
    }
    return list
  }

  private takeShared(session: ModelSession, packet: SeenPacket): Entry | undefined {
    for (const group of this.groups.values()) {
      const own = group.members.get(session.who)
      if (own === undefined) continue
      const zero = group.zero.filter((one) => one.candidates.has(session.who)).map((one) => one.message)
      for (const message of packet.qos === 0 ? [...zero, ...this.waiting(group)] : this.waiting(group)) {
        const entry = entryOf(message, own, [own.identifier], '', group)
        if (!describes(entry, packet, session.link, this.now)) continue
        if (packet.qos > 0 && !hasRoom(session)) continue
        const line = JSON.stringify([session.who, message.publisher, message.topic, entry.qos])
        if (!group.returned.has(message)) {
          if ((group.latest.get(line) ?? -1) > message.serial) return undefined
          group.latest.set(line, message.serial)
        }
        group.zero = group.zero.filter((one) => one.message !== message)
        group.pool = group.pool.filter((one) => one !== message)
        if (entry.qos > 0) session.entries.push(entry)
        return entry
      }
    }
    return undefined
  }

  private enqueue(
    session: ModelSession,
    message: ModelMessage,
    subscription: Pick<ModelSubscription, 'qos' | 'retainAsPublished'>,
    identifiers: readonly number[],
    batch: string,
  ): void {
    const entry = entryOf(message, subscription, identifiers, batch, undefined)
    if (entry.qos > 0) session.entries.push(entry)
    else if (session.link !== undefined) session.zero.push(entry)
  }

  /** The entry to be sent now; what has expired unsent is gone, and a released one needs no PUBLISH. */
  private nextOf(session: ModelSession): Entry | undefined {
    session.zero = session.zero.filter((entry) => !isExpired(entry.message, this.now))
    session.entries = session.entries.filter((entry) => entry.packetId !== 0 || !isExpired(entry.message, this.now))
    for (const entry of session.entries) {
      if (entry.inFlight) continue
      if (!hasRoom(session)) return undefined
      if (!entry.released) return entry
      Object.assign(entry, { inFlight: true, awaitsPubrel: true })
    }
    return undefined
  }

  private waiting(group: Group): ModelMessage[] {
    group.pool = group.pool.filter((message) => !isExpired(message, this.now))
    return group.pool
  }

  private isReady(who: string): boolean {
    const session = this.sessions.get(who)
    return session !== undefined && this.nextOf(session) === undefined && hasRoom(session)
  }

  private sendWill(who: string): void {
    const will = this.wills.get(who)
    this.wills.delete(who)
    if (will !== undefined) this.publish({ ...will.message, expiresAt: 0 }, `wills ${this.now}`)
  }

  private end(who: string): void {
    const session = this.sessions.get(who)
    if (session === undefined) return
    this.sessions.delete(who)
    if ((this.wills.get(who)?.dueAt ?? NEVER) !== NEVER) this.sendWill(who)
    for (const group of this.groups.values()) if (group.members.has(who)) this.leaveGroup(session, group)
  }

  private leaveGroup(session: ModelSession, group: Group): void {
    this.giveBack(session, (entry) => entry.group === group, session.link !== undefined)
    group.members.delete(session.who)
    if (group.members.size === 0) this.groups.delete(group.key)
  }

  /** MQTT-4.8.2-4: what was sent at QoS 2 stays; MQTT-3.10.4-3: so does all that was sent, where the client stays. */
  private giveBack(session: ModelSession, concerns: (entry: Entry) => boolean, clientStays: boolean): void {
    const back: ModelMessage[] = []
    for (const entry of session.entries.filter((one) => one.group !== undefined && concerns(one))) {
      const { group } = entry
      const stays = entry.packetId !== 0 && (clientStays || entry.qos === 2)
      entry.group = undefined
      if (stays || group === undefined) continue
      session.entries = session.entries.filter((one) => one !== entry)
      back.push(entry.message)
      group.returned.add(entry.message)
      group.pool.push(entry.message)
    }
  }
}
