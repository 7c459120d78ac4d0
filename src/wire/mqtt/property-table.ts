import type { Properties } from './packet.ts'
import { PacketType } from './packet-type.ts'

/** How a property's value travels (MQTT 5, section 2.2.2.2); `flag` is a byte that may be 0 or 1 only. */
export type PropertyFormat = 'flag' | 'uint16' | 'uint32' | 'length' | 'string' | 'topic' | 'binary' | 'pairs'

export interface PropertyRule {
  readonly id: number
  readonly name: keyof Properties
  readonly format: PropertyFormat
  /** Bit n: allowed in packets of type n; bit 0: travels unchanged with a message. */
  readonly packets: number
  /** 0 is a protocol error. */
  readonly nonZero: boolean
}

/** In place of a packet type: the properties that go from publisher to subscriber unchanged, as `Message` keeps them. */
export const FORWARD = 0

const { Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback, Unsubscribe, Unsuback } =
  PacketType
const { Disconnect, Auth } = PacketType

function rule(
  id: number,
  name: keyof Properties,
  format: PropertyFormat,
  packets: readonly number[],
  nonZero = false,
): PropertyRule {
  return { id, name, format, packets: packets.reduce((bits, type) => bits | (1 << type), 0), nonZero }
}

const acknowledgements = [Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback] as const

/** Table 2-4 of the standard. Will properties are read by `forward-properties`, which knows those of a message. */
export const propertyRules: readonly PropertyRule[] = [
  rule(0x01, 'payloadFormatIndicator', 'flag', [Publish, FORWARD]),
  rule(0x02, 'messageExpiryInterval', 'uint32', [Publish]),
  rule(0x03, 'contentType', 'string', [Publish, FORWARD]),
  rule(0x08, 'responseTopic', 'topic', [Publish, FORWARD]),
  rule(0x09, 'correlationData', 'binary', [Publish, FORWARD]),
  rule(0x0b, 'subscriptionIdentifiers', 'length', [Publish, Subscribe], true),
  rule(0x11, 'sessionExpiryInterval', 'uint32', [Connect, Connack, Disconnect]),
  rule(0x12, 'assignedClientIdentifier', 'string', [Connack]),
  rule(0x13, 'serverKeepAlive', 'uint16', [Connack]),
  rule(0x15, 'authenticationMethod', 'string', [Connect, Connack, Auth]),
  rule(0x16, 'authenticationData', 'binary', [Connect, Connack, Auth]),
  rule(0x17, 'requestProblemInformation', 'flag', [Connect]),
  rule(0x18, 'willDelayInterval', 'uint32', []),
  rule(0x19, 'requestResponseInformation', 'flag', [Connect]),
  rule(0x1a, 'responseInformation', 'string', [Connack]),
  rule(0x1c, 'serverReference', 'string', [Connack, Disconnect]),
  rule(0x1f, 'reasonString', 'string', [Connack, ...acknowledgements, Disconnect, Auth]),
  rule(0x21, 'receiveMaximum', 'uint16', [Connect, Connack], true),
  rule(0x22, 'topicAliasMaximum', 'uint16', [Connect, Connack]),
  rule(0x23, 'topicAlias', 'uint16', [Publish], true),
  rule(0x24, 'maximumQoS', 'flag', [Connack]),
  rule(0x25, 'retainAvailable', 'flag', [Connack]),
  rule(0x26, 'userProperties', 'pairs', [
    Connect,
    Connack,
    Publish,
    ...acknowledgements,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Auth,
    FORWARD,
  ]),
  rule(0x27, 'maximumPacketSize', 'uint32', [Connect, Connack], true),
  rule(0x28, 'wildcardSubscriptionAvailable', 'flag', [Connack]),
  rule(0x29, 'subscriptionIdentifiersAvailable', 'flag', [Connack]),
  rule(0x2a, 'sharedSubscriptionAvailable', 'flag', [Connack]),
]

/** Rules at the index of their identifier. */
export const propertyRuleOf: readonly (PropertyRule | undefined)[] = Array.from({ length: 0x2b }, (_, id) =>
  propertyRules.find((rule) => rule.id === id),
)
