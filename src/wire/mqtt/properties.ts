import type { Properties } from './packet.ts'
import type { PacketReader } from './packet-reader.ts'
import type { PacketWriter } from './packet-writer.ts'
import { type PropertyRule, propertyRuleOf, propertyRules } from './property-table.ts'
import { malformed, ProtocolError, violation } from './protocol-error.ts'
import { ReasonCode } from './reason-codes.ts'

/** What a decoder accepts beyond the standard's own bounds. */
export interface DecodeLimits {
  /** User properties in one packet or will; more are refused with 0x97. */
  readonly userPropertiesMax: number
  /** Topic filters in one SUBSCRIBE or UNSUBSCRIBE; more are refused with 0x97. */
  readonly filtersPerPacketMax: number
}

export const defaultDecodeLimits: DecodeLimits = { userPropertiesMax: 1000, filtersPerPacketMax: 10_000 }

/**
 * Reads the properties of a packet of `type`, their length included. A property that is not for this packet, or that
 * reaches past its bounds, is malformed; one that comes twice, or has a forbidden value, is a protocol error.
 */
export function readProperties(reader: PacketReader, type: number, limits: DecodeLimits): Properties {
  const part = reader.part(reader.length())
  return readPropertyList(part, type, limits)
}

/** The same for a reader that holds nothing but properties. */
export function readPropertyList(reader: PacketReader, type: number, limits: DecodeLimits): Properties {
  const properties: Properties = {}
  while (reader.remaining > 0) {
    const id = reader.byte()
    const rule = propertyRuleOf[id]
    if (rule === undefined || (rule.packets & (1 << type)) === 0) throw notAllowed(id)
    if (rule.format === 'pairs') {
      readPair(reader, properties, limits)
    } else {
      if (properties[rule.name] !== undefined)
        throw repeated(id)
        // `name` is from the table above, not from the wire.
      ;(properties as Record<string, unknown>)[rule.name] = readValue(reader, rule)
    }
  }
  return properties
}

function readValue(reader: PacketReader, rule: PropertyRule): number | string | Buffer | number[] {
  switch (rule.format) {
    case 'flag':
      return checked(rule, reader.byte())
    case 'uint16':
      return checked(rule, reader.uint16())
    case 'uint32':
      return checked(rule, reader.uint32())
    case 'length':
      return [checked(rule, reader.length())]
    case 'topic':
      return responseTopic(reader.string())
    case 'binary':
      return reader.binary()
    default:
      return reader.string()
  }
}

function readPair(reader: PacketReader, properties: Properties, limits: DecodeLimits): void {
  properties.userProperties ??= []
  if (properties.userProperties.length >= limits.userPropertiesMax) throw tooManyUserProperties(limits)
  properties.userProperties.push([reader.string(), reader.string()])
}

function checked(rule: PropertyRule, value: number): number {
  if (rule.format === 'flag' && value > 1) throw badFlag(rule.id, value)
  if (rule.nonZero && value === 0) throw isZero(rule.id)
  return value
}

function responseTopic(topic: string): string {
  if (topic.includes('+') || topic.includes('#')) throw wildcardInResponseTopic()
  return topic
}

/** Writes the properties of a packet of `type` behind their length. Throws RangeError for one that it cannot carry. */
export function writeProperties(writer: PacketWriter, properties: Properties, type: number): void {
  const mark = writer.position
  writePropertyList(writer, properties, type)
  writer.prefixLength(mark)
}

/** The same without the length in front; properties that are not for this packet are left out when `strict` is false. */
export function writePropertyList(writer: PacketWriter, properties: Properties, type: number, strict = true): void {
  for (const rule of propertyRules) {
    const value = properties[rule.name]
    if (value === undefined) continue
    if ((rule.packets & (1 << type)) !== 0) writeValue(writer, rule, value)
    else if (strict) throw new RangeError(`property ${rule.name} is not for a packet of type ${type}`)
  }
}

function writeValue(writer: PacketWriter, rule: PropertyRule, value: Properties[keyof Properties]): void {
  if (rule.format === 'pairs') {
    for (const [name, text] of value as [string, string][]) {
      writer.byte(rule.id)
      writer.string(name)
      writer.string(text)
    }
  } else if (rule.format === 'length') {
    for (const number of value as number[]) {
      if (number < 1) throw new RangeError('a subscription identifier is at least 1')
      writer.byte(rule.id)
      writer.length(number)
    }
  } else {
    writer.byte(rule.id)
    if (rule.format === 'binary') writer.binary(value as Buffer)
    else if (rule.format === 'string') writer.string(value as string)
    else if (rule.format === 'topic') writer.string(writableTopic(value as string))
    else writeNumber(writer, rule, value as number)
  }
}

function writeNumber(writer: PacketWriter, rule: PropertyRule, value: number): void {
  if (rule.nonZero && value === 0) throw new RangeError(`property ${rule.name} cannot be 0`)
  if (rule.format === 'uint16') return writer.uint16(value)
  if (rule.format === 'uint32') return writer.uint32(value)
  if (value !== 0 && value !== 1) throw new RangeError(`property ${rule.name} is either 0 or 1`)
  writer.byte(value)
}

function writableTopic(topic: string): string {
  if (topic.includes('+') || topic.includes('#')) throw new RangeError('a response topic has no wildcards')
  return topic
}

/** MQTT 5, section 2.2.2.2: an identifier that is not valid for its packet makes the packet malformed. */
export function notAllowed(id: number): ProtocolError {
  return malformed(`property 0x${id.toString(16)} is not for this packet`)
}

export function repeated(id: number): ProtocolError {
  return violation(`property 0x${id.toString(16)} comes more than once`)
}

export function badFlag(id: number, value: number): ProtocolError {
  return violation(`property 0x${id.toString(16)} is ${value}, neither 0 nor 1`)
}

export function isZero(id: number): ProtocolError {
  return violation(`property 0x${id.toString(16)} is 0`)
}

export function wildcardInResponseTopic(): ProtocolError {
  return violation('the response topic contains a wildcard') // MQTT-3.3.2-14
}

export function tooManyUserProperties(limits: DecodeLimits): ProtocolError {
  return new ProtocolError(ReasonCode.QuotaExceeded, `more than ${limits.userPropertiesMax} user properties`)
}
