import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createBroker } from '../../src/index.ts'
import type { Broker, BrokerOptions } from '../../src/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import type { ReceivedPacket } from '../support/wire-reader.ts'
import {
  ackPacket,
  connectPacket,
  disconnectPacket,
  PINGREQ,
  publishPacket,
  subscribePacket,
  unsubscribePacket,
} from '../support/wire-writer.ts'
import type { PublishOptions } from '../support/wire-writer.ts'
import { isLarge, isShared } from './action.ts'
import type { Action, ClientName, ModelWill } from './action.ts'
import { ExpectedAnswers } from './expected-answers.ts'
import { ModelClient } from './model-client.ts'
import { publishText } from './packet-text.ts'
import { NEVER, ReferenceBroker } from './reference-broker.ts'
import type { ModelSession, Publication } from './reference-broker.ts'

const WINDOW = 8
const UNRELEASED_MAX = 3
const NEVER_EXPIRES = 0xffff_ffff
const ALIASES_MAX = 3
const PADDING = '.'.repeat(32)
/** Added to the identifier of what is shared. */
const SHARED_IDENTIFIER = 11
const UNKNOWN_IDENTIFIER = 60_000
const QUIET_TURNS = 3
const PATIENCE_MS = 1000

export interface World {
  readonly onDisk: boolean
  readonly areHooksSlow: boolean
  readonly hooks: BrokerOptions
}

/** Lets a broker and the reference broker do the same and compares what the clients see; throws at a difference. */
export class SequenceRun {
  private readonly world: World
  private readonly clock = new FakeClock()
  private readonly startedAt = this.clock.now()
  private readonly reference = new ReferenceBroker()
  private readonly clients = new Map<ClientName, ModelClient>()
  private readonly answers = new ExpectedAnswers()
  private readonly identifiers = new Map<string, number>()
  /** QoS 2 messages that a client has not yet released, by packet identifier: as long as its session. */
  private readonly unreleased = new Map<string, Map<number, PublishOptions>>()
  private readonly unsettled = new Set<string>()
  private broker: Broker | undefined
  private folder: string | undefined
  private activity = 0
  private payloads = 0

  constructor(world: World) {
    this.world = world
  }

  async run(actions: readonly Action[]): Promise<void> {
    try {
      if (this.world.onDisk) this.folder = await mkdtemp(join(tmpdir(), 'sluice-model-'))
      this.broker = await this.start()
      for (const action of actions) await this.step(action)
      await this.settle()
    } finally {
      for (const client of this.clients.values()) client.drop()
      await this.broker?.close()
      if (this.folder !== undefined) await rm(this.folder, { recursive: true })
    }
  }

  private start(): Promise<Broker> {
    const { folder, clock, world } = this
    const store: BrokerOptions = folder === undefined ? { memory: true } : { data: folder, durability: 'os' }
    const limits = {
      inflightMessagesMax: WINDOW,
      sessionExpirySecondsMax: NEVER_EXPIRES,
      topicAliasMax: ALIASES_MAX,
    }
    return createBroker({ ...store, clock, limits, sys: { intervalSeconds: 0 }, ...world.hooks })
  }

  private async step(action: Action): Promise<void> {
    const who = 'who' in action ? action.who : undefined
    if (!this.followsAtOnce(action) || who === undefined || this.unsettled.has(who)) await this.settle()
    if (action.do === 'pass') return this.pass(action.seconds)
    if (action.do === 'restart') return this.restart(action.seconds)
    if (action.do === 'connect') return this.connect(action)
    const client = this.clients.get(action.who)
    const session = this.reference.sessions.get(action.who)
    if (client === undefined || session === undefined) return
    switch (action.do) {
      case 'disconnect':
        return this.disconnect(client, session, action)
      case 'subscribe':
        this.subscribe(client, session, action)
        break
      case 'unsubscribe': {
        const packetId = this.nextIdentifier(action.who)
        const code = this.reference.unsubscribe(session, action.filter)
        client.send(unsubscribePacket(client.version, packetId, [action.filter]))
        this.answers.expect(client, `unsuback ${packetId} [${client.version === 5 ? code : ''}]`)
        break
      }
      case 'publish':
        await this.publish(client, action)
        if (this.followsAtOnce(action)) {
          this.unsettled.add(action.who)
          return
        }
        break
      case 'acknowledge':
        this.acknowledge(client, session, action.which, action.refuse)
        break
      case 'acknowledge all':
        while (this.acknowledge(client, session, 0, false)) await this.settle()
        return
      case 'repeat': {
        const [packetId, options] = [...this.unreleasedOf(action.who)][action.which] ?? []
        if (packetId === undefined) return
        client.send(publishPacket(client.version, { ...options, packetId, dup: true }))
        this.answers.expect(client, `pubrec ${packetId} 0`)
        break
      }
      case 'release':
        this.release(client, action.who, [...this.unreleasedOf(action.who).keys()][action.which] ?? UNKNOWN_IDENTIFIER)
    }
    await this.settle()
  }

  /**
   * A group's state has to be known before, and the order in which messages come where one is too large and may be gone
   * at its turn; and hooks that take their time let one client overtake another.
   */
  private followsAtOnce(action: Action): boolean {
    if (action.do !== 'publish' || !action.atOnce || isLarge(action)) return false
    return !isShared(action.topic) && !this.world.areHooksSlow
  }

  private async connect(action: Action & { do: 'connect' }): Promise<void> {
    const { who, version, clean, receiveMaximum, aliases, packetBytesMax, will } = action
    const five = version === 5
    const before = this.clients.get(who)
    if (before !== undefined && before.version === 5) this.answers.expect(before, 'disconnect 142')
    const ends = duplexPair()
    const client = new ModelClient(ends, action, () => this.activity++)
    this.broker?.handle(ends[1])
    const publication = will === undefined ? undefined : this.willOf(who, will, five)
    const delay = five ? (will?.delay ?? 0) : 0
    client.send(
      connectPacket({
        version,
        clientId: who,
        clean,
        will:
          publication === undefined
            ? undefined
            : { ...publication, properties: { ...publication.properties, willDelayInterval: delay } },
        properties: {
          sessionExpiryInterval: action.expiry,
          receiveMaximum,
          topicAliasMaximum: aliases,
          ...(packetBytesMax > 0 ? { maximumPacketSize: packetBytesMax } : {}),
        },
      }),
    )
    const expirySeconds = five ? action.expiry : clean ? 0 : NEVER_EXPIRES
    const present = this.reference.connect(who, clean, {
      client: {
        version,
        window: five ? Math.min(receiveMaximum, WINDOW) : WINDOW,
        packetBytesMax: five && packetBytesMax > 0 ? packetBytesMax : NEVER,
      },
      expirySeconds: secondsOf(expirySeconds),
      will: publication === undefined ? undefined : { publication, delaySeconds: delay },
    })
    if (!present) this.unreleased.set(who, new Map())
    // 3.1 has no such bit in CONNACK.
    this.answers.expect(client, `connack ${present && version > 3 ? 'present' : 'new'} 0`)
    this.clients.set(who, client)
    await this.settle()
    if (before?.isClosed === false) throw new Error(`the connection of ${who} that was taken over is still open`)
  }

  private async disconnect(
    client: ModelClient,
    session: ModelSession,
    { who, how, expiry }: Action & { do: 'disconnect' },
  ): Promise<void> {
    const withWill = how === 'abruptly' || (how === 'with will' && client.version === 5)
    if (how === 'abruptly') client.drop()
    else if (client.version === 5) {
      const changes = expiry !== undefined && session.expirySeconds !== 0
      client.send(disconnectPacket(withWill ? 4 : 0, changes ? { sessionExpiryInterval: expiry } : {}))
      if (changes) session.expirySeconds = secondsOf(expiry)
    } else client.send(disconnectPacket())
    this.clients.delete(who)
    this.reference.leave(session, withWill)
    await this.settle()
    if (!client.isClosed) throw new Error(`the connection of ${who} is still open after DISCONNECT`)
  }

  private subscribe(client: ModelClient, session: ModelSession, action: Action & { do: 'subscribe' }): void {
    const { who } = action
    const five = client.version === 5
    const packetId = this.nextIdentifier(who)
    const isOfGroup = action.requests.some((one) => one.filter.startsWith('$share/'))
    const identifier = five ? action.identifier + (isOfGroup ? SHARED_IDENTIFIER : 0) : 0
    const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 }
    const requests = action.requests.map((one) => ({ ...one, ...(five ? {} : plain), identifier }))
    const properties = identifier > 0 ? { subscriptionIdentifiers: [identifier] } : {}
    client.send(subscribePacket(client.version, packetId, requests, properties))
    this.answers.expect(client, `suback ${packetId} [${requests.map((one) => one.qos).join()}]`)
    for (const request of requests) this.reference.subscribe(session, request)
  }

  private async publish(client: ModelClient, action: Action & { do: 'publish' }): Promise<void> {
    const { who, topic, qos, retain, empty, alias, count } = action
    const five = client.version === 5
    const packets: Buffer[] = []
    const sent: number[] = []
    const unreleased = this.unreleasedOf(who)
    for (let i = 0; i < count; i++) {
      const packetId = qos === 0 ? 0 : this.nextIdentifier(who)
      const payload = empty ? '' : `${who} ${this.payloads++}${isLarge(action) ? PADDING : ''}`
      const publication = { topic, payload, qos, retain, properties: five ? propertiesOf(action) : {} }
      const named = five && alias > 0 ? client.withAlias(alias, publication) : publication
      packets.push(publishPacket(client.version, { ...named, packetId }))
      const code = this.reference.publish(who, publication)
      if (qos > 0) this.answers.expect(client, `${qos === 1 ? 'puback' : 'pubrec'} ${packetId} ${five ? code : 0}`)
      if (qos === 2) unreleased.set(packetId, publication)
      sent.push(packetId)
    }
    client.send(...packets)
    if (qos === 0) {
      // Tells that the messages have passed the hooks.
      client.send(PINGREQ)
      this.answers.expect(client, 'pingresp 0 0')
    }
    if (qos !== 2 || (!action.release && unreleased.size <= UNRELEASED_MAX)) return
    await this.settle()
    for (const packetId of sent) this.release(client, who, packetId)
  }

  private release(client: ModelClient, who: string, packetId: number): void {
    const isKnown = this.unreleasedOf(who).delete(packetId)
    client.send(ackPacket('pubrel', packetId))
    this.answers.expect(client, `pubcomp ${packetId} ${isKnown || client.version < 5 ? 0 : 0x92}`)
  }

  /** False: nothing is to be acknowledged. */
  private acknowledge(client: ModelClient, session: ModelSession, which: number, refuse: boolean): boolean {
    const open = session.sent.filter((one) => one.inFlight)
    const entry = open[which % Math.max(1, open.length)]
    if (entry === undefined) return false
    const refuses = refuse && client.version === 5 && !entry.released
    const type = entry.released ? 'pubcomp' : entry.qos === 1 ? 'puback' : 'pubrec'
    client.send(ackPacket(type, entry.packetId, refuses ? 0x83 : undefined))
    this.reference.acknowledge(session, entry, refuses)
    return true
  }

  private async pass(seconds: number): Promise<void> {
    const end = this.reference.now + seconds
    for (let next = this.reference.nextDue(); next <= end; next = this.reference.nextDue()) await this.passTo(next)
    await this.passTo(end)
  }

  private async passTo(time: number): Promise<void> {
    await this.clock.advance(this.startedAt + time * 1000 - this.clock.now())
    this.reference.passTo(time)
    await this.settle()
  }

  private async restart(seconds: number): Promise<void> {
    const entries = [...this.reference.sessions.values()].flatMap((session) => session.sent)
    // Who gets what from whom while all of a group leave is open, so that they leave before.
    if (this.clients.size > 1 && entries.some((entry) => entry.group !== undefined)) {
      for (const who of [...this.clients.keys()]) await this.step({ do: 'disconnect', who, how: 'abruptly' })
    }
    const clients = [...this.clients]
    this.reference.stop()
    await this.broker?.close()
    for (const [, client] of clients) if (client.version === 5) this.answers.expect(client, 'disconnect 139')
    for (let turn = 0; turn < QUIET_TURNS; turn++) await nextTurn()
    this.readAll()
    for (const [who, client] of clients) {
      if (!client.isClosed) throw new Error(`the connection of ${who} is still open after the end of the broker`)
      this.reference.leave(this.reference.sessions.get(who) as ModelSession, true)
    }
    this.clients.clear()
    await this.clock.advance(seconds * 1000)
    this.broker = await this.start()
    this.reference.passTo(this.reference.now + seconds)
    // What has ended meanwhile ends with the first second.
    await this.pass(1)
  }

  private willOf(who: string, { qos, retain, expiry, contentType }: ModelWill, five: boolean): Publication {
    const properties = five ? propertiesOf({ expiry, contentType }) : {}
    return { topic: `a/w${who}`, payload: `will ${this.payloads++}`, qos, retain, properties }
  }

  private unreleasedOf(who: string): Map<number, PublishOptions> {
    return this.unreleased.get(who) ?? new Map()
  }

  private nextIdentifier(who: string): number {
    const packetId = ((this.identifiers.get(who) ?? 0) % 50_000) + 1
    this.identifiers.set(who, packetId)
    return packetId
  }

  /** Waits until nothing moves any more, longer where something is missing. */
  private async settle(): Promise<void> {
    this.unsettled.clear()
    const patience = Date.now() + PATIENCE_MS
    for (;;) {
      const before = this.activity
      if (this.folder !== undefined) await this.broker?.store.commit.flush()
      for (let turn = 0; turn < QUIET_TURNS; turn++) await nextTurn()
      if (this.activity !== before) continue
      this.readAll()
      const missing = [...this.answers.missing(), ...this.reference.missing()]
      if (missing.length === 0) return
      if (Date.now() > patience) throw new Error(`missing: ${missing.join('; ')}`)
    }
  }

  private readAll(): void {
    for (const client of new Set([...this.answers.clients(), ...this.clients.values()])) {
      const [who] = [...this.clients].find(([, one]) => one === client) ?? []
      for (const packet of client.takeAll()) this.compare(client, who, packet)
      if (who !== undefined && client.isClosed && !this.answers.isExpected(client) && this.broker?.closed === false) {
        throw new Error(`the broker closed the connection of ${who}`)
      }
    }
  }

  private compare(client: ModelClient, who: string | undefined, packet: ReceivedPacket): void {
    if (packet.type === 'publish' || packet.type === 'pubrel') {
      const session = this.reference.sessions.get(who ?? '')
      const problem = session === undefined ? 'is for nobody' : this.reference.take(session, packet)
      if (problem === undefined) return
      const seen = packet.type === 'publish' ? publishText(packet) : `PUBREL ${packet.packetId}`
      throw new Error(`${who}: ${seen} ${problem}`)
    }
    const problem = this.answers.take(client, packet)
    if (problem !== undefined) throw new Error(`${who}: ${problem}`)
  }
}

function secondsOf(expiry: number): number {
  return expiry === NEVER_EXPIRES ? NEVER : expiry
}

function propertiesOf({ expiry, contentType }: { expiry: number; contentType: boolean }): Publication['properties'] {
  return {
    ...(expiry > 0 ? { messageExpiryInterval: expiry } : {}),
    ...(contentType ? { contentType: 'text' } : {}),
  }
}
