import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { decodeWill, encodeWill } from '../../src/broker/will-record.ts'
import { Message } from '../../src/message/message.ts'
import type { QoS } from '../../src/message/qos.ts'
import { decodeSession, encodeSession } from '../../src/session/mqtt/session-record.ts'
import { decodeSubscription, encodeSubscription } from '../../src/session/mqtt/subscription-record.ts'
import { runsWithin } from '../support/property-runs.ts'

const LIMIT = runsWithin(20_000, 1500)
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const time = fc.integer({ min: 0, max: 2 ** 45 })
const name = fc.string({ unit: 'binary', maxLength: 40 })
const qos = fc.constantFrom<QoS>(0, 1, 2)
const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array))

const session = fc.record({ number: u48, expirySeconds: u32, disconnectedAtMs: time })
const subscription = fc.record({
  qos,
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  identifier: fc.integer({ min: 0, max: 268_435_455 }),
})
const place = { requested: '$share/g/f', filter: 'f', shareName: 'g' }
const will = fc.record({
  clientId: name,
  dueAtMs: time,
  delaySeconds: u32,
  expirySeconds: fc.option(fc.nat(0xffff_fffe), { nil: undefined }),
  message: fc
    .tuple(name, bytes, qos, fc.boolean(), bytes, fc.constant(0), name)
    .map((parts) => new Message(...parts).own()),
})

function encodedWill({ clientId, dueAtMs, ...rest }: Parameters<Parameters<typeof will.map>[0]>[0]): Buffer {
  return encodeWill(clientId, rest, dueAtMs)
}

describe('what is stored of a session comes back as it was:', () => {
  test('the session', () => {
    const property = fc.property(session, (one) => {
      expect(decodeSession(encodeSession(one))).toEqual(one)
    })
    fc.assert(property, LIMIT)
  })

  test('a subscription', () => {
    const property = fc.property(subscription, (one) => {
      const record = encodeSubscription({ ...place, ...one })
      expect(decodeSubscription(place.requested, place.filter, place.shareName, record)).toEqual({ ...place, ...one })
    })
    fc.assert(property, LIMIT)
  })

  test('a will', () => {
    const property = fc.property(will, (one) => {
      const { clientId, dueAtMs, delaySeconds, expirySeconds, message } = one
      const { topic, payload, qos: sent, retain, properties, publisher } = message
      const read = decodeWill(encodedWill(one))
      expect(read).toMatchObject({ clientId, dueAtMs, will: { delaySeconds, expirySeconds } })
      expect(read.will.message).toMatchObject({ topic, qos: sent, retain, publisher })
      expect(read.will.message.payload.equals(payload)).toBe(true)
      expect(read.will.message.properties.equals(properties)).toBe(true)
    })
    fc.assert(property, LIMIT)
  })
})

/** A record with some bytes changed, cut off or put in front. */
function damaged(record: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const changes = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 })
  return fc.tuple(record, changes, fc.nat(200)).map(([whole, places, length]) => {
    const copy = Buffer.from(whole.subarray(0, Math.max(0, whole.length - (length < 100 ? 0 : length - 100))))
    for (const [at, value] of places) if (at < copy.length) copy[at] = value
    return copy
  })
}

describe('any bytes are read or refused by a SluiceError, as', () => {
  const kinds = [
    { kind: 'a session', read: decodeSession, valid: session.map(encodeSession) },
    {
      kind: 'a subscription',
      read: (record: Buffer) => decodeSubscription(place.requested, place.filter, place.shareName, record),
      valid: subscription.map((one) => encodeSubscription({ ...place, ...one })),
    },
    { kind: 'a will', read: decodeWill, valid: will.map(encodedWill) },
  ]
  test.each(kinds)('$kind', ({ read, valid }) => {
    const property = fc.property(fc.oneof(bytes, damaged(valid)), (record) => {
      try {
        expect(read(record)).toBeDefined()
      } catch (error) {
        expect(error).toBeInstanceOf(SluiceError)
      }
    })
    fc.assert(property, LIMIT)
  })
})
