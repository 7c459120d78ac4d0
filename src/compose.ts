import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { AedesOptions } from 'aedes'
import { ControlServer } from './admin/control-server.ts'
import { queueCommands } from './admin/queue-commands.ts'
import { declareConfigured } from './admin/queue-declare.ts'
import { type Definitions, readDefinitions } from './admin/queue-definitions.ts'
import { storeBackup } from './admin/store-backup.ts'
import { type Clock, systemClock } from './base/clock.ts'
import type { Log } from './base/log.ts'
import { Broker } from './broker/broker.ts'
import { PersistencePort } from './broker/ports/persistence-port.ts'
import { SysTopics } from './broker/sys-topics.ts'
import type { Config } from './config/schema.ts'
import { ConnectRate } from './listener/connect-rate.ts'
import { ConnectionLimit } from './listener/connection-limit.ts'
import { descriptorShortage } from './listener/descriptors.ts'
import type { Listener } from './listener/listener.ts'
import { StreamTransport } from './listener/stream-transport.ts'
import type { Transport } from './listener/transport.ts'
import { Router } from './router/router.ts'
import { Connection } from './session/mqtt/connection.ts'
import type { EnhancedAuthenticator } from './session/mqtt/enhanced-authentication.ts'
import { GroupBacklogs } from './session/mqtt/group-backlogs.ts'
import { Flusher } from './session/mqtt/outbox.ts'
import { MqttSessionPort } from './session/mqtt/session-port.ts'
import { ReadingTurn } from './session/mqtt/reading-turn.ts'
import { Sessions } from './session/mqtt/sessions.ts'
import { PENDING_BYTES_MAX } from './store/group-commit.ts'
import { damaged } from './store/level/folder-errors.ts'
import { openStore } from './store/open-store.ts'
import type { Store } from './store/store.ts'

const FORGET_MS = 1000

export interface ComposeOptions {
  readonly config: Config
  readonly log: Log
  readonly clock?: Clock | undefined
  /** Hooks and options of aedes. */
  readonly aedes?: AedesOptions | undefined
  readonly authenticators?: readonly EnhancedAuthenticator[] | undefined
  /** An open store in the place of the one that the configuration names; closed with the broker. */
  readonly store?: Store | undefined
}

/** Version of the package, as `sluice --version` prints it. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** For the command line: a broker by its configuration. */
export async function startSluice(config: Config, log: Log): Promise<Broker> {
  const broker = await compose({ config, log })
  warnOfShortage(config, log)
  return broker
}

/**
 * Builds a broker from its parts and starts it: store, router, broker, sessions, then what the store held, then the
 * listeners, so that no client comes before its session is back. Throws SluiceError, with everything closed again.
 */
export async function compose(options: ComposeOptions): Promise<Broker> {
  const { config, log, clock = systemClock } = options
  const { durability } = config
  const definitions = readDefinitions(config)
  const store =
    options.store ??
    (await openStore(
      durability === 'memory' ? { durability, clock, log } : { durability, folder: config.data, clock, log },
    ))
  try {
    return await start(options, store, clock, definitions)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function start(options: ComposeOptions, store: Store, clock: Clock, definitions: Definitions): Promise<Broker> {
  const { config, log } = options
  const broker = new Broker(options.aedes, { config, clock, log, router: new Router(), store })
  const { sessions, backlogs } = assemble(broker, options.authenticators)
  const sys = new SysTopics(broker, sessions)
  watchStore(broker, () => sys.storeChanged())
  const stopForgetting = forgetRoutes(broker.router, clock)
  const listeners: Listener[] = []
  const control = new ControlServer(log)
  broker.onClose(async () => {
    sys.stop()
    stopForgetting()
    for (const listener of listeners) listener.stop()
  })
  broker.onClose(async () => {
    await Promise.all(listeners.map((listener) => listener.close()))
    await control.close()
    sessions.close()
    broker.queues.close()
    await store.close()
  })
  await recovering(config, async () => {
    await backlogs.recover()
    await sessions.recover()
    await broker.queues.recover()
    backlogs.forgetUnused()
    store.destroyUnclaimed()
    await broker.retained.recover()
  })
  try {
    declareConfigured(broker.queues.engine, config, definitions)
  } catch (error) {
    await broker.close()
    throw error
  }
  await broker.listen()
  await recovering(config, () =>
    broker.wills.recover((clientId, message, done) => broker.publishWill(clientId, message, done)),
  )
  if (config.durability !== 'memory' && options.store === undefined) {
    control.on('store.backup', storeBackup(store))
    for (const [name, command] of queueCommands(broker.queues.engine)) control.on(name, command)
    await control.listen(config.data)
  }
  try {
    await listen(broker, listeners)
  } catch (error) {
    await broker.close()
    throw error
  }
  sys.start(config.sys.intervalSeconds, packageVersion())
  return broker
}

/** Has the router forget what is not in use any more; returns what ends it. */
function forgetRoutes(router: Router, clock: Clock): () => void {
  let timer: unknown
  const again = (): void => {
    timer = clock.after(FORGET_MS, () => {
      router.forgetUnusedRoutes()
      again()
    })
  }
  again()
  return () => clock.clear(timer)
}

/** A record that cannot be read ends the start, with what to do about it. */
async function recovering(config: Config, read: () => Promise<void>): Promise<void> {
  try {
    await read()
  } catch (error) {
    if (config.durability === 'memory') throw error
    throw damaged(resolve(config.data), error instanceof Error ? error.message : String(error), error)
  }
}

/** Joins a broker with sessions, shared groups and aedes' persistence port. Nothing is read or started yet. */
function assemble(
  broker: Broker,
  authenticators: readonly EnhancedAuthenticator[] = [],
): { sessions: Sessions; backlogs: GroupBacklogs } {
  const { router, store } = broker
  const { queueMemoryBytesMax } = broker.config.limits
  store.queueMemory.bytesMax = queueMemoryBytesMax
  // What waits for the disk is memory too, and publishers are held back before their messages are refused.
  store.commit.pendingBytesMax = Math.min(PENDING_BYTES_MAX, queueMemoryBytesMax / 8)
  const backlogs = new GroupBacklogs(broker)
  router.openBacklog = (shareName, filter) =>
    backlogs.open(shareName, filter, () => router.sharedGroup(shareName, filter))
  const context = {
    broker,
    flusher: new Flusher(broker.counters),
    readingTurn: new ReadingTurn(() => broker.clock.now()),
    authenticators: new Map(authenticators.map((each) => [each.method, each])),
    sessions: undefined as unknown as Sessions,
  }
  const sessions = new Sessions(context)
  context.sessions = sessions
  broker.useConnections(
    (transport, request) => new Connection(context, transport, request),
    (conn) => new StreamTransport(conn),
  )
  broker.opts['persistence'] ??= new PersistencePort({
    retained: broker.retained,
    wills: broker.wills,
    sessions: new MqttSessionPort(sessions),
  })
  watchStore(broker)
  return { sessions, backlogs }
}

Broker.assemble = (broker) => void assemble(broker)

function watchStore(broker: Broker, changed: () => void = () => {}): void {
  const { commit } = broker.store
  commit.onFailure = (error) => {
    broker.counters.storeFailures++
    broker.log.error({ err: error }, 'the store cannot write: nothing is acknowledged until it can; is the disk full?')
    changed()
  }
  commit.onRecovery = () => {
    broker.log.info({}, 'the store writes again')
    changed()
  }
}

/** Counts refused connections, and tells of them once a second at most: whoever brings so many could fill the disk. */
function refusalReport({ clock, counters, log }: Broker): (fields: object, text: string) => void {
  let toldAtMs = 0
  return (fields, text) => {
    counters.connectionsRefused++
    const now = clock.now()
    if (now - toldAtMs < 1000) return
    toldAtMs = now
    log.warn({ ...fields, refused: counters.connectionsRefused }, text)
  }
}

/** As many connections as the configuration allows, or as there are descriptors for. */
function connectionLimit({ config }: Broker, report: (fields: object, text: string) => void): ConnectionLimit {
  const { connectionsMax, connectionsPerAddressMax } = config.limits
  const shortage = descriptorShortage(connectionsMax)
  return new ConnectionLimit(shortage?.connections ?? connectionsMax, {
    name: shortage === undefined ? 'connectionsMax' : 'open files',
    perAddressMax: connectionsPerAddressMax,
    onRefused: (address, limit) => report({ address, limit }, 'closed a connection: there are too many'),
  })
}

function warnOfShortage({ limits, mqtt, http }: Config, log: Log): void {
  const { connectionsMax } = limits
  const shortage = mqtt.enabled || http.enabled ? descriptorShortage(connectionsMax) : undefined
  if (shortage === undefined) return
  const { connections, openFilesMax } = shortage
  log.warn(
    { connections, connectionsMax, openFilesMax },
    `no more than ${connections} connections at once, and not ${connectionsMax} as limits.connectionsMax says: ` +
      `this process may open ${openFilesMax} files; raise that (ulimit -n, LimitNOFILE of systemd) or lower the limit`,
  )
}

// Loaded when asked for: a broker without WebSocket starts faster and smaller.
async function listen(broker: Broker, listeners: Listener[]): Promise<void> {
  const { mqtt, http, limits } = broker.config
  if (!mqtt.enabled && !http.enabled) return
  const report = refusalReport(broker)
  const onFault = (err: Error): void => report({ err }, 'the system could not hand over a connection')
  const limit = connectionLimit(broker, report)
  const rate = new ConnectRate(limits.connectsPerSecondMax, broker.clock, () => broker.counters.connectionsDelayed++)
  const accept = (transport: Transport): void => void broker.accept(transport, transport.request)
  if (mqtt.enabled) {
    const { listenTcp } = await import('./listener/tcp.ts')
    listeners.push(await listenTcp({ host: mqtt.host, port: mqtt.port, limit, rate, onFault, accept }))
  }
  if (http.enabled) {
    const { listenWebSocket } = await import('./listener/web-socket.ts')
    listeners.push(
      await listenWebSocket({
        host: http.host,
        port: http.port,
        limit,
        rate,
        onFault,
        accept,
        connectTimeoutMs: broker.connectTimeout,
        messageBytesMax: limits.packetBytesMax,
        earlyMessageBytesMax: limits.connectPacketBytesMax,
      }),
    )
  }
  for (const { url } of listeners) {
    const { hostname, port } = new URL(url)
    broker.addresses.push({ url, host: hostname, port: Number(port) })
  }
}
