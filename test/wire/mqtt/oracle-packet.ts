import { decodeForwardProperties } from '../../../src/wire/mqtt/forward-properties.ts'
import type { Properties, Will } from '../../../src/wire/mqtt/packet.ts'
import { connackReturnCode } from '../../../src/wire/mqtt/reason-codes.ts'
import type { Sent } from './arbitrary-packet.ts'

export type OraclePacket = Record<string, unknown>

const flags = new Set<string>([
  'payloadFormatIndicator',
  'requestProblemInformation',
  'requestResponseInformation',
  'retainAvailable',
  'wildcardSubscriptionAvailable',
  'subscriptionIdentifiersAvailable',
  'sharedSubscriptionAvailable',
])

/** A packet as mqtt-packet writes it down. */
export function toOracle({ packet, version }: Sent): OraclePacket {
  const five = version === 5
  switch (packet.type) {
    case 'connect':
      return {
        cmd: 'connect',
        protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
        protocolVersion: version,
        bridgeMode: packet.bridge || undefined,
        clean: packet.cleanStart,
        clientId: packet.clientId,
        keepalive: packet.keepAliveSeconds,
        username: packet.username,
        password: packet.password,
        will: packet.will && willOf(packet.will, five),
        properties: toProperties(packet.properties),
      }
    case 'connack': {
      const code = connackReturnCode(packet.reasonCode, version)
      const { sessionPresent } = packet
      const properties = toProperties(packet.properties)
      return { cmd: 'connack', sessionPresent, ...(five ? { reasonCode: code } : { returnCode: code }), properties }
    }
    case 'publish': {
      const { dup, qos, retain, topic, payload, packetId, topicAlias, subscriptionIdentifiers } = packet
      const own = {
        messageExpiryInterval: packet.messageExpiryIntervalSeconds,
        topicAlias: topicAlias || undefined,
        subscriptionIdentifiers: subscriptionIdentifiers.length > 0 ? subscriptionIdentifiers : undefined,
      }
      const properties = toProperties({ ...own, ...decodeForwardProperties(packet.forwardProperties) } as Properties)
      return { cmd: 'publish', dup, qos, retain, topic, payload, messageId: packetId || undefined, properties }
    }
    case 'subscribe': {
      const { subscriptionIdentifier } = packet
      const properties = toProperties({
        ...(subscriptionIdentifier > 0 && { subscriptionIdentifiers: [subscriptionIdentifier] }),
        ...packet.properties,
      })
      const subscriptions = packet.subscriptions.map(({ filter, qos, noLocal, retainAsPublished, retainHandling }) => {
        return { topic: filter, qos, ...(five && { nl: noLocal, rap: retainAsPublished, rh: retainHandling }) }
      })
      return { cmd: 'subscribe', messageId: packet.packetId, qos: 1, subscriptions, properties }
    }
    case 'unsubscribe': {
      const { packetId, filters } = packet
      const properties = toProperties(packet.properties)
      return { cmd: 'unsubscribe', messageId: packetId, qos: 1, unsubscriptions: filters, properties }
    }
    case 'suback':
    case 'unsuback': {
      const granted = packet.type === 'suback' || five ? packet.reasonCodes : undefined
      return { cmd: packet.type, messageId: packet.packetId, granted, properties: toProperties(packet.properties) }
    }
    case 'pingreq':
    case 'pingresp':
      return { cmd: packet.type }
    case 'disconnect':
    case 'auth': {
      const reasonCode = five ? packet.reasonCode : undefined
      return { cmd: packet.type, reasonCode, properties: toProperties(packet.properties) }
    }
    default: {
      const properties = toProperties(packet.properties)
      const reasonCode = five ? packet.reasonCode : undefined
      return { cmd: packet.type, messageId: packet.packetId, reasonCode, properties }
    }
  }
}

function willOf(will: Will, five: boolean): object {
  const { topic, payload, qos, retain, willDelayIntervalSeconds } = will
  const properties = toProperties({
    ...(willDelayIntervalSeconds > 0 && { willDelayInterval: willDelayIntervalSeconds }),
    ...(will.messageExpiryIntervalSeconds !== undefined && {
      messageExpiryInterval: will.messageExpiryIntervalSeconds,
    }),
    ...decodeForwardProperties(will.forwardProperties),
  })
  return { topic, payload, qos, retain, ...(five && { properties }) }
}

// undefined rather than an empty object, as its parser does.
function toProperties(properties: Properties): object | undefined {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue
    if (name === 'userProperties') result[name] = Object.assign(Object.create(null), Object.fromEntries(value))
    else if (name === 'subscriptionIdentifiers')
      result['subscriptionIdentifier'] = value.length === 1 ? value[0] : value
    else result[name] = flags.has(name) ? value === 1 : value
  }
  return Object.keys(result).length > 0 ? result : undefined
}
