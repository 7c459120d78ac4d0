import type { ReceivedPacket } from '../support/wire-reader.ts'
import { publishPacket } from '../support/wire-writer.ts'
import type { ModelSubscription } from './action.ts'
import { publishText } from './packet-text.ts'

export const NEVER = Number.POSITIVE_INFINITY

export type Entry = ReturnType<typeof entryOf>
export type Publication = Pick<ReceivedPacket, 'topic' | 'payload' | 'qos' | 'retain' | 'properties'>
/** Those of one `line` keep their order. */
type Message = Publication & { publisher: string; line: string; serial: number; expiresAt: number }

export class ModelSession {
  readonly subscriptions = new Map<string, ModelSubscription>()
  who = ''
  isConnected = true
  client = { version: 5 as 3 | 4 | 5, window: 0, packetBytesMax: 0 }
  expirySeconds = 0
  endsAt = NEVER
  will: { readonly publication: Publication; readonly delaySeconds: number } | undefined
  willDueAt = NEVER
  /** At QoS 1 and 2, in the order of sending. */
  sent: Entry[] = []
  queued: Entry[] = []

  get hasRoom(): boolean {
    return this.isConnected && this.sent.filter((entry) => entry.inFlight).length < this.client.window
  }

  remove(entry: Entry): void {
    this.sent = this.sent.filter((one) => one !== entry)
    this.queued = this.queued.filter((one) => one !== entry)
  }
}

class Group {
  readonly members = new Map<ModelSession, ModelSubscription>()
  /** Messages that any member has to get as soon as it is ready. */
  offers: Message[] = []
  /** By member, publisher, topic and QoS: what was not `returned` comes in order. */
  readonly latestSerials = new Map<string, number>()
  readonly returned = new Set<Message>()
}

/**
 * What a broker must do, in the plainest way. It does not send, it explains what was received (`take`) and says what
 * should have been (`missing`): the standard leaves open who of a group gets a message, and more.
 */
export class ReferenceBroker {
  now = 0
  readonly sessions = new Map<string, ModelSession>()
  private readonly groups = new Map<string, Group>()
  private readonly retained = new Map<string, Message>()
  private count = 0

  /** Returns session present. */
  connect(who: string, clean: boolean, connection: Partial<ModelSession>): boolean {
    const before = this.sessions.get(who)
    if (before?.isConnected === true) this.leave(before, true)
    if (clean && before !== undefined) this.end(before)
    const known = this.sessions.get(who)
    const fresh = { who, isConnected: true, endsAt: NEVER, willDueAt: NEVER, ...connection }
    this.sessions.set(who, Object.assign(known ?? new ModelSession(), fresh))
    return known !== undefined
  }

  /** The connection ended. */
  leave(session: ModelSession, withWill: boolean): void {
    session.isConnected = false
    session.queued = session.queued.filter((entry) => entry.qos > 0)
    for (const entry of session.sent) {
      const { group, message, qos } = entry
      Object.assign(entry, { group: undefined, inFlight: false, awaitsPubrel: false })
      // MQTT-4.8.2-4: what was sent at QoS 2 stays.
      if (group === undefined || qos === 2) continue
      session.remove(entry)
      group.returned.add(message)
      group.offers.push(message)
    }
    if (!withWill) session.will = undefined
    session.willDueAt = this.now + (session.will?.delaySeconds ?? 0)
    session.endsAt = this.now + session.expirySeconds
    this.passTo(this.now)
  }

  subscribe(session: ModelSession, request: ModelSubscription): void {
    const { filter, noLocal, retainHandling } = request
    const isNew = !session.subscriptions.has(filter)
    session.subscriptions.set(filter, request)
    if (filter.startsWith('$share/')) {
      const group = this.groups.get(filter) ?? new Group()
      this.groups.set(filter, group)
      group.members.set(session, request)
    } else if (retainHandling === 0 || (retainHandling === 1 && isNew)) {
      const by = [{ ...request, retainAsPublished: true }]
      const found = [...this.retained.values()].filter((one) => matches(filter, one.topic))
      for (const one of found) if (!noLocal || one.publisher !== session.who) this.enqueue(session, one, by)
    }
  }

  unsubscribe(session: ModelSession, filter: string): number {
    this.leaveGroup(session, filter)
    return session.subscriptions.delete(filter) ? 0 : 0x11
  }

  /** Returns the reason code of the acknowledgement. */
  publish(publisher: string, publication: Publication): number {
    const { topic, payload, qos, retain, properties } = publication
    const expiresAt = this.now + (properties.messageExpiryInterval ?? NEVER)
    const message = { ...publication, publisher, line: `${publisher} ${topic}`, serial: this.count++, expiresAt }
    if (retain) this.retained.set(topic, message)
    if (retain && payload === '') this.retained.delete(topic)
    let reasonCode = 0x10
    for (const session of this.sessions.values()) {
      const matching = [...session.subscriptions.values()].filter((one) => matches(one.filter, topic))
      if (matching.length > 0) reasonCode = 0
      const heard = matching.filter((one) => !one.noLocal || publisher !== session.who)
      if (heard.length > 0) this.enqueue(session, message, heard)
    }
    for (const [key, group] of this.groups) {
      if (!matches(key.split('/').slice(2).join('/'), topic)) continue
      reasonCode = 0
      const isReady = this.isReady(group)
      const isBehind = group.offers.some((one) => one.qos > 0)
      const isKept = isBehind || isReady || [...group.members.values()].some((one) => one.qos > 0)
      if (qos === 0 ? isReady && !isBehind : isKept) group.offers.push(message)
    }
    return reasonCode
  }

  /** The client acknowledges one message, one step further in its handshake, or refuses it. */
  acknowledge(session: ModelSession, entry: Entry, refuses: boolean): void {
    if (entry.qos === 1 || entry.released || refuses) session.remove(entry)
    else Object.assign(entry, { released: true, awaitsPubrel: true, group: undefined })
  }

  nextDue(): number {
    return Math.min(...[...this.sessions.values()].flatMap(({ endsAt, willDueAt }) => [endsAt, willDueAt]))
  }

  /** To be called for each `nextDue`, unless the broker is down. */
  passTo(time: number): void {
    this.now = time
    for (const one of this.retained.values()) if (one.expiresAt <= time) this.retained.delete(one.topic)
    for (const group of this.groups.values()) group.offers = group.offers.filter((one) => one.expiresAt > time)
    for (const session of this.sessions.values()) {
      session.queued = session.queued.filter(({ message }) => message.expiresAt > time)
      if (session.willDueAt <= time) this.sendWill(session)
    }
    for (const session of this.sessions.values()) if (session.endsAt <= time) this.end(session)
  }

  /** The broker stops: what goes out on connections that are about to end is left to it. */
  stop(): void {
    for (const session of this.sessions.values()) {
      const { isConnected, expirySeconds, will } = session
      if (isConnected && (expirySeconds === 0 || will?.delaySeconds === 0)) this.sendWill(session)
    }
  }

  /** Explains a PUBLISH or PUBREL that a client received; the answer says what is wrong with it. */
  take(session: ModelSession, packet: ReceivedPacket): string | undefined {
    this.nextOf(session)
    if (packet.type === 'pubrel') {
      const first = session.sent.find((entry) => entry.awaitsPubrel)
      if (first?.packetId !== packet.packetId) return `instead of PUBREL ${first?.packetId}`
      first.awaitsPubrel = false
      return undefined
    }
    if (packet.qos > 0 && !session.hasRoom) return 'is beyond the Receive Maximum'
    const entry = this.takeOwn(session, packet) ?? this.takeShared(session, packet)
    if (entry === undefined) return `instead of ${this.missing().join('; ') || 'nothing'}`
    session.queued = session.queued.filter((one) => one !== entry)
    if (session.sent.some((one) => one !== entry && one.packetId === packet.packetId)) return 'reuses an identifier'
    if (entry.qos > 0 && entry.packetId === 0) session.sent.push(entry)
    Object.assign(entry, { packetId: packet.packetId, inFlight: true })
    return undefined
  }

  missing(): string[] {
    const list: string[] = []
    for (const [who, session] of this.sessions) {
      const next = this.nextOf(session)
      for (const entry of [...session.sent, ...session.queued]) {
        if (entry.awaitsPubrel) list.push(`${who}: PUBREL ${entry.packetId}`)
        if (entry === next || entry.qos === 0) list.push(`${who}: ${publishText(this.publishOf(entry, session))}`)
      }
    }
    for (const [key, group] of this.groups) {
      if (this.isReady(group)) list.push(...group.offers.map((one) => `a member of ${key}: ${one.payload}`))
    }
    return list
  }

  /** First what is sent again (MQTT-4.6.0-1); else order is owed to the messages of one publisher on one topic. */
  private takeOwn(session: ModelSession, packet: ReceivedPacket): Entry | undefined {
    const list = [...session.sent, ...session.queued].filter((entry) => !entry.inFlight && !entry.released)
    return list.find((entry, place) => {
      const { message, qos } = entry
      const before = list.slice(0, place).filter((one) => one.qos > 0 === qos > 0 && one.message !== message)
      const mayCome = before.every((one) => one.packetId === 0 && one.message.line !== message.line)
      return mayCome && this.describes(entry, packet, session)
    })
  }

  private takeShared(session: ModelSession, packet: ReceivedPacket): Entry | undefined {
    for (const group of this.groups.values()) {
      const own = group.members.get(session)
      const entries = own === undefined ? [] : group.offers.map((message) => entryOf(message, [own], group))
      const entry = entries.find((one) => this.describes(one, packet, session))
      if (entry === undefined) continue
      const { message, qos } = entry
      const line = `${session.who} ${message.line} ${qos}`
      if (!group.returned.has(message)) {
        if ((group.latestSerials.get(line) ?? -1) > message.serial) return undefined
        group.latestSerials.set(line, message.serial)
      }
      group.offers = group.offers.filter((one) => one !== message)
      return entry
    }
    return undefined
  }

  private publishOf(entry: Entry, session: ModelSession) {
    const { message, qos, retain, identifiers, packetId } = entry
    const left = message.expiresAt === NEVER ? {} : { messageExpiryInterval: Math.max(0, message.expiresAt - this.now) }
    const own = identifiers.length === 0 ? {} : { subscriptionIdentifiers: identifiers }
    const properties = session.client.version === 5 ? { ...message.properties, ...left, ...own } : {}
    return { ...message, qos, retain, dup: packetId !== 0, packetId, properties }
  }

  private describes(entry: Entry, packet: ReceivedPacket, session: ModelSession): boolean {
    const packetId = entry.packetId === 0 ? 0 : packet.packetId
    return publishText(this.publishOf(entry, session)) === publishText({ ...packet, packetId })
  }

  private fits(entry: Entry, session: ModelSession): boolean {
    return publishPacket(session.client.version, this.publishOf(entry, session)).length <= session.client.packetBytesMax
  }

  private enqueue(session: ModelSession, message: Message, by: readonly ModelSubscription[]): void {
    const entry = entryOf(message, by)
    if (entry.qos > 0 || (session.isConnected && this.fits(entry, session))) session.queued.push(entry)
  }

  /** The entry to be sent now; a released one needs no PUBLISH, and what is too large is gone (MQTT-3.1.2-25). */
  private nextOf(session: ModelSession): Entry | undefined {
    for (const entry of [...session.sent, ...session.queued]) {
      if (entry.inFlight || entry.qos === 0) continue
      if (!session.hasRoom) return undefined
      if (entry.released) Object.assign(entry, { inFlight: true, awaitsPubrel: true })
      else if (this.fits(entry, session)) return entry
      else session.remove(entry)
    }
    return undefined
  }

  private isReady({ members }: Group): boolean {
    return [...members.keys()].some((session) => this.nextOf(session) === undefined && session.hasRoom)
  }

  private sendWill(session: ModelSession): void {
    if (session.will !== undefined) this.publish(session.who, session.will.publication)
    Object.assign(session, { will: undefined, willDueAt: NEVER })
  }

  private end(session: ModelSession): void {
    this.sessions.delete(session.who)
    this.sendWill(session)
    for (const key of this.groups.keys()) this.leaveGroup(session, key)
  }

  /** MQTT-3.10.4-3: what was sent stays with the client. */
  private leaveGroup(session: ModelSession, key: string): void {
    const group = this.groups.get(key)
    for (const entry of session.sent) if (entry.group === group) entry.group = undefined
    group?.members.delete(session)
    if (group?.members.size === 0) this.groups.delete(key)
  }
}

/** A message as a subscription, or overlapping ones together (MQTT-3.3.4-2), let a session have it. */
function entryOf(message: Message, by: readonly ModelSubscription[], group?: Group) {
  const qos = Math.min(message.qos, Math.max(...by.map((one) => one.qos)))
  const retain = message.retain && by.some((one) => one.retainAsPublished)
  const given = new Set(by.map((one) => one.identifier).filter((one) => one > 0))
  const identifiers = [...given].sort((a, b) => a - b)
  // A packet identifier of 0: was never sent. Released: PUBREC came.
  const progress = { packetId: 0, inFlight: false, released: false, awaitsPubrel: false }
  return { message, qos, retain, identifiers, group, ...progress }
}

/** Whether a filter matches (MQTT 5, section 4.7). */
function matches(filter: string, topic: string): boolean {
  const levels = filter.split('/')
  const names = topic.split('/')
  if (topic.startsWith('$') && !filter.startsWith('$')) return false
  if (levels.at(-1) !== '#' && levels.length !== names.length) return false
  return levels.every((level, place) => ['#', names[place]].includes(level) || (level === '+' && place < names.length))
}
