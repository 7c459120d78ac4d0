import { z } from 'zod'

const MIB = 1024 * 1024

/** A whole number with its default; the unit is the end of the key's name (Bytes, Seconds, Ms), otherwise a count. */
function limit(byDefault: number, minimum: number, maximum: number) {
  return z.int().min(minimum).max(maximum).default(byDefault)
}

const COUNT_MAX = 1_000_000_000

/** What to do with a message for a session whose offline queue is full. */
export const queueOverflow = z.enum(['drop-oldest', 'drop-newest', 'reject-publish'])

/**
 * Everything from outside has a limit. What a client sees beyond each one stands in `docs/limits.md`; a test holds the
 * two together.
 */
export const limitsSchema = z.strictObject({
  /** Largest packet after CONNECT, header included; the protocol itself ends at 268,435,460 (MQTT 5, 2.1.4). */
  packetBytesMax: limit(10 * MIB, 128, 268_435_460),
  /** Largest CONNECT. Client identifier, user name, password and will topic may have 65,535 bytes each. */
  connectPacketBytesMax: limit(256 * 1024, 128, 268_435_460),
  connectTimeoutMs: limit(10_000, 100, 3_600_000),
  clientIdBytesMax: limit(65_535, 1, 65_535),
  /** Topic, properties and payload of a will together: the broker keeps it as long as the client is there. */
  willBytesMax: limit(128 * 1024, 0, 268_435_460),
  connectionsMax: limit(100_000, 1, COUNT_MAX),
  connectionsPerAddressMax: limit(20_000, 1, COUNT_MAX),
  /** New connections of all listeners; those beyond wait. */
  connectsPerSecondMax: limit(10_000, 1, COUNT_MAX),
  sessionsMax: limit(1_000_000, 1, COUNT_MAX),
  /** How long a 3.x session with clean session 0 outlives its connection, and the ceiling for what version 5 asks. */
  sessionExpirySecondsMax: limit(7 * 24 * 3600, 0, 0xffff_ffff),
  /** 65,535 is all the protocol can say: clients then choose freely. */
  keepAliveSecondsMax: limit(65_535, 1, 65_535),
  topicBytesMax: limit(65_535, 1, 65_535),
  topicLevelsMax: limit(100, 1, 65_535),
  subscriptionsPerClientMax: limit(10_000, 1, COUNT_MAX),
  /** Each subscription counts the bytes of its filter and 200 more. */
  subscriptionBytesPerClientMax: limit(4 * MIB, 256, Number.MAX_SAFE_INTEGER),
  /** The same for all clients together. */
  subscriptionBytesMax: limit(1024 * MIB, 256, Number.MAX_SAFE_INTEGER),
  /** Filters in one SUBSCRIBE or UNSUBSCRIBE. */
  filtersPerPacketMax: limit(10_000, 1, COUNT_MAX),
  /** Different `$share/name/filter`: each has a queue of its own. */
  sharedGroupsMax: limit(10_000, 0, COUNT_MAX),
  /** Receive Maximum that the broker announces, and the window of what it sends to a 3.x client. */
  inflightMessagesMax: limit(1024, 1, 32_767),
  /** What one connection publishes; 0: any number. */
  publishesPerSecondMax: limit(0, 0, COUNT_MAX),
  publishBytesPerSecondMax: limit(0, 0, Number.MAX_SAFE_INTEGER),
  queuedMessagesMax: limit(100_000, 1, COUNT_MAX),
  queuedBytesMax: limit(64 * MIB, 1024, Number.MAX_SAFE_INTEGER),
  /** Memory of the messages in all queues together. */
  queueMemoryBytesMax: limit(512 * MIB, 64 * 1024, Number.MAX_SAFE_INTEGER),
  queueOverflow: queueOverflow.default('drop-newest'),
  /** Bytes that wait for one connection's socket. */
  outboxBytesMax: limit(8 * MIB, 16 * 1024, Number.MAX_SAFE_INTEGER),
  /** What waits for all sockets, packets that have come in part, and wills, together. */
  connectionMemoryBytesMax: limit(512 * MIB, 64 * 1024, Number.MAX_SAFE_INTEGER),
  queuesMax: limit(100_000, 0, COUNT_MAX),
  exchangesMax: limit(10_000, 6, COUNT_MAX),
  bindingsMax: limit(1_000_000, 0, COUNT_MAX),
  /** What any one queue may hold that is on disk, whatever its own arguments say. */
  storedQueueMessagesMax: limit(100_000_000, 1, COUNT_MAX),
  storedQueueBytesMax: limit(1024 * 1024 * MIB, 1024, Number.MAX_SAFE_INTEGER),
  /** The same for a queue that is in memory alone: a transient one, and every one with durability `memory`. */
  transientQueueMessagesMax: limit(1_000_000, 1, COUNT_MAX),
  transientQueueBytesMax: limit(128 * MIB, 1024, Number.MAX_SAFE_INTEGER),
  retainedMessagesMax: limit(1_000_000, 0, COUNT_MAX),
  /** Topics, properties and payloads of all retained messages, which are kept in memory. */
  retainedBytesMax: limit(1024 * MIB, 0, Number.MAX_SAFE_INTEGER),
  userPropertiesMax: limit(1000, 0, 65_535),
  topicAliasMax: limit(64, 0, 65_535),
  /** How long a hook of the library may take to call back. */
  hookTimeoutMs: limit(30_000, 100, 3_600_000),
})

export type Limits = Readonly<z.output<typeof limitsSchema>>
