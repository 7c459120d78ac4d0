import type { Properties } from '../../src/wire/mqtt/packet.ts'

/** A message as the reference broker knows it; `serial` counts in the order of publishing. */
export interface ModelMessage {
  readonly serial: number
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly retain: boolean
  readonly publisher: string
  /** Seconds; 0: never. */
  readonly expiresAt: number
  readonly contentType: string | undefined
}

export interface ModelSubscription {
  readonly filter: string
  readonly qos: number
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: number
  /** 0: none. */
  readonly identifier: number
}

/** A message on its way to one session. Those of one `batch` may come in any order among themselves. */
export interface Entry {
  readonly message: ModelMessage
  readonly qos: number
  readonly retain: boolean
  readonly identifiers: readonly number[]
  readonly batch: string
  /** The group that takes it back when the session's connection ends. */
  group: Group | undefined
  /** 0: was never sent. */
  packetId: number
  inFlight: boolean
  /** PUBREC came. */
  released: boolean
  awaitsPubrel: boolean
}

export interface Link {
  readonly version: 3 | 4 | 5
  readonly window: number
}

export interface ModelSession {
  readonly who: string
  expirySeconds: number
  /** Seconds at which it ends; Infinity while connected. */
  endsAt: number
  link: Link | undefined
  readonly subscriptions: Map<string, ModelSubscription>
  entries: Entry[]
  /** QoS 0, not yet seen by the client. */
  zero: Entry[]
  /** QoS 2 packet identifiers not yet released by the client. */
  readonly incoming: Map<number, object>
}

export interface Group {
  readonly key: string
  readonly filter: string
  readonly members: Map<string, ModelSubscription>
  /** Messages that no member has. */
  pool: ModelMessage[]
  /** QoS 0 messages that one of the candidates has to get now. */
  zero: { readonly message: ModelMessage; readonly candidates: ReadonlySet<string> }[]
  /** Highest serial a member got for the first time, by member, publisher and topic. */
  readonly latest: Map<string, number>
  readonly returned: Set<ModelMessage>
}

export interface ModelWill {
  readonly message: Omit<ModelMessage, 'serial' | 'expiresAt'>
  readonly delaySeconds: number
  /** Infinity while the client is connected. */
  dueAt: number
}

/** The part of a received packet that the reference broker explains. */
export interface SeenPacket {
  readonly type: string
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly retain: boolean
  readonly dup: boolean
  readonly packetId: number
  readonly properties: Properties
}

export const SHARED = /^\$share\/([^/]+)\/(.+)$/
export const NEVER = Number.POSITIVE_INFINITY

export function newSession(who: string, link: Link): ModelSession {
  const empty = { subscriptions: new Map(), entries: [], zero: [], incoming: new Map() }
  return { who, expirySeconds: 0, endsAt: NEVER, link, ...empty }
}

export function newGroup(key: string, filter: string): Group {
  return { key, filter, members: new Map(), pool: [], zero: [], latest: new Map(), returned: new Set() }
}

/** Connected, and one more message may be in flight. */
export function hasRoom({ link, entries }: ModelSession): boolean {
  return link !== undefined && entries.filter((entry) => entry.inFlight).length < link.window
}

/** Whether a filter matches, in the plainest way (MQTT 5, section 4.7). */
export function naiveMatch(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  const pattern = filter
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level === '#' ? '.*' : level.replaceAll('$', '\\$')))
    .join('/')
    .replace(/\/\.\*$/, '(/.*)?')
  return new RegExp(`^${pattern}$`).test(topic)
}
