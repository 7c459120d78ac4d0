import type { ProtocolVersion } from './packet.ts'

/** Reason codes of MQTT 5, section 2.4. Where one number has several names, each is here. */
export const ReasonCode = {
  Success: 0x00,
  NormalDisconnection: 0x00,
  GrantedQoS0: 0x00,
  GrantedQoS1: 0x01,
  GrantedQoS2: 0x02,
  DisconnectWithWillMessage: 0x04,
  NoMatchingSubscribers: 0x10,
  NoSubscriptionExisted: 0x11,
  ContinueAuthentication: 0x18,
  ReAuthenticate: 0x19,
  UnspecifiedError: 0x80,
  MalformedPacket: 0x81,
  ProtocolError: 0x82,
  ImplementationSpecificError: 0x83,
  UnsupportedProtocolVersion: 0x84,
  ClientIdentifierNotValid: 0x85,
  BadUserNameOrPassword: 0x86,
  NotAuthorized: 0x87,
  ServerUnavailable: 0x88,
  ServerBusy: 0x89,
  Banned: 0x8a,
  ServerShuttingDown: 0x8b,
  BadAuthenticationMethod: 0x8c,
  KeepAliveTimeout: 0x8d,
  SessionTakenOver: 0x8e,
  TopicFilterInvalid: 0x8f,
  TopicNameInvalid: 0x90,
  PacketIdentifierInUse: 0x91,
  PacketIdentifierNotFound: 0x92,
  ReceiveMaximumExceeded: 0x93,
  TopicAliasInvalid: 0x94,
  PacketTooLarge: 0x95,
  MessageRateTooHigh: 0x96,
  QuotaExceeded: 0x97,
  AdministrativeAction: 0x98,
  PayloadFormatInvalid: 0x99,
  RetainNotSupported: 0x9a,
  QoSNotSupported: 0x9b,
  UseAnotherServer: 0x9c,
  ServerMoved: 0x9d,
  SharedSubscriptionsNotSupported: 0x9e,
  ConnectionRateExceeded: 0x9f,
  MaximumConnectTime: 0xa0,
  SubscriptionIdentifiersNotSupported: 0xa1,
  WildcardSubscriptionsNotSupported: 0xa2,
} as const

const names = new Map<number, string>()
for (const [name, code] of Object.entries(ReasonCode)) {
  const words = name.match(/QoS\d?|[A-Z][a-z]+/g) ?? []
  const text = words.map((word) => (word.startsWith('QoS') ? word : word.toLowerCase())).join(' ')
  if (!names.has(code)) names.set(code, text)
}

/** A reason code in words, for logs: `0x8e session taken over`. */
export function reasonName(code: number): string {
  const number = `0x${code.toString(16).padStart(2, '0')}`
  const name = names.get(code)
  return name === undefined ? number : `${number} ${name}`
}

// Return codes 1 to 5 of MQTT 3.1.1, section 3.2.2.3, at the index of their number.
const reasonCodesOfReturnCodes = [
  ReasonCode.Success,
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.ServerUnavailable,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
] as const

const returnCodes = new Map<number, number>([
  [ReasonCode.Success, 0],
  [ReasonCode.UnsupportedProtocolVersion, 1],
  [ReasonCode.ClientIdentifierNotValid, 2],
  [ReasonCode.ServerUnavailable, 3],
  [ReasonCode.UnspecifiedError, 3],
  [ReasonCode.ImplementationSpecificError, 3],
  [ReasonCode.ServerBusy, 3],
  [ReasonCode.ServerShuttingDown, 3],
  [ReasonCode.QuotaExceeded, 3],
  [ReasonCode.UseAnotherServer, 3],
  [ReasonCode.ServerMoved, 3],
  [ReasonCode.ConnectionRateExceeded, 3],
  [ReasonCode.BadUserNameOrPassword, 4],
  [ReasonCode.BadAuthenticationMethod, 4],
  [ReasonCode.NotAuthorized, 5],
  [ReasonCode.Banned, 5],
])

/**
 * What CONNACK says on the wire for a reason code: itself in version 5, a return code 0 to 5 below it.
 * undefined: 3.x has no code for it, and the connection is closed without CONNACK (MQTT-3.2.2-6 of 3.1.1).
 */
export function connackReturnCode(reasonCode: number, version: ProtocolVersion): number | undefined {
  return version === 5 ? reasonCode : returnCodes.get(reasonCode)
}

/** The reason code that says the same as a return code of 3.x; undefined for numbers above 5. */
export function reasonCodeOfReturnCode(returnCode: number): number | undefined {
  return reasonCodesOfReturnCodes[returnCode]
}
