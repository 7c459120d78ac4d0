import type { AedesOptions } from 'aedes'
import { systemClock, type Clock } from './base/clock.ts'
import { UsageError } from './base/errors.ts'
import { type Log, silentLog } from './base/log.ts'
import { Broker } from './broker/broker.ts'
import { compose } from './compose.ts'
import { configFromOptions, type LibraryOptions } from './config/options.ts'
import type { EnhancedAuthenticator } from './session/mqtt/enhanced-authentication.ts'

export { SluiceError, UsageError } from './base/errors.ts'
export type { Clock } from './base/clock.ts'
export type { Log } from './base/log.ts'
export { type Address, Broker } from './broker/broker.ts'
export type { Counters } from './broker/counters.ts'
export type { BasicProperties } from './message/basic-properties.ts'
export type { FieldTable, FieldValue } from './message/field-table.ts'
export type { PlainTable, PlainValue } from './message/plain-table.ts'
export type { QueueArguments } from './message/queue-arguments.ts'
export type { MessageHandler } from './queue/handler-receiver.ts'
export type { MessageStream } from './queue/message-stream.ts'
export type {
  BindingSource,
  ConsumeOptions,
  ExchangeOptions,
  NamedQueues,
  Payload,
  QueueConsumer,
  QueueOptions,
} from './queue/named-queues.ts'
export type { PublishOptions } from './queue/publish-options.ts'
export { QueueError, type ReplyCode } from './queue/queue-error.ts'
export type { QueueMessage, ReceivedMessage } from './queue/queue-message.ts'
export type { QueueCounters, QueueStats } from './queue/queue-stats.ts'
export type { Config } from './config/schema.ts'
export type { LibraryOptions } from './config/options.ts'
export type {
  AuthenticationExchange,
  AuthenticationStep,
  EnhancedAuthenticator,
} from './session/mqtt/enhanced-authentication.ts'
export type { Client, ConnectPacket, PublishPacket, Subscription } from 'aedes'

/** aedes' options that Sluice has a place for; its own `mq` and `persistence` take the place of theirs. */
type AedesPart = Omit<AedesOptions, 'decodeProtocol' | 'trustProxy' | 'trustedProxies'>

const AEDES_OPTIONS = new Set([
  'mq',
  'id',
  'persistence',
  'concurrency',
  'heartbeatInterval',
  'connectTimeout',
  'drainTimeout',
  'keepaliveLimit',
  'queueLimit',
  'maxInflightInbound',
  'maxClientsIdLength',
  'maxTopicLevels',
  'decodeProtocol',
  'trustProxy',
  'trustedProxies',
  'preConnect',
  'authenticate',
  'authorizePublish',
  'authorizeSubscribe',
  'authorizeForward',
  'published',
])

function unknownOption(name: string): UsageError {
  return new UsageError('OPTION_UNKNOWN', `option ${name}: there is no such option; docs/library.md has them all`)
}

/** Everything that `createBroker` takes: listeners, storage, limits, and the hooks and options of aedes. */
export interface BrokerOptions extends LibraryOptions, AedesPart {
  /** Where log lines go; left out: nowhere. pino's logger fits. */
  readonly log?: Log
  /** Where the time comes from; for tests that do not want to wait. */
  readonly clock?: Clock
  /** Authentication methods of MQTT 5 (section 4.12). */
  readonly authenticators?: readonly EnhancedAuthenticator[]
}

/**
 * Starts a broker in this process. Resolves when every listener that was asked for is ready; `broker.addresses` says
 * where. Throws UsageError for options that are wrong and SluiceError when it cannot start.
 *
 *     const broker = await createBroker({ memory: true, mqtt: { port: 0 } })
 *     …
 *     await broker.close()
 */
export function createBroker(options: BrokerOptions = {}): Promise<Broker> {
  const {
    memory,
    data,
    durability,
    mqtt,
    http,
    responseTopicPrefix,
    sys,
    topics,
    limits,
    exchanges,
    queues,
    log = silentLog,
    clock = systemClock,
    authenticators,
    ...aedes
  } = options
  const own: Record<string, unknown> = {
    memory,
    data,
    durability,
    mqtt,
    http,
    responseTopicPrefix,
    sys,
    topics,
    limits,
    exchanges,
    queues,
  }
  for (const name of Object.keys(own)) if (own[name] === undefined) delete own[name]
  for (const name of Object.keys(aedes)) if (!AEDES_OPTIONS.has(name)) throw unknownOption(name)
  const config = configFromOptions(own as LibraryOptions)
  return compose({ config, log, clock, aedes: aedes as AedesOptions, authenticators })
}

// aedes' own way to make a broker: in memory, without listeners, streams are handed to `broker.handle`.
Broker.createBroker = (options?: AedesOptions) => createBroker({ memory: true, ...options })
