import type { Message } from '../../message/message.ts'
import { decodeForwardProperties } from '../../wire/mqtt/forward-properties.ts'
import type { LoosePacket } from '../aedes-packet.ts'
import type { Will } from '../will-record.ts'
import type { PortEntry, PortSubscription } from './state.ts'

/** A packet as aedes' persistences give it back. */
export interface StoredPacket {
  cmd: string
  topic?: string
  payload?: LoosePacket['payload']
  qos?: number
  retain?: boolean
  dup?: boolean
  brokerId?: string | undefined
  brokerCounter?: number
  messageId?: number | undefined
  properties?: object
}

/** A packet as callers hand it in. */
export interface GivenPacket extends LoosePacket {
  cmd?: string | undefined
  dup?: boolean | undefined
  brokerId?: string | undefined
  brokerCounter?: number | undefined
  messageId?: number | undefined
}

export interface StoredWill {
  topic: string
  payload: LoosePacket['payload']
  qos: number
  retain: boolean
  clientId?: string
  brokerId?: string
  properties?: object
}

/** A subscription as aedes' persistences know it: `rh`, `rap` and `nl` are undefined for version 3. */
export interface StoredSubscription {
  topic: string
  qos: number
  rh?: number | undefined
  rap?: boolean | undefined
  nl?: boolean | undefined
  subscriptionIdentifier?: number
}

/** The packet that a caller queued, in the shape in which aedes stores it: without packet identifier or length. */
export function queuedPacket(packet: GivenPacket): StoredPacket {
  const stored: StoredPacket = {
    cmd: packet.cmd ?? 'publish',
    brokerId: packet.brokerId,
    brokerCounter: packet.brokerCounter ?? 0,
    topic: packet.topic,
    payload: packet.payload ?? Buffer.alloc(0),
    qos: packet.qos ?? 0,
    retain: packet.retain ?? false,
    dup: packet.dup ?? false,
    messageId: undefined,
  }
  if (packet.properties !== undefined) stored.properties = packet.properties
  return stored
}

/** The packet for a message that came another way. It has no number, as numbers are not kept. */
export function packetOfMessage(message: Message, brokerId: string): StoredPacket {
  const { topic, payload, qos, retain } = message
  const packet: StoredPacket = { cmd: 'publish', brokerId, brokerCounter: 0, topic, payload, qos, retain, dup: false }
  if (message.properties.length > 0) packet.properties = decodeForwardProperties(message.properties)
  return packet
}

export function packetOfEntry(entry: PortEntry, brokerId: string): StoredPacket {
  const messageId = entry.packetId === 0 ? undefined : entry.packetId
  if (entry.released) return { cmd: 'pubrel', messageId }
  return { ...packetOfMessage(entry.message, brokerId), messageId }
}

export function packetOfWill(will: Will, clientId: string, brokerId: string): StoredWill {
  const { topic, payload, qos, retain, properties } = will.message
  const packet: StoredWill = { topic, payload, qos, retain, clientId, brokerId }
  if (properties.length > 0) packet.properties = decodeForwardProperties(properties)
  return packet
}

export function storedSubscription(subscription: PortSubscription): StoredSubscription {
  const { requested: topic, qos, retainHandling, retainAsPublished, noLocal, identifier } = subscription
  // What a client of version 3 gets is what version 5 has as its defaults; aedes leaves them undefined then.
  const plain = retainHandling === 0 && !retainAsPublished && !noLocal
  const stored: StoredSubscription = plain
    ? { topic, qos, rh: undefined, rap: undefined, nl: undefined }
    : { topic, qos, rh: retainHandling, rap: retainAsPublished, nl: noLocal }
  if (identifier !== 0) stored.subscriptionIdentifier = identifier
  return stored
}

export function portSubscription(stored: StoredSubscription): PortSubscription {
  return {
    requested: stored.topic,
    qos: stored.qos === 1 || stored.qos === 2 ? stored.qos : 0,
    retainHandling: stored.rh === 1 || stored.rh === 2 ? stored.rh : 0,
    retainAsPublished: stored.rap === true,
    noLocal: stored.nl === true,
    identifier: stored.subscriptionIdentifier ?? 0,
  }
}
