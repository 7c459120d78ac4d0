import type { Entry, Group, Link, ModelMessage, ModelSession, ModelSubscription, SeenPacket } from './state.ts'

/** A message as a subscription, or several merged, lets a session have it. */
export function entryOf(
  message: ModelMessage,
  { qos, retainAsPublished }: Pick<ModelSubscription, 'qos' | 'retainAsPublished'>,
  identifiers: readonly number[],
  batch: string,
  group: Group | undefined,
): Entry {
  const given = [...new Set(identifiers)].filter((one) => one > 0).sort((a, b) => a - b)
  const retain = message.retain && retainAsPublished
  const state = { packetId: 0, inFlight: false, released: false, awaitsPubrel: false }
  return { message, qos: Math.min(message.qos, qos), retain, identifiers: given, batch, group, ...state }
}

/** What overlapping subscriptions are together (MQTT-3.3.4-2). */
export function merged(all: readonly ModelSubscription[]): Pick<ModelSubscription, 'qos' | 'retainAsPublished'> {
  return { qos: Math.max(...all.map((one) => one.qos)), retainAsPublished: all.some((one) => one.retainAsPublished) }
}

export function isExpired(message: ModelMessage, now: number): boolean {
  return message.expiresAt > 0 && message.expiresAt <= now
}

/** What is wrong with the packet identifier and DUP of a PUBLISH at QoS 1 or 2 that brings the entry. */
export function problemOf({ entries }: ModelSession, entry: Entry, packet: SeenPacket): string | undefined {
  if (entries.some((one) => one !== entry && one.packetId === packet.packetId)) return 'reuses an identifier'
  if (entry.packetId !== 0 && entry.packetId !== packet.packetId) return `came with ${entry.packetId} before`
  return packet.dup === (entry.packetId !== 0) ? undefined : 'has a wrong DUP'
}

/** Whoever went out first goes first when all is sent again (MQTT-4.6.0-1); the reference may have had another order. */
export function noteSent(session: ModelSession, entry: Entry, packetId: number): void {
  if (entry.packetId === 0) {
    const others = session.entries.filter((one) => one !== entry)
    const sent = others.findIndex((one) => one.packetId === 0)
    others.splice(sent === -1 ? others.length : sent, 0, entry)
    session.entries = others
  }
  entry.packetId = packetId
  entry.inFlight = true
}

/** Whether the packet is what a client of this version has to see of the entry. */
export function describes(entry: Entry, packet: SeenPacket, link: Link | undefined, now: number): boolean {
  const { topic, payload, qos, retain, properties } = packet
  const { messageExpiryInterval: left } = properties
  // What was sent before is sent again after its time, with 0 or 1.
  const rounded = left === undefined ? properties : { ...properties, messageExpiryInterval: Math.max(1, left) }
  return tell(entry, link, now) === tellFields(topic, payload, qos, retain, rounded)
}

export function tell({ message, qos, retain, identifiers }: Entry, link: Link | undefined, now: number): string {
  const properties: Record<string, unknown> = {}
  if (link?.version === 5) {
    if (message.expiresAt > 0) properties['messageExpiryInterval'] = Math.max(1, message.expiresAt - now)
    if (message.contentType !== undefined) properties['contentType'] = message.contentType
    if (identifiers.length > 0) properties['subscriptionIdentifiers'] = identifiers
  }
  return tellFields(message.topic, message.payload, qos, retain, properties)
}

function tellFields(topic: string, payload: string, qos: number, retain: boolean, properties: object): string {
  const sorted = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1))
  const listed = sorted.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ')
  return `publish ${topic} '${payload}' QoS ${qos}${retain ? ' retain' : ''} {${listed}}`
}

/**
 * Whether an entry may come before the first of the list. Order is owed to the messages of one publisher on one topic;
 * what came through a shared group stands where the group gave it, which the reference does not know.
 */
export function mayCome(entry: Entry, first: Entry | undefined, list: readonly Entry[]): boolean {
  if (entry.batch === first?.batch) return true
  const { publisher, topic } = entry.message
  return list.slice(0, list.indexOf(entry)).every(({ message, inFlight }) => {
    return inFlight || message.publisher !== publisher || message.topic !== topic
  })
}
