import type { Properties } from '../../src/wire/mqtt/packet.ts'
import { binary, string, u8, u16, u32, variable } from './wire-bytes.ts'
import type { ByteReader } from './wire-bytes.ts'

type Kind = 'byte' | 'two' | 'four' | 'variable' | 'string' | 'binary' | 'pair' | 'variables'

// MQTT 5, table 2-4. The tests have a codec of their own, so that a mistake in the broker's is not made twice.
const TABLE: [id: number, name: keyof Properties, kind: Kind][] = [
  [0x01, 'payloadFormatIndicator', 'byte'],
  [0x02, 'messageExpiryInterval', 'four'],
  [0x03, 'contentType', 'string'],
  [0x08, 'responseTopic', 'string'],
  [0x09, 'correlationData', 'binary'],
  [0x0b, 'subscriptionIdentifiers', 'variables'],
  [0x11, 'sessionExpiryInterval', 'four'],
  [0x12, 'assignedClientIdentifier', 'string'],
  [0x13, 'serverKeepAlive', 'two'],
  [0x15, 'authenticationMethod', 'string'],
  [0x16, 'authenticationData', 'binary'],
  [0x17, 'requestProblemInformation', 'byte'],
  [0x18, 'willDelayInterval', 'four'],
  [0x19, 'requestResponseInformation', 'byte'],
  [0x1a, 'responseInformation', 'string'],
  [0x1c, 'serverReference', 'string'],
  [0x1f, 'reasonString', 'string'],
  [0x21, 'receiveMaximum', 'two'],
  [0x22, 'topicAliasMaximum', 'two'],
  [0x23, 'topicAlias', 'two'],
  [0x24, 'maximumQoS', 'byte'],
  [0x25, 'retainAvailable', 'byte'],
  [0x26, 'userProperties', 'pair'],
  [0x27, 'maximumPacketSize', 'four'],
  [0x28, 'wildcardSubscriptionAvailable', 'byte'],
  [0x29, 'subscriptionIdentifiersAvailable', 'byte'],
  [0x2a, 'sharedSubscriptionAvailable', 'byte'],
]

/** The properties with their length in front. */
export function encodeProperties(properties: Properties): Buffer {
  const parts: Buffer[] = []
  for (const [id, name, kind] of TABLE) {
    const value = properties[name]
    if (value === undefined) continue
    for (const part of encodeValue(kind, value)) parts.push(u8(id), part)
  }
  const body = Buffer.concat(parts)
  return Buffer.concat([variable(body.length), body])
}

function encodeValue(kind: Kind, value: NonNullable<Properties[keyof Properties]>): Buffer[] {
  switch (kind) {
    case 'byte':
      return [u8(value as number)]
    case 'two':
      return [u16(value as number)]
    case 'four':
      return [u32(value as number)]
    case 'variable':
      return [variable(value as number)]
    case 'variables':
      return (value as number[]).map(variable)
    case 'string':
      return [string(value as string)]
    case 'binary':
      return [binary(value as Buffer)]
    case 'pair':
      return (value as [string, string][]).map(([name, content]) => Buffer.concat([string(name), string(content)]))
  }
}

export function decodeProperties(reader: ByteReader): Properties {
  const end = reader.variable() + reader.offset
  const properties: Record<string, unknown> = {}
  while (reader.offset < end) {
    const id = reader.u8()
    const row = TABLE.find((candidate) => candidate[0] === id)
    if (row === undefined) throw new Error(`the broker sent the unknown property 0x${id.toString(16)}`)
    const [, name, kind] = row
    if (kind === 'pair') {
      properties[name] = [...((properties[name] as unknown[]) ?? []), [reader.string(), reader.string()]]
    } else if (kind === 'variables') {
      properties[name] = [...((properties[name] as unknown[]) ?? []), reader.variable()]
    } else {
      if (name in properties) throw new Error(`the broker sent ${name} twice`)
      properties[name] = decodeValue(kind, reader)
    }
  }
  if (reader.offset !== end) throw new Error('the broker sent a wrong property length')
  return properties
}

function decodeValue(kind: Kind, reader: ByteReader): unknown {
  if (kind === 'byte') return reader.u8()
  if (kind === 'two') return reader.u16()
  if (kind === 'four') return reader.u32()
  if (kind === 'variable') return reader.variable()
  if (kind === 'string') return reader.string()
  return reader.binary()
}
