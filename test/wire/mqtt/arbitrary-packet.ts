import fc from 'fast-check'
import type { QoS } from '../../../src/message/qos.ts'
import type { Packet, ProtocolVersion } from '../../../src/wire/mqtt/packet.ts'
import type { Sender } from '../../../src/wire/mqtt/packet-type.ts'
import { arbitraryProperties, binary, packetId, text, topic } from './arbitrary-properties.ts'

/** A packet with all that decides how it is encoded and read. */
export interface Sent {
  version: ProtocolVersion
  from: Sender
  packet: Packet
}

const version = fc.constantFrom<ProtocolVersion>(3, 4, 5)
const qos = fc.constantFrom<QoS>(0, 1, 2)
const filter = fc.oneof(
  topic,
  fc.constantFrom('#', '+', 'a/+/b', '/+/#', '$share/group/a/#'),
  topic.map((name) => `${name}/#`),
)
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const codes = (list: number[]): fc.Arbitrary<number[]> => {
  return fc.array(fc.constantFrom(...list), { minLength: 1, maxLength: 5 })
}

/** Any packet that the standard allows; `plain` keeps to what mqtt-packet can express. */
export function arbitrarySent(plain = false): fc.Arbitrary<Sent> {
  const properties = arbitraryProperties(plain)

  const connect = fc
    .record({
      version,
      bridge: fc.boolean(),
      clientId: text,
      cleanStart: fc.boolean(),
      keepAliveSeconds: fc.integer({ min: 0, max: 65_535 }),
      username: optional(text),
      password: optional(binary),
      will: optional(
        fc.record({
          topic,
          payload: binary,
          qos,
          retain: fc.boolean(),
          forwardProperties: properties.forward,
          willDelayIntervalSeconds: fc.integer({ min: 0, max: 0xffffffff }),
          messageExpiryIntervalSeconds: optional(fc.integer({ min: 0, max: 0xffffffff })),
        }),
      ),
      properties: properties.connect,
    })
    .map((fields): Sent => {
      const { version: level, username, will } = fields
      // mqtt-packet refuses an empty identifier without a clean start, and a password without a user name.
      const clientId = plain ? `c${fields.clientId}` : fields.clientId
      const password = username === undefined && (plain || level !== 5) ? undefined : fields.password
      const oldWill = will && {
        ...will,
        forwardProperties: Buffer.alloc(0),
        willDelayIntervalSeconds: 0,
        messageExpiryIntervalSeconds: undefined,
      }
      return {
        version: level,
        from: 'client',
        packet: {
          type: 'connect',
          ...fields,
          clientId,
          password,
          bridge: fields.bridge && level !== 5,
          will: level === 5 ? will : oldWill,
          properties: level === 5 ? fields.properties : {},
        },
      }
    })

  const publish = fc
    .record({
      version,
      from: fc.constantFrom<Sender>('client', 'broker'),
      dup: fc.boolean(),
      qos,
      retain: fc.boolean(),
      topic,
      packetId,
      payload: binary,
      forwardProperties: properties.forward,
      topicAlias: fc.integer({ min: 0, max: 65_535 }),
      omitTopic: fc.boolean(),
      expiry: optional(fc.integer({ min: 0, max: 0xffffffff })),
      identifiers: fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 }),
    })
    .map((fields): Sent => {
      const five = fields.version === 5
      const topicAlias = five ? fields.topicAlias : 0
      return {
        version: fields.version,
        from: fields.from,
        packet: {
          type: 'publish',
          dup: fields.dup && fields.qos > 0,
          qos: fields.qos,
          retain: fields.retain,
          topic: topicAlias > 0 && fields.omitTopic ? '' : fields.topic,
          packetId: fields.qos > 0 ? fields.packetId : 0,
          payload: fields.payload,
          forwardProperties: five ? fields.forwardProperties : Buffer.alloc(0),
          topicAlias,
          messageExpiryIntervalSeconds: five ? fields.expiry : undefined,
          subscriptionIdentifiers: five && fields.from === 'broker' ? fields.identifiers : [],
        },
      }
    })

  const acknowledgement = fc
    .record({
      version,
      from: fc.constantFrom<Sender>('client', 'broker'),
      type: fc.constantFrom('puback' as const, 'pubrec' as const, 'pubrel' as const, 'pubcomp' as const),
      packetId,
      failed: fc.boolean(),
      properties: properties.acknowledgement,
    })
    .map((fields): Sent => {
      const { type } = fields
      const failure = type === 'puback' || type === 'pubrec' ? 0x97 : 0x92
      const five = fields.version === 5
      return {
        version: fields.version,
        from: fields.from,
        packet: {
          type,
          packetId: fields.packetId,
          reasonCode: five && fields.failed ? failure : 0,
          properties: five ? fields.properties : {},
        },
      }
    })

  const subscribe = fc
    .record({
      version,
      packetId,
      identifier: fc.integer({ min: 0, max: 268_435_455 }),
      subscriptions: fc.array(
        fc.record({
          filter,
          qos,
          noLocal: fc.boolean(),
          retainAsPublished: fc.boolean(),
          retainHandling: fc.constantFrom(0 as const, 1 as const, 2 as const),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      properties: properties.request,
    })
    .map((fields): Sent => {
      const five = fields.version === 5
      const old = { noLocal: false, retainAsPublished: false, retainHandling: 0 as const }
      const subscriptions = fields.subscriptions.map((request) => {
        return five
          ? { ...request, noLocal: request.noLocal && !request.filter.startsWith('$share/') }
          : { ...request, ...old }
      })
      return {
        version: fields.version,
        from: 'client',
        packet: {
          type: 'subscribe',
          packetId: fields.packetId,
          subscriptionIdentifier: five ? fields.identifier : 0,
          subscriptions,
          properties: five ? fields.properties : {},
        },
      }
    })

  const unsubscribe = fc
    .record({
      version,
      packetId,
      filters: fc.array(filter, { minLength: 1, maxLength: 4 }),
      properties: properties.request,
    })
    .map(({ version: level, ...fields }): Sent => {
      const packet: Packet = { type: 'unsubscribe', ...fields, properties: level === 5 ? fields.properties : {} }
      return { version: level, from: 'client', packet }
    })

  return fc.oneof(
    connect,
    publish,
    acknowledgement,
    subscribe,
    unsubscribe,
    answers(properties),
    connectionPackets(properties),
  )
}

function answers(properties: ReturnType<typeof arbitraryProperties>): fc.Arbitrary<Sent> {
  const connack = fc
    .record({
      version,
      sessionPresent: fc.boolean(),
      reasonCode: fc.constantFrom(0, 0x84, 0x85, 0x86, 0x87, 0x88),
      properties: properties.connack,
    })
    .map(({ version: level, ...fields }): Sent => {
      const sessionPresent = fields.sessionPresent && fields.reasonCode === 0 && level !== 3
      const packet: Packet = {
        type: 'connack',
        ...fields,
        sessionPresent,
        properties: level === 5 ? fields.properties : {},
      }
      return { version: level, from: 'broker', packet }
    })
  const suback = fc
    .record({
      packetId,
      old: codes([0, 1, 2, 0x80]),
      five: codes([0, 1, 2, 0x87, 0x8f]),
      properties: properties.acknowledgement,
    })
    .chain(({ old, five, ...fields }) =>
      version.map((level): Sent => {
        const packet: Packet =
          level === 5
            ? { type: 'suback', ...fields, reasonCodes: five }
            : { type: 'suback', ...fields, reasonCodes: old, properties: {} }
        return { version: level, from: 'broker', packet }
      }),
    )
  const unsuback = fc
    .record({ version, packetId, reasonCodes: codes([0, 0x11, 0x87]), properties: properties.acknowledgement })
    .map(({ version: level, ...fields }): Sent => {
      const old = { reasonCodes: [], properties: {} }
      const packet: Packet = { type: 'unsuback', ...fields, ...(level === 5 ? {} : old) }
      return { version: level, from: 'broker', packet }
    })
  return fc.oneof(connack, suback, unsuback)
}

function connectionPackets(properties: ReturnType<typeof arbitraryProperties>): fc.Arbitrary<Sent> {
  const pings = fc.constantFrom<Sent>(
    { version: 4, from: 'client', packet: { type: 'pingreq' } },
    { version: 4, from: 'broker', packet: { type: 'pingresp' } },
    { version: 3, from: 'client', packet: { type: 'disconnect', reasonCode: 0, properties: {} } },
  )
  const disconnectOfClient = fc
    .record({ reasonCode: fc.constantFrom(0, 4, 0x81), properties: properties.disconnectOfClient })
    .map((fields): Sent => ({ version: 5, from: 'client', packet: { type: 'disconnect', ...fields } }))
  const disconnectOfBroker = fc
    .record({ reasonCode: fc.constantFrom(0x8b, 0x8e, 0x95), properties: properties.disconnectOfBroker })
    .map((fields): Sent => ({ version: 5, from: 'broker', packet: { type: 'disconnect', ...fields } }))
  const auth = fc
    .record({ reasonCode: fc.constantFrom(0x18, 0x19), properties: properties.auth })
    .map((fields): Sent => ({ version: 5, from: 'client', packet: { type: 'auth', ...fields } }))
  const authOfBroker = fc
    .record({ reasonCode: fc.constantFrom(0, 0x18), properties: properties.auth })
    .map((fields): Sent => ({ version: 5, from: 'broker', packet: { type: 'auth', ...fields } }))
  return fc.oneof(pings, disconnectOfClient, disconnectOfBroker, auth, authOfBroker)
}
