import type {
  ConnackPacket,
  ConnectPacket,
  Packet,
  ProtocolVersion,
  PublishPacket,
  SubscriptionRequest,
  Will,
} from '../../../src/wire/mqtt/packet.ts'
import type { Sender } from '../../../src/wire/mqtt/packet-type.ts'

/** One frame and what has to become of it: a packet, or a refusal with a reason code. */
export interface WireCase {
  readonly name: string
  /** Identifier of the statement in MQTT 5, or the section that makes it. */
  readonly requirement: string
  /** 0: nothing came before. */
  readonly version: ProtocolVersion | 0
  readonly from?: Sender
  /** In the notation of `notation.ts`. */
  readonly wire: string
  readonly packet?: Packet
  readonly code?: number
  /** Version that the refusal of a CONNECT carries. */
  readonly answerVersion?: ProtocolVersion | 0
  /** The packet can be written in a shorter or other order, so that encoding it gives other bytes. */
  readonly otherForm?: true
}

const none = Buffer.alloc(0)

export function connect(fields: Partial<ConnectPacket>): ConnectPacket {
  return {
    type: 'connect',
    version: 4,
    bridge: false,
    clientId: 'c',
    cleanStart: false,
    keepAliveSeconds: 60,
    username: undefined,
    password: undefined,
    will: undefined,
    properties: {},
    ...fields,
  }
}

export function will(fields: Partial<Will>): Will {
  return {
    topic: 'w',
    payload: none,
    qos: 0,
    retain: false,
    forwardProperties: none,
    willDelayIntervalSeconds: 0,
    messageExpiryIntervalSeconds: undefined,
    ...fields,
  }
}

export function connack(fields: Partial<ConnackPacket>): ConnackPacket {
  return { type: 'connack', sessionPresent: false, reasonCode: 0, properties: {}, ...fields }
}

export function publish(fields: Partial<PublishPacket>): PublishPacket {
  return {
    type: 'publish',
    dup: false,
    qos: 0,
    retain: false,
    topic: 'a/b',
    packetId: 0,
    payload: none,
    forwardProperties: none,
    topicAlias: 0,
    messageExpiryIntervalSeconds: undefined,
    subscriptionIdentifiers: [],
    ...fields,
  }
}

export function request(fields: Partial<SubscriptionRequest>): SubscriptionRequest {
  return { filter: 'a/b', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0, ...fields }
}
