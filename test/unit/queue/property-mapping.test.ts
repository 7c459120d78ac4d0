import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AmqpPart } from '../../../src/message/amqp-part.ts'
import { type BasicProperties, decodeProperties, encodeProperties } from '../../../src/message/basic-properties.ts'
import { EMPTY, Message } from '../../../src/message/message.ts'
import { tableOf, type PlainTable } from '../../../src/message/plain-table.ts'
import { amqpProperties, mqttProperties } from '../../../src/message/property-mapping.ts'
import { decodeForwardProperties, encodeForwardProperties } from '../../../src/wire/mqtt/forward-properties.ts'
import type { Properties } from '../../../src/wire/mqtt/packet.ts'

const NOW = 1_900_000_000_000

function overMqtt(properties: Properties, topic = 'a.b/c', expiresAtMs = 0, qos: 0 | 1 = 1): BasicProperties {
  const message = new Message(topic, EMPTY, qos, false, encodeForwardProperties(properties), expiresAtMs)
  return decodeProperties(amqpProperties(message, NOW))
}

function overAmqp(properties: BasicProperties): Properties {
  const message = new Message('a', EMPTY, 1, false)
  message.amqp = new AmqpPart('amq.topic', 'a', encodeProperties(properties))
  return decodeForwardProperties(mqttProperties(message))
}

describe('a message from MQTT to AMQP', () => {
  test('keeps content type, correlation data and the user properties, and tells the exact topic', () => {
    const found = overMqtt({
      contentType: 'text/plain',
      correlationData: Buffer.from('7'),
      userProperties: [
        ['colour', 'red'],
        ['colour', 'blue'],
      ],
    })
    expect(found).toEqual({
      contentType: 'text/plain',
      correlationId: '7',
      deliveryMode: 2,
      headers: new Map([
        ['x-mqtt-topic', 'a.b/c'],
        ['colour', 'red'],
      ]),
    })
  })

  test('of QoS 0 is transient', () => {
    expect(overMqtt({}, 'a', 0, 0).deliveryMode).toBe(1)
  })

  test('has what is left of its expiry, in milliseconds', () => {
    expect(overMqtt({}, 'a', NOW + 1500).expiration).toBe('1500')
    expect(overMqtt({}, 'a', NOW - 1).expiration).toBe('0')
  })

  test('keeps what a short text cannot hold in headers', () => {
    const { headers, ...rest } = overMqtt({
      contentType: 'naïve',
      correlationData: Buffer.from([0xff]),
      responseTopic: 'answers/to.me',
      payloadFormatIndicator: 1,
    })
    expect(rest).toEqual({ deliveryMode: 2 })
    expect(headers?.get('x-mqtt-content-type')).toBe('naïve')
    expect(headers?.get('x-correlation-id')).toEqual(Buffer.from([0xff]))
    expect(headers?.get('x-reply-to-topic')).toBe('answers.to%2Eme')
    expect(headers?.get('x-mqtt-pfi')).toBe(1)
  })

  test('cannot say that it has another topic or another user', () => {
    const found = overMqtt({
      userProperties: [
        ['x-mqtt-topic', 'other'],
        ['amqp-user-id', 'root'],
      ],
    })
    expect(found.headers?.get('x-mqtt-topic')).toBe('a.b/c')
    expect(found.userId).toBeUndefined()
  })

  test('leaves out a user property whose name no header can have', () => {
    expect([...(overMqtt({ userProperties: [['n'.repeat(256), 'v']] }).headers ?? [])]).toHaveLength(1)
  })
})

describe('a message from AMQP to MQTT', () => {
  test('has texts, numbers and truth values as user properties', () => {
    const headers = tableOf({
      s: 'text',
      i: -3,
      d: 1.5,
      b: true,
      n: null,
      l: 2n ** 40n,
      t: new Date(5000),
    } as PlainTable)
    expect(overAmqp({ headers }).userProperties).toEqual([
      ['s', 'text'],
      ['i', '-3'],
      ['d', '1.5'],
      ['b', 'true'],
      ['n', ''],
      ['l', '1099511627776'],
      ['t', '5'],
    ])
  })

  test('leaves tables, arrays, bytes and what MQTT forbids behind', () => {
    const headers = tableOf({ a: [1], f: { x: 1 }, x: Buffer.from([255]), zero: 'a\0b' })
    expect(overAmqp({ headers, contentType: 'a\0' })).toEqual({})
  })

  test('keeps the properties that MQTT has not as user properties', () => {
    const { userProperties } = overAmqp({
      messageId: 'm',
      replyTo: 'r',
      type: 't',
      appId: 'p',
      priority: 4,
      timestamp: 9,
    })
    expect(new Map(userProperties)).toEqual(
      new Map([
        ['amqp-reply-to', 'r'],
        ['amqp-message-id', 'm'],
        ['amqp-type', 't'],
        ['amqp-app-id', 'p'],
        ['amqp-priority', '4'],
        ['amqp-timestamp', '9'],
      ]),
    )
  })

  test('has none when its properties cannot be read', () => {
    const message = new Message('a', EMPTY, 1, false)
    message.amqp = new AmqpPart('', 'a', Buffer.from([0x80, 0x00, 9]))
    expect(mqttProperties(message)).toEqual(EMPTY)
  })
})

test('a message over MQTT has its own properties again after it was given to AMQP and came back', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((value) => !value.includes('\0'))
  const topic = fc.constantFrom('a/b', 'a.b/c', '%', '/', 'x%2E')
  const record = fc.record(
    {
      payloadFormatIndicator: fc.constantFrom(0, 1),
      contentType: text,
      responseTopic: topic,
      correlationData: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      userProperties: fc.uniqueArray(fc.tuple(text, text), { maxLength: 3, minLength: 1, selector: ([name]) => name }),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(record, (properties) => {
      const there = amqpProperties(
        new Message('a', EMPTY, 1, false, encodeForwardProperties(properties as Properties)),
        NOW,
      )
      const back = new Message('a', EMPTY, 1, false)
      back.amqp = new AmqpPart('amq.topic', 'a', there)
      expect(decodeForwardProperties(mqttProperties(back))).toEqual(properties)
    }),
  )
})
