import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { decodeWill, encodeWill } from '../../src/broker/will-record.ts'
import { Message } from '../../src/message/message.ts'
import type { QoS } from '../../src/message/qos.ts'
import { decodeSession, encodeSession } from '../../src/session/mqtt/session-record.ts'
import { decodeSubscription, encodeSubscription } from '../../src/session/mqtt/subscription-record.ts'
import { bytesLike } from '../support/damaged-bytes.ts'
import { runsWithin } from '../support/property-runs.ts'

const LIMIT = runsWithin(10_000, 700)
const IDENTIFIER_MAX = 268_435_455
const TIME_MAX = 2 ** 48 - 1
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const time = fc.integer({ min: 0, max: 2 ** 45 })
const name = fc.string({ unit: 'binary', maxLength: 40 })
const qos = fc.constantFrom<QoS>(0, 1, 2)
const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array))

const session = fc.record({
  number: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
  expirySeconds: u32,
  disconnectedAtMs: time,
})
const subscription = fc.record({
  qos,
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  identifier: fc.oneof(fc.integer({ min: 0, max: IDENTIFIER_MAX }), fc.constantFrom(0, IDENTIFIER_MAX)),
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

type Place = typeof place
const readSubscription = (record: Buffer, { requested, filter, shareName }: Place = place) =>
  decodeSubscription(requested, filter, shareName, record)

interface Kind {
  readonly kind: string
  readonly valid: fc.Arbitrary<Buffer>
  readonly check: (record: Buffer) => void
}

/** Whatever is read is what could have been written: it lies in its domain, and is written as the same bytes. */
const kinds: readonly Kind[] = [
  {
    kind: 'a session',
    valid: session.map(encodeSession),
    check(record: Buffer): void {
      const { number, disconnectedAtMs, ...read } = decodeSession(record)
      expect(number).toBeGreaterThan(0)
      expect(disconnectedAtMs).toBeGreaterThanOrEqual(0)
      expect(disconnectedAtMs).toBeLessThanOrEqual(TIME_MAX)
      expect(encodeSession({ number, disconnectedAtMs, ...read })).toEqual(zeroOf(record, 11))
    },
  },
  {
    kind: 'a subscription',
    valid: subscription.map((one) => encodeSubscription({ ...place, ...one })),
    check(record: Buffer): void {
      const read = readSubscription(record)
      expect([0, 1, 2]).toContain(read.qos)
      expect([0, 1, 2]).toContain(read.retainHandling)
      expect(read.identifier).toBeLessThanOrEqual(IDENTIFIER_MAX)
      expect(encodeSubscription(read)).toEqual(record)
    },
  },
  {
    kind: 'a will',
    valid: will.map(encodedWill),
    check(record: Buffer): void {
      const read = decodeWill(record)
      expect(read.dueAtMs).toBeGreaterThanOrEqual(0)
      expect(read.dueAtMs).toBeLessThanOrEqual(TIME_MAX)
      expect([0, 1, 2]).toContain(read.will.message.qos)
      const again = decodeWill(encodeWill(read.clientId, read.will, read.dueAtMs))
      expect(again.will.message.payload.equals(read.will.message.payload)).toBe(true)
      expect({ ...again, will: { ...again.will, message: undefined } }).toEqual({
        ...read,
        will: { ...read.will, message: undefined },
      })
    },
  },
]

/** No difference is made between 0 and -0. */
function zeroOf(record: Buffer, at: number): Buffer {
  const copy = Buffer.from(record)
  if (copy.readDoubleBE(at) === 0) copy.writeDoubleBE(copy.readDoubleBE(at), at)
  return copy
}

describe('any bytes are read as what can be, or refused as damaged:', () => {
  test.each(kinds)('$kind', ({ check, valid }) => {
    const property = fc.property(bytesLike(valid), (record) => {
      try {
        check(record)
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error
        expect(error.code).toBe('STORE_RECORD_DAMAGED')
      }
    })
    fc.assert(property, LIMIT)
  })
})

describe('a stored subscription is refused', () => {
  // Each of them was taken; the first message that matched then closed the connection of its publisher.
  test.each([
    ['whose identifier is larger than can be sent', '010910000000'],
    ['whose retain handling is 3', '013100000001'],
    ['with an option that SUBSCRIBE does not have', '014100000001'],
    ['with QoS 3', '010300000001'],
  ])('%s, and named', (_, hex) => {
    expect(() => readSubscription(Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'STORE_RECORD_DAMAGED', message: expect.stringContaining("'$share/g/f'") }),
    )
  })

  test('only beyond the largest identifier', () => {
    expect(readSubscription(Buffer.from('01090fffffff', 'hex')).identifier).toBe(IDENTIFIER_MAX)
  })
})

describe('a time that is none is refused', () => {
  const never = [Number.NaN, Number.POSITIVE_INFINITY, -1, 2 ** 48]

  test.each(never)('in a session: %d', (disconnectedAtMs) => {
    const record = encodeSession({ number: 1, expirySeconds: 1, disconnectedAtMs })
    expect(() => decodeSession(record)).toThrow(SluiceError)
  })

  test.each(never)('in a will: %d', (dueAtMs) => {
    const message = new Message('t', Buffer.alloc(0), 0, false)
    const record = encodeWill('c', { message, delaySeconds: 0, expirySeconds: undefined }, dueAtMs)
    expect(() => decodeWill(record)).toThrow(SluiceError)
  })
})
