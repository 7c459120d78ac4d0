import { decodeAck } from './acknowledgement.ts'
import { decodeAuth } from './auth.ts'
import { decodeConnack } from './connack.ts'
import { decodeConnect } from './connect.ts'
import { decodeDisconnect } from './disconnect.ts'
import type { Packet, PingPacket, ProtocolVersion } from './packet.ts'
import { PacketReader } from './packet-reader.ts'
import { PacketType, type Sender } from './packet-type.ts'
import { type DecodeLimits, defaultDecodeLimits } from './properties.ts'
import { malformed, violation } from './protocol-error.ts'
import { decodePublish } from './publish.ts'
import { decodeSuback } from './suback.ts'
import { decodeSubscribe } from './subscribe.ts'
import { decodeUnsuback } from './unsuback.ts'
import { decodeUnsubscribe } from './unsubscribe.ts'

// Bit n is set for packets of type n that this side may send.
const fromClient = bits(1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15)
const fromBroker = bits(2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 15)
// PUBREL, SUBSCRIBE and UNSUBSCRIBE have flags 0010, all others but PUBLISH 0000 (MQTT-2.1.3-1).
const flags0010 = bits(6, 8, 10)

/**
 * Reads one whole frame: the fixed header begins at `start`, the body at `bodyStart`, and `end` is after the last byte.
 * `version` 0 means that nothing came before, so that only a CONNECT will do, which then says its version.
 * Throws ProtocolError, and nothing else. Payload and binary properties are views into `buffer`.
 */
export function decode(
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion | 0,
  from: Sender = 'client',
  limits: DecodeLimits = defaultDecodeLimits,
): Packet {
  const type = buffer[start]! >> 4
  if (version === 0) {
    if (type !== PacketType.Connect) throw violation(`a packet of type ${type} before CONNECT`) // MQTT-3.1.0-1
    return decodeConnect(new PacketReader(buffer, bodyStart, end), buffer[start]! & 0x0f, limits)
  }
  if (type === PacketType.Publish) return decodePublish(buffer, start, bodyStart, end, version, from, limits)
  checkFixedHeader(type, buffer[start]! & 0x0f, version, from)
  return decodeBody(new PacketReader(buffer, bodyStart, end), type, version, from, limits)
}

function decodeBody(
  reader: PacketReader,
  type: number,
  version: ProtocolVersion,
  from: Sender,
  limits: DecodeLimits,
): Packet {
  switch (type) {
    case PacketType.Connack:
      return decodeConnack(reader, version, limits)
    case PacketType.Puback:
      return decodeAck(reader, 'puback', version, limits)
    case PacketType.Pubrec:
      return decodeAck(reader, 'pubrec', version, limits)
    case PacketType.Pubrel:
      return decodeAck(reader, 'pubrel', version, limits)
    case PacketType.Pubcomp:
      return decodeAck(reader, 'pubcomp', version, limits)
    case PacketType.Subscribe:
      return decodeSubscribe(reader, version, limits)
    case PacketType.Suback:
      return decodeSuback(reader, version, limits)
    case PacketType.Unsubscribe:
      return decodeUnsubscribe(reader, version, limits)
    case PacketType.Unsuback:
      return decodeUnsuback(reader, version, limits)
    case PacketType.Disconnect:
      return decodeDisconnect(reader, version, from, limits)
    case PacketType.Auth:
      return decodeAuth(reader, from, limits)
    default:
      return decodePing(reader, type)
  }
}

function decodePing(reader: PacketReader, type: number): PingPacket {
  reader.finish()
  return { type: type === PacketType.Pingreq ? 'pingreq' : 'pingresp' }
}

function checkFixedHeader(type: number, flags: number, version: ProtocolVersion, from: Sender): void {
  if (type === 0 || (type === PacketType.Auth && version !== 5)) throw malformed(`packet type ${type} is reserved`)
  if (type === PacketType.Connect && from === 'client') throw violation('a second CONNECT') // MQTT-3.1.0-2
  const allowed = from === 'client' ? fromClient : fromBroker
  const brokerDisconnect = type === PacketType.Disconnect && from === 'broker' && version !== 5
  if ((allowed & (1 << type)) === 0 || brokerDisconnect) throw violation(`a packet of type ${type} from a ${from}`)
  // 3.1 lets these bits be, and sets DUP in SUBSCRIBE, UNSUBSCRIBE and PUBREL that are sent again.
  if (version === 3) return
  const expected = (flags0010 & (1 << type)) !== 0 ? 2 : 0
  if (flags !== expected) throw malformed(`flags ${flags} in a packet of type ${type}`) // MQTT-2.1.3-1
}

function bits(...types: number[]): number {
  return types.reduce((set, type) => set | (1 << type), 0)
}
