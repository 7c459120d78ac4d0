import type { QoS } from '../../message/qos.ts'

/** Protocol level from CONNECT: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export type ProtocolVersion = 3 | 4 | 5

/** MQTT 5 properties by their names in section 2.2.2.2; lengths of time in seconds as on the wire. */
export interface Properties {
  payloadFormatIndicator?: 0 | 1
  messageExpiryInterval?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Buffer
  /** More than one only in a PUBLISH from the broker. */
  subscriptionIdentifiers?: number[]
  sessionExpiryInterval?: number
  assignedClientIdentifier?: string
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Buffer
  requestProblemInformation?: 0 | 1
  willDelayInterval?: number
  requestResponseInformation?: 0 | 1
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQoS?: 0 | 1
  retainAvailable?: 0 | 1
  /** In order, names may repeat. */
  userProperties?: [name: string, value: string][]
  maximumPacketSize?: number
  wildcardSubscriptionAvailable?: 0 | 1
  subscriptionIdentifiersAvailable?: 0 | 1
  sharedSubscriptionAvailable?: 0 | 1
}

export interface Will {
  topic: string
  payload: Buffer
  qos: QoS
  retain: boolean
  /** Encoded properties that go out with the message (see `Message.properties`); empty below version 5. */
  forwardProperties: Buffer
  willDelayIntervalSeconds: number
  /** undefined: the will message does not expire. */
  messageExpiryIntervalSeconds: number | undefined
}

export interface ConnectPacket {
  type: 'connect'
  version: ProtocolVersion
  /** Bridge bit of the protocol level (0x80), as mosquitto's bridges set it. */
  bridge: boolean
  clientId: string
  cleanStart: boolean
  keepAliveSeconds: number
  username: string | undefined
  password: Buffer | undefined
  will: Will | undefined
  properties: Properties
}

export interface ConnackPacket {
  type: 'connack'
  sessionPresent: boolean
  reasonCode: number
  properties: Properties
}

export interface PublishPacket {
  type: 'publish'
  dup: boolean
  qos: QoS
  retain: boolean
  /** Empty when the topic alias stands for it. */
  topic: string
  /** 0 at QoS 0. */
  packetId: number
  /** View into the frame. */
  payload: Buffer
  /** View into the frame where nothing had to be left out; see `Message.properties`. */
  forwardProperties: Buffer
  /** 0: none. */
  topicAlias: number
  /** undefined: does not expire. */
  messageExpiryIntervalSeconds: number | undefined
  /** Only in a PUBLISH from a broker; empty otherwise. */
  subscriptionIdentifiers: number[]
}

export interface AckPacket {
  type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'
  packetId: number
  reasonCode: number
  properties: Properties
}

export interface SubscriptionRequest {
  filter: string
  qos: QoS
  noLocal: boolean
  retainAsPublished: boolean
  retainHandling: 0 | 1 | 2
}

export interface SubscribePacket {
  type: 'subscribe'
  packetId: number
  /** 0: none. */
  subscriptionIdentifier: number
  subscriptions: SubscriptionRequest[]
  properties: Properties
}

export interface SubackPacket {
  type: 'suback'
  packetId: number
  reasonCodes: number[]
  properties: Properties
}

export interface UnsubscribePacket {
  type: 'unsubscribe'
  packetId: number
  filters: string[]
  properties: Properties
}

export interface UnsubackPacket {
  type: 'unsuback'
  packetId: number
  /** Sent by version 5 only. */
  reasonCodes: number[]
  properties: Properties
}

export interface PingPacket {
  type: 'pingreq' | 'pingresp'
}

export interface DisconnectPacket {
  type: 'disconnect'
  reasonCode: number
  properties: Properties
}

export interface AuthPacket {
  type: 'auth'
  reasonCode: number
  properties: Properties
}

export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | UnsubackPacket
  | PingPacket
  | DisconnectPacket
  | AuthPacket
