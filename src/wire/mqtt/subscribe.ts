import { parseSharedFilter, topicFilterProblem } from '../../message/filter.ts'
import type { QoS } from '../../message/qos.ts'
import type { ProtocolVersion, SubscribePacket, SubscriptionRequest } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import { PacketType } from './packet-type.ts'
import { PacketWriter } from './packet-writer.ts'
import { type DecodeLimits, readProperties, writeProperties } from './properties.ts'
import { malformed, ProtocolError, violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'

const NO_LOCAL = 0x04
const RETAIN_AS_PUBLISHED = 0x08

/** Reads SUBSCRIBE (MQTT 5 and 3.1.1, section 3.8). An ill-formed filter is 0x8f, of the whole packet. */
export function decodeSubscribe(reader: PacketReader, version: ProtocolVersion, limits: DecodeLimits): SubscribePacket {
  const packetId = reader.packetId()
  const properties = version === 5 ? readProperties(reader, PacketType.Subscribe, limits) : {}
  const subscriptionIdentifier = properties.subscriptionIdentifiers?.[0] ?? 0
  delete properties.subscriptionIdentifiers
  const subscriptions: SubscriptionRequest[] = []
  while (reader.remaining > 0) {
    if (subscriptions.length >= limits.filtersPerPacketMax) throw tooManyFilters(limits)
    subscriptions.push(readRequest(reader, version))
  }
  if (subscriptions.length === 0) throw violation('SUBSCRIBE without a topic filter') // MQTT-3.8.3-2
  return { type: 'subscribe', packetId, subscriptionIdentifier, subscriptions, properties }
}

function readRequest(reader: PacketReader, version: ProtocolVersion): SubscriptionRequest {
  const filter = readFilter(reader)
  const options = reader.byte()
  const qos = options & 3
  if (qos === 3) throw violation('a subscription with QoS 3') // MQTT-3.8.3-4 of 3.1.1
  if (version !== 5) {
    // 3.1 does not use these bits, and does not say that they have to be 0.
    if (version === 4 && options > 2) throw malformed('reserved bits of a subscription are set') // MQTT-3.8.3-4 of 3.1.1
    return { filter, qos: qos as QoS, noLocal: false, retainAsPublished: false, retainHandling: 0 }
  }
  const retainHandling = (options >> 4) & 3
  const noLocal = (options & NO_LOCAL) !== 0
  if ((options & 0xc0) !== 0) throw malformed('reserved bits of a subscription are set') // MQTT-3.8.3-5
  if (retainHandling === 3) throw violation('a subscription with retain handling 3')
  if (noLocal && parseSharedFilter(filter) !== undefined) throw violation('no-local on a shared subscription') // MQTT-3.8.3-4
  return {
    filter,
    qos: qos as QoS,
    noLocal,
    retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  }
}

/** A topic filter of SUBSCRIBE or UNSUBSCRIBE, checked as section 4.7 asks. */
export function readFilter(reader: PacketReader): string {
  const filter = reader.string()
  const problem = topicFilterProblem(filter)
  if (problem !== undefined) throw new ProtocolError(ReasonCode.TopicFilterInvalid, `a topic filter ${problem}`)
  return filter
}

export function tooManyFilters(limits: DecodeLimits): ProtocolError {
  return new ProtocolError(ReasonCode.QuotaExceeded, `more than ${limits.filtersPerPacketMax} topic filters`)
}

export function encodeSubscribe(packet: SubscribePacket, version: ProtocolVersion): Buffer {
  const { subscriptionIdentifier } = packet
  const writer = new PacketWriter()
  writer.packetId(packet.packetId)
  if (version === 5) {
    const identifiers = subscriptionIdentifier === 0 ? {} : { subscriptionIdentifiers: [subscriptionIdentifier] }
    writeProperties(writer, { ...packet.properties, ...identifiers }, PacketType.Subscribe)
  }
  for (const { filter, qos, noLocal, retainAsPublished, retainHandling } of packet.subscriptions) {
    writer.string(filter)
    const options = (noLocal ? NO_LOCAL : 0) | (retainAsPublished ? RETAIN_AS_PUBLISHED : 0) | (retainHandling << 4)
    writer.byte(version === 5 ? qos | options : qos)
  }
  return writer.frame((PacketType.Subscribe << 4) | 2)
}
