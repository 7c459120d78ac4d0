import type { Duplex } from 'node:stream'

/**
 * What a test asks of the broker it starts. Only what every broker has, so that the same tests can run against
 * another one: `SLUICE_TEST_PEER=mosquitto npx vitest run test/flow` checks the tests themselves.
 */
export interface BrokerNeeds {
  /** Keeps its state over `restart()`. */
  persistent?: boolean
  /** User names and passwords; absent: everyone may connect. */
  users?: Record<string, string>
  /** Topic filter that nobody may publish to. */
  denyPublish?: string
  /** Topic filter that nobody may subscribe to. */
  denySubscribe?: string
  limits?: Partial<Limits>
  /** Seconds between two rounds of `$SYS` topics. */
  sysIntervalSeconds?: number
}

export interface Limits {
  packetBytesMax: number
  inflightMessagesMax: number
  queuedMessagesMax: number
  keepAliveSecondsMax: number
  outboxBytesMax: number
}

/** A running broker. */
export interface Peer {
  open(): Promise<Duplex>
  /** The end of a duplex whose other end the broker handles; undefined: this broker cannot. */
  openInMemory(): Duplex | undefined
  restart(): Promise<void>
  /** Lets time pass: at once where the broker's clock is ours. */
  pass(ms: number): Promise<void>
  stop(): Promise<void>
}

export const isReferencePeer = process.env['SLUICE_TEST_PEER'] === 'mosquitto'
