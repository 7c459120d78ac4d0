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
import type { Action, ClientName } from './action.ts'
import { ExpectedAnswers } from './expected-answers.ts'
import { ModelClient } from './model-client.ts'
import { ReferenceBroker } from './reference-broker.ts'
import { NEVER } from './state.ts'
import type { ModelSession } from './state.ts'

const WINDOW = 8
const UNRELEASED_MAX = 3
const UNKNOWN_IDENTIFIER = 60_000
const QUIET_TURNS = 3
const PATIENCE_MS = 300

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
    const limits = { inflightMessagesMax: WINDOW }
    return createBroker({ ...store, clock, limits, sys: { intervalSeconds: 0 }, ...world.hooks })
  }

  private async step(action: Action): Promise<void> {
    const who = 'who' in action ? action.who : undefined
    if (!this.followsAtOnce(action) || who === undefined || this.unsettled.has(who)) await this.settle()
    if (action.do === 'pass') return this.pass(action.seconds)
    if (action.do === 'restart') return this.restart()
    if (action.do === 'connect') return this.connect(action)
    const client = this.clients.get(action.who)
    const session = this.reference.sessions.get(action.who)
    if (client === undefined || session === undefined) return
    switch (action.do) {
      case 'disconnect':
        return this.disconnect(client, session, action)
      case 'subscribe':
        this.subscribe(client, action)
        break
      case 'unsubscribe': {
        const packetId = this.nextIdentifier(action.who)
        const code = this.reference.unsubscribe(action.who, action.filter)
        client.send(unsubscribePacket(client.version, packetId, [action.filter]))
        this.answers.expect(client, `unsuback ${packetId} [${client.version === 5 ? code : ''}]`)
        break
      }
      case 'publish':
        await this.publish(client, session, action)
        if (this.followsAtOnce(action)) {
          this.unsettled.add(action.who)
          return
        }
        break
      case 'acknowledge':
        this.acknowledge(client, action.who, action.which, action.refuse)
        break
      case 'acknowledge all':
        while (this.acknowledge(client, action.who, 0, false)) await this.settle()
        return
      case 'repeat': {
        const [packetId, options] = [...session.incoming][action.which] ?? []
        if (packetId === undefined) return
        client.send(publishPacket(client.version, { ...options, packetId, dup: true }))
        this.answers.expect(client, `pubrec ${packetId} 0`)
        break
      }
      case 'release':
        this.release(client, session, [...session.incoming.keys()][action.which] ?? UNKNOWN_IDENTIFIER)
    }
    await this.settle()
  }

  /** A group's state has to be known before, and hooks that take their time let one client overtake another. */
  private followsAtOnce(action: Action): boolean {
    return action.do === 'publish' && action.atOnce && !/^[qr]/.test(action.topic) && !this.world.areHooksSlow
  }

  private async connect(action: Action & { do: 'connect' }): Promise<void> {
    const { who, version, clean, receiveMaximum, aliases, will } = action
    const five = version === 5
    const before = this.clients.get(who)
    if (before !== undefined && before.version === 5) this.answers.expect(before, 'disconnect 142')
    const ends = duplexPair()
    const client = new ModelClient(ends, version, () => this.activity++)
    this.broker?.handle(ends[1])
    const topic = `a/w${who}`
    const payload = `will ${this.payloads++}`
    client.send(
      connectPacket({
        version,
        clientId: who,
        clean,
        will:
          will === undefined
            ? undefined
            : { ...will, topic, payload, properties: five ? { willDelayInterval: will.delay } : {} },
        properties: five ? { sessionExpiryInterval: action.expiry, receiveMaximum, topicAliasMaximum: aliases } : {},
      }),
    )
    const message = { topic, payload, publisher: who, contentType: undefined }
    const present = this.reference.connect(
      who,
      { version, window: five ? Math.min(receiveMaximum, WINDOW) : WINDOW },
      clean,
      five ? action.expiry : clean ? 0 : 7 * 24 * 3600,
      will === undefined
        ? undefined
        : { message: { ...message, ...will }, delaySeconds: five ? will.delay : 0, dueAt: NEVER },
    )
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
      if (changes) session.expirySeconds = expiry
    } else client.send(disconnectPacket())
    this.clients.delete(who)
    this.reference.leave(who, withWill)
    await this.settle()
    if (!client.isClosed) throw new Error(`the connection of ${who} is still open after DISCONNECT`)
  }

  private subscribe(client: ModelClient, action: Action & { do: 'subscribe' }): void {
    const { who } = action
    const five = client.version === 5
    const packetId = this.nextIdentifier(who)
    const identifier = five ? action.identifier : 0
    const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 }
    const requests = action.requests.map((one) => ({ ...one, ...(five ? {} : plain), identifier }))
    const properties = identifier > 0 ? { subscriptionIdentifiers: [identifier] } : {}
    client.send(subscribePacket(client.version, packetId, requests, properties))
    this.answers.expect(client, `suback ${packetId} [${this.reference.subscribe(who, requests).join()}]`)
  }

  private async publish(client: ModelClient, session: ModelSession, action: Action & { do: 'publish' }): Promise<void> {
    const { who, topic, qos, retain, empty, expiry, count } = action
    const five = client.version === 5
    const packets: Buffer[] = []
    const sent: number[] = []
    for (let i = 0; i < count; i++) {
      const packetId = qos === 0 ? 0 : this.nextIdentifier(who)
      const payload = empty ? '' : `${who} ${this.payloads++}`
      const contentType = five && action.contentType ? 'text' : undefined
      const seconds = five ? expiry : 0
      const options: PublishOptions = {
        topic,
        payload,
        qos,
        retain,
        packetId,
        properties: {
          ...(seconds > 0 ? { messageExpiryInterval: seconds } : {}),
          ...(contentType === undefined ? {} : { contentType }),
        },
      }
      packets.push(publishPacket(client.version, options))
      const expiresAt = seconds > 0 ? this.reference.now + seconds : 0
      const code = this.reference.publish({ topic, payload, qos, retain, publisher: who, expiresAt, contentType })
      if (qos > 0) this.answers.expect(client, `${qos === 1 ? 'puback' : 'pubrec'} ${packetId} ${five ? code : 0}`)
      if (qos === 2) session.incoming.set(packetId, options)
      sent.push(packetId)
    }
    client.send(...packets)
    if (qos === 0) {
      // Tells that the messages have passed the hooks.
      client.send(PINGREQ)
      this.answers.expect(client, 'pingresp 0 0')
    }
    if (qos !== 2 || (!action.release && session.incoming.size <= UNRELEASED_MAX)) return
    await this.settle()
    for (const packetId of sent) this.release(client, session, packetId)
  }

  private release(client: ModelClient, session: ModelSession, packetId: number): void {
    const isKnown = session.incoming.delete(packetId)
    client.send(ackPacket('pubrel', packetId))
    this.answers.expect(client, `pubcomp ${packetId} ${isKnown || client.version < 5 ? 0 : 0x92}`)
  }

  /** False: nothing is to be acknowledged. */
  private acknowledge(client: ModelClient, who: string, which: number, refuse: boolean): boolean {
    const open = this.reference.open(who)
    const entry = open[which % Math.max(1, open.length)]
    if (entry === undefined) return false
    const refuses = refuse && client.version === 5 && !entry.released
    const type = entry.released ? 'pubcomp' : entry.qos === 1 ? 'puback' : 'pubrec'
    client.send(ackPacket(type, entry.packetId, refuses ? 0x83 : undefined))
    this.reference.acknowledge(who, entry, refuses)
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

  private async restart(): Promise<void> {
    // Who gets what from whom while all of a group leave is open, so that they leave before.
    if (this.reference.groups.size > 0) {
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
      this.reference.leave(who, true)
    }
    this.clients.clear()
    this.broker = await this.start()
    await this.settle()
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
      const problem = who === undefined ? 'came on a connection that is over' : this.reference.take(who, packet)
      if (problem === undefined) return
      const { type, topic, payload, qos, retain, dup, packetId } = packet
      const seen = `${type} ${topic} '${payload}' QoS ${qos}${retain ? ' retain' : ''}${dup ? ' dup' : ''} ${packetId}`
      throw new Error(`${who}: ${seen} ${JSON.stringify(packet.properties)} ${problem}`)
    }
    const problem = this.answers.take(client, packet)
    if (problem !== undefined) throw new Error(`${who}: ${problem}`)
  }
}
