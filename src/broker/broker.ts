import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Aedes, type AedesOptions, type Client } from 'aedes'
import { type Clock, systemClock } from '../base/clock.ts'
import { type Log, silentLog } from '../base/log.ts'
import { configFromOptions } from '../config/options.ts'
import type { Config } from '../config/schema.ts'
import type { Transport } from '../listener/transport.ts'
import type { Message } from '../message/message.ts'
import { QUEUE_PREFIX } from '../message/queue-topic.ts'
import { levelCount, topicNameProblem } from '../message/topic.ts'
import type { Route } from '../router/destination.ts'
import { NamedQueues } from '../queue/named-queues.ts'
import { Queues, type QueuesOptions } from '../queue/queues.ts'
import { Router } from '../router/router.ts'
import { emptyMemoryStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { fromAedesPacket, type LoosePacket, toAedesPacket } from './aedes-packet.ts'
import './aedes-declarations.ts'
import { ConnectionMemory } from './connection-memory.ts'
import { Counters } from './counters.ts'
import { callHook } from './hooks.ts'
import { MqPort } from './ports/mq-port.ts'
import { PublishPipeline } from './publish-pipeline.ts'
import { Retained } from './retained.ts'
import { Wills } from './wills.ts'

export type Done = (error?: Error) => void

/** What a client of this broker has beyond aedes' own; the connection of `session/mqtt` is one. */
export interface BrokerClient extends Client {
  /** Ends the connection because the broker stops: DISCONNECT 0x8B to version 5. */
  shutDown(): void
}

/** The parts that `compose` puts together. */
export interface BrokerParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly router: Router
  readonly store: Store
}

export type ConnectionFactory = (transport: Transport, request: IncomingMessage | undefined) => BrokerClient
export type TransportFactory = (conn: Duplex) => Transport

const noop = (): void => {}

/** One address the broker listens on, as clients write it: `mqtt://127.0.0.1:1883`. */
export interface Address {
  readonly url: string
  readonly host: string
  readonly port: number
}

/**
 * Aedes with another engine: its hooks, events, client registry and `$SYS` life signs; the way of a message, the
 * router, the store, retained messages and wills are Sluice's.
 */
export class Broker extends Aedes {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly router: Router
  readonly store: Store
  readonly counters = new Counters()
  readonly connectionMemory: ConnectionMemory
  readonly retained: Retained
  readonly wills: Wills
  readonly pipeline: PublishPipeline
  /** Exchanges and named queues; `amq.topic` is the topics of this broker. */
  readonly queues: NamedQueues
  /** In the order of listening: MQTT over TCP, then WebSocket. */
  readonly addresses: Address[] = []
  /** How long a socket may take nothing before its connection is closed, as aedes' `drainTimeout`; 0: for ever. */
  readonly drainTimeoutMs: number
  private readonly lifeSignPrefix: string
  private readonly defaults: Pick<Broker, 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward' | 'published'>
  /** Set by `compose`: joins a broker with the sessions that only it knows. */
  static assemble: (broker: Broker) => void = () => {}
  private connectionFactory: ConnectionFactory | undefined
  private stops: (() => Promise<void> | void)[] = []
  private closing: Promise<void> | undefined

  /**
   * With aedes' options alone: a broker in memory without listeners, as `new Aedes(options)`, to be followed by
   * `listen()`. `createBroker` is the better way.
   */
  constructor(options: AedesOptions = {}, parts: BrokerParts = memoryParts()) {
    const mq = new MqPort(parts.router)
    super({ ...options, mq: options.mq ?? mq })
    mq.useNumbering(this)
    const plain = new Aedes()
    this.defaults = {
      authorizePublish: options.authorizePublish === undefined ? this.authorizePublish : plain.authorizePublish,
      authorizeSubscribe: options.authorizeSubscribe === undefined ? this.authorizeSubscribe : plain.authorizeSubscribe,
      authorizeForward: options.authorizeForward === undefined ? this.authorizeForward : plain.authorizeForward,
      published: options.published === undefined ? this.published : plain.published,
    }
    this.config = parts.config
    this.clock = parts.clock
    this.log = parts.log
    this.router = parts.router
    this.store = parts.store
    const { retainedMessagesMax, retainedBytesMax } = parts.config.limits
    this.retained = new Retained(parts.store, parts.clock, {
      messagesMax: retainedMessagesMax,
      bytesMax: retainedBytesMax,
    })
    this.connectionMemory = new ConnectionMemory(parts.config.limits.connectionMemoryBytesMax)
    this.wills = new Wills(parts.store, parts.clock, parts.log, this.connectionMemory)
    this.pipeline = new PublishPipeline(this.retained, this)
    this.queues = new NamedQueues(new Queues(queueOptions(parts)))
    this.queues.engine.toTopics = (message, route) => this.pipeline.dispatch(message, route)
    // An emitter of the user's own hears everything, as it would in aedes; it routes nothing to clients here.
    if (options.mq !== undefined) {
      this.pipeline.mirror = (message) => options.mq.emit(toAedesPacket(message, this, this.clock.now()), noop)
    }
    const { limits } = parts.config
    this.connectTimeout = options.connectTimeout ?? limits.connectTimeoutMs
    this.drainTimeoutMs = options.drainTimeout ?? 0
    if (options.maxInflightInbound === undefined) this.maxInflightInbound = limits.inflightMessagesMax
    if (options.maxTopicLevels === undefined) this.maxTopicLevels = limits.topicLevelsMax
    this.lifeSignPrefix = `$SYS/${this.id}/`
  }

  /** True while nobody looks at single publishes, so that they need not become objects for hooks and events. */
  get publishIsPlain(): boolean {
    return (
      this.authorizePublish === this.defaults.authorizePublish &&
      this.published === this.defaults.published &&
      this.listenerCount('publish') === 0 &&
      this.pipeline.mirror === undefined &&
      this.publish === Broker.prototype.publish
    )
  }

  get subscribeIsHooked(): boolean {
    return this.authorizeSubscribe !== this.defaults.authorizeSubscribe
  }

  get forwardIsHooked(): boolean {
    return this.authorizeForward !== this.defaults.authorizeForward
  }

  /** Somebody put a function of their own in the place of `publish`, which clients' messages then go through. */
  get publishIsReplaced(): boolean {
    return this.publish !== Broker.prototype.publish
  }

  /** Given once, by `compose`: who makes connections, and how a plain stream becomes a transport. */
  useConnections(connections: ConnectionFactory, transports: TransportFactory): void {
    this.connectionFactory = connections
    // An own property as in aedes, so that `net.createServer(broker.handle)` works unbound.
    this.handle = (conn: Duplex, request?: IncomingMessage): Client => this.accept(transports(conn), request)
  }

  /** Starts a connection on a transport that a listener accepted. */
  accept(transport: Transport, request?: IncomingMessage): BrokerClient {
    if (this.connectionFactory === undefined) Broker.assemble(this)
    if (this.connectionFactory === undefined) throw new Error('the broker has no connection factory')
    return this.connectionFactory(transport, request)
  }

  /** What `close()` has to stop, in the order of adding: listeners first, the store last. */
  onClose(stop: () => Promise<void> | void): void {
    this.stops.push(stop)
  }

  override async listen(): Promise<void> {
    if (this.connectionFactory === undefined) Broker.assemble(this)
    await super.listen()
  }

  /**
   * Publishes on behalf of the broker or of a client, as aedes' `publish`. `done` is called when every destination has
   * the message and it is as durable as the configuration promises; with an error when it was refused.
   */
  override publish(packet: LoosePacket, client?: Client | Done | null, done?: Done): void {
    const publisher = typeof client === 'function' || client === undefined ? null : client
    const answer = (typeof client === 'function' ? client : done) ?? noop
    const problem = this.topicProblem(packet.topic)
    if (problem !== undefined) {
      answer(new Error(problem))
      return
    }
    const message = fromAedesPacket(packet, publisher?.id ?? '', this.clock.now())
    message.isLifeSign = publisher === null && message.topic.startsWith(this.lifeSignPrefix)
    if (this.storeRefuses(message, this.router.route(message.topic))) {
      answer(new Error('the store cannot write at present'))
      return
    }
    this.route(message)
    this.announce(message, packet, publisher, (error) => {
      if (error) answer(error)
      else if (message.refusal !== 0) answer(new Error('a destination refused the message'))
      else this.whenCommitted(message.commitEpoch, answer)
    })
  }

  /** Sends a message on its way; see `PublishPipeline`. */
  route(message: Message): void {
    this.pipeline.dispatch(message, this.router.route(message.topic))
  }

  /** True while the store cannot write and the message would have to be in it before it may be acknowledged. */
  storeRefuses(message: Message, route: Route): boolean {
    if (message.qos === 0 || this.store.commit.failure === undefined) return false
    const retain = message.retain && !message.topic.startsWith(QUEUE_PREFIX)
    return retain || route.deliveries.some(({ qos, destination }) => qos > 0 && destination.stores === true)
  }

  /** Tells the `published` hook and the `publish` event, where anybody listens. `packet` as it came, if it exists. */
  announce(message: Message, packet: LoosePacket | undefined, client: Client | null, done: Done): void {
    const hooked = this.published !== this.defaults.published
    if (!hooked && this.listenerCount('publish') === 0) {
      done()
      return
    }
    const seen = packet ?? toAedesPacket(message, this, this.clock.now())
    if (hooked) {
      callHook<void>(
        this.clock,
        this.config.limits.hookTimeoutMs,
        'published',
        (callback) => this.published(seen as never, client as Client, callback),
        (error) => (error === null ? done() : done(error)),
      )
    } else done()
    // After the turn's own work: who publishes and then listens still hears of it.
    queueMicrotask(() => this.emit('publish', seen, client))
  }

  /**
   * Publishes a will for a client that is gone, if `authorizePublish` lets it; `done` is called when it is on its way,
   * or refused.
   */
  publishWill(clientId: string, message: Message, done: () => void): void {
    const client = this.clients[clientId] ?? null
    const now = this.clock.now()
    const packet = toAedesPacket(message, this, now)
    callHook<void>(
      this.clock,
      this.config.limits.hookTimeoutMs,
      'authorizePublish',
      (callback) => this.authorizePublish(client, packet, callback),
      (error) => {
        if (error === null) {
          const permitted = fromAedesPacket(packet, clientId, now, message)
          this.route(permitted)
          this.announce(permitted, packet, client, noop)
        } else {
          this.counters.publishRefused++
          this.log.info({ clientId, topic: message.topic, reason: error.message }, 'a will was refused')
        }
        done()
      },
    )
  }

  /** Calls `answer` as soon as the commit with this number is done; at once when nothing was to be stored. */
  whenCommitted(epoch: number, answer: Done): void {
    if (epoch <= this.store.commit.committedEpoch) answer()
    else this.store.commit.wait({ committed: () => answer() })
  }

  /** Why a topic name cannot be published to, or undefined. */
  topicProblem(topic: string): string | undefined {
    if (typeof topic !== 'string') return 'the topic must be a string'
    if (levelCount(topic) > this.maxTopicLevels) return 'topic has too many levels'
    const problem = topicNameProblem(topic)
    return problem === undefined ? undefined : `the topic name ${problem}`
  }

  // aedes looks a client up by its identifier only; a connection that was taken over must not remove its successor.
  override registerClient(client: Client): void {
    this._finishRegisterClient(client)
    const { counters } = this
    if (this.connectedClients > counters.clientsConnectedMax) counters.clientsConnectedMax = this.connectedClients
  }

  override unregisterClient(client: Client): void {
    if (this.clients[client.id] === client) super.unregisterClient(client)
  }

  /**
   * Stops: listeners, then the clients (DISCONNECT 0x8B for version 5, wills as the standard says), then the store.
   * Further calls wait for the first.
   */
  override close(done: Done = noop): Promise<void> {
    this.closing ??= this.stop()
    const closing = this.closing
    closing.then(() => done(), done)
    return closing
  }

  private async stop(): Promise<void> {
    const [stopListening, ...others] = this.stops
    this.closed = true
    const stopped = stopListening?.()
    const clients = Object.values(this.clients) as BrokerClient[]
    for (const client of clients) if (!client.closed && 'shutDown' in client) client.shutDown()
    clearInterval(this._heartbeatInterval)
    clearInterval(this._clearWillInterval)
    for (const client of Object.values(this.clients)) client.close()
    await stopped
    this.emit('closed')
    await new Promise<void>((resolve) => (this.mq as MqPort).close(resolve))
    this.wills.close()
    this.retained.close()
    for (const stop of others) await stop()
  }
}

function queueOptions({ config, store, router }: BrokerParts): QueuesOptions {
  const { limits, topics } = config
  const { queuesMax, exchangesMax, bindingsMax } = limits
  return {
    store,
    router,
    conversion: topics.conversion,
    queuesMax,
    exchangesMax,
    bindingsMax,
    stored: { messagesMax: limits.storedQueueMessagesMax, bytesMax: limits.storedQueueBytesMax },
    transient: { messagesMax: limits.transientQueueMessagesMax, bytesMax: limits.transientQueueBytesMax },
  }
}

function memoryParts(): BrokerParts {
  const config = configFromOptions({ memory: true })
  return { config, clock: systemClock, log: silentLog, router: new Router(), store: emptyMemoryStore() }
}
