import { encodeAck } from './acknowledgement.ts'
import { encodeAuth } from './auth.ts'
import { encodeConnack } from './connack.ts'
import { encodeConnect } from './connect.ts'
import { encodeDisconnect } from './disconnect.ts'
import type { Packet, ProtocolVersion } from './packet.ts'
import { PINGREQ, PINGRESP } from './ping.ts'
import { encodePublishPacket } from './publish-frame.ts'
import { encodeSuback } from './suback.ts'
import { encodeSubscribe } from './subscribe.ts'
import { encodeUnsuback } from './unsuback.ts'
import { encodeUnsubscribe } from './unsubscribe.ts'

/**
 * The frame of a packet. Below version 5 properties and reason codes that do not exist there are left out.
 * Throws RangeError for values that the format cannot hold: whoever passes on what a user gave has to check it first.
 */
export function encode(packet: Packet, version: ProtocolVersion): Buffer {
  switch (packet.type) {
    case 'connect':
      return encodeConnect(packet)
    case 'connack':
      return encodeConnack(packet, version)
    case 'publish':
      return encodePublishPacket(packet, version === 5)
    case 'subscribe':
      return encodeSubscribe(packet, version)
    case 'suback':
      return encodeSuback(packet, version)
    case 'unsubscribe':
      return encodeUnsubscribe(packet, version)
    case 'unsuback':
      return encodeUnsuback(packet, version)
    case 'disconnect':
      return encodeDisconnect(packet, version)
    case 'auth':
      return encodeAuth(packet)
    case 'pingreq':
      return PINGREQ
    case 'pingresp':
      return PINGRESP
    default:
      return encodeAck(packet, version)
  }
}
