import fc from 'fast-check'
import { encodeForwardProperties } from '../../../src/wire/mqtt/forward-properties.ts'
import type { Properties } from '../../../src/wire/mqtt/packet.ts'

/** Whatever a string may hold on the wire: any character but U+0000. */
export const text = fc.string({ unit: 'binary', maxLength: 12 }).map((any) => any.replaceAll('\0', '0'))
export const binary = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
export const topic = text.map((any) => `t${any.replaceAll(/[+#]/g, '/')}`)
export const packetId = fc.integer({ min: 1, max: 65_535 })

const flag = fc.constantFrom(0 as const, 1 as const)
const uint16 = fc.integer({ min: 0, max: 65_535 })
const positive16 = fc.integer({ min: 1, max: 65_535 })
const uint32 = fc.integer({ min: 0, max: 0xffffffff })
const pair = fc.tuple(text, text)

/**
 * User properties that an object can hold, which is how mqtt-packet gives them: names that differ, none of them a
 * number (objects reorder those), no empty values (it loses them where a name repeats).
 */
const plainPairs = fc.uniqueArray(
  pair.map(([name, value]): [string, string] => [`n${name}`, `v${value}`]),
  { selector: ([name]) => name, minLength: 1, maxLength: 4 },
)
const anyPairs = fc.array(pair, { minLength: 1, maxLength: 6 })

/** Data belongs to a method (MQTT 5, section 3.1.2.11.10). */
function withMethod({ authenticationData, ...rest }: Properties): Properties {
  if (rest.authenticationMethod === undefined || authenticationData === undefined) return rest
  return { ...rest, authenticationData }
}

/** Properties of each packet that has some; `plain` keeps to what mqtt-packet can express. */
export function arbitraryProperties(plain: boolean) {
  const userProperties = plain ? plainPairs : anyPairs
  const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => {
    return fc.record({ userProperties, ...model }, { requiredKeys: [] }) as fc.Arbitrary<Properties>
  }
  const acknowledgement = record({ reasonString: text })
  return {
    connect: record({
      sessionExpiryInterval: uint32,
      requestProblemInformation: flag,
      requestResponseInformation: flag,
      receiveMaximum: positive16,
      topicAliasMaximum: uint16,
      maximumPacketSize: fc.integer({ min: 1, max: 0xffffffff }),
      authenticationMethod: text,
      authenticationData: binary,
    }).map(withMethod),
    connack: record({
      sessionExpiryInterval: uint32,
      assignedClientIdentifier: text,
      serverKeepAlive: uint16,
      authenticationMethod: text,
      authenticationData: binary,
      responseInformation: text,
      serverReference: text,
      reasonString: text,
      receiveMaximum: positive16,
      topicAliasMaximum: uint16,
      maximumQoS: flag,
      retainAvailable: flag,
      maximumPacketSize: fc.integer({ min: 1, max: 0xffffffff }),
      wildcardSubscriptionAvailable: flag,
      subscriptionIdentifiersAvailable: flag,
      sharedSubscriptionAvailable: flag,
    }),
    acknowledgement,
    request: record({}),
    disconnectOfClient: record({ sessionExpiryInterval: uint32, reasonString: text }),
    disconnectOfBroker: record({ serverReference: text, reasonString: text }),
    auth: fc
      .tuple(text, record({ authenticationData: binary, reasonString: text }))
      .map(([authenticationMethod, others]): Properties => ({ authenticationMethod, ...others })),
    forward: record({
      payloadFormatIndicator: flag,
      contentType: text,
      responseTopic: topic,
      correlationData: binary,
    }).map((properties) => encodeForwardProperties(properties)),
  }
}
