import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../../src/base/errors.ts'
import { Message } from '../../../src/message/message.ts'
import type { QoS } from '../../../src/message/qos.ts'
import { Block } from '../../../src/store/block.ts'
import { decodeEntry, entryRecordBytes, writeEntry } from '../../../src/store/entry-record.ts'
import { decodeHead, encodeHead } from '../../../src/store/fifo-head.ts'
import {
  blockDataKey,
  blockKey,
  entrySeq,
  incomingKey,
  keyAfter,
  numberOfKey,
  parseIncomingKey,
  parseSubscriptionKey,
  prefixEnd,
  readU48,
  sessionKey,
  stringOfKey,
  subscriptionKey,
  subscriptionPrefix,
  writeU48,
} from '../../../src/store/keys.ts'
import { decodeMessage, encodeMessage } from '../../../src/store/message-record.ts'
import { bytesLike } from '../../support/damaged-bytes.ts'
import { runsWithin } from '../../support/property-runs.ts'

const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const identifier = fc.integer({ min: 0, max: 268_435_455 })
const name = fc.string({ unit: 'binary', maxLength: 40 })
const blob = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const message = fc
  .tuple(name, blob, fc.constantFrom<QoS>(0, 1, 2), fc.boolean(), blob, fc.oneof(fc.constant(0), u48), name)
  .map((parts) => new Message(...parts))

function plain(m: Message): object {
  const { topic, payload, qos, retain, properties, expiresAtMs, publisher } = m
  return {
    topic,
    payload: payload.toString('hex'),
    qos,
    retain,
    properties: properties.toString('hex'),
    expiresAtMs,
    publisher,
  }
}

describe('keys', () => {
  test('hold numbers of 48 bits', () => {
    fc.assert(
      fc.property(u48, (number) => {
        const bytes = Buffer.alloc(8)
        writeU48(bytes, number, 1)
        expect(readU48(bytes, 1)).toBe(number)
        expect(bytes.readUIntBE(1, 6)).toBe(number)
      }),
    )
  })

  test('order the blocks of a FIFO by number', () => {
    fc.assert(
      fc.property(u48, u48, u48, (fifoId, a, b) => {
        for (const keyOf of [blockKey, blockDataKey]) {
          expect(Buffer.compare(keyOf(fifoId, a), keyOf(fifoId, b))).toBe(Math.sign(a - b))
        }
      }),
    )
  })

  test('give back what they were made of', () => {
    fc.assert(
      fc.property(u48, u48, u32, name, name, (fifoId, seq, bytes, clientId, filter) => {
        const key = blockKey(fifoId, seq)
        expect([numberOfKey(key), entrySeq(key)]).toEqual([fifoId, seq])
        expect(stringOfKey(sessionKey(clientId))).toBe(clientId)
        expect(parseSubscriptionKey(subscriptionKey(clientId, filter))).toEqual({ clientId, filter })
        expect(parseIncomingKey(incomingKey(seq, bytes & 0xffff))).toEqual({
          sessionNumber: seq,
          packetId: bytes & 0xffff,
        })
      }),
    )
  })

  test('of one client are found by its prefix and not by that of another', () => {
    fc.assert(
      fc.property(name, name, name, (clientId, other, filter) => {
        const prefix = subscriptionPrefix(clientId)
        const key = subscriptionKey(other, filter)
        const inside = Buffer.compare(prefix, key) <= 0 && Buffer.compare(key, prefixEnd(prefix)) < 0
        expect(inside).toBe(clientId === other)
      }),
    )
  })

  test('have no key between themselves and keyAfter', () => {
    expect(Buffer.compare(Buffer.from([1, 2]), keyAfter(Buffer.from([1, 2])))).toBe(-1)
    expect(keyAfter(Buffer.from([1, 2]))).toEqual(Buffer.from([1, 2, 0]))
    expect(prefixEnd(Buffer.from([1, 0xff, 0xff]))).toEqual(Buffer.from([2]))
  })

  test('take a client identifier of 65,535 bytes', () => {
    const clientId = 'x'.repeat(65_535)
    expect(parseSubscriptionKey(subscriptionKey(clientId, 'a/#'))).toEqual({ clientId, filter: 'a/#' })
  })
})

describe('a stored message', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(message, (m) => {
        expect(plain(decodeMessage(encodeMessage(m)))).toEqual(plain(m))
      }),
    )
  })

  test('shares its payload with the record', () => {
    const record = encodeMessage(new Message('a', Buffer.from('payload'), 1, false))
    expect(decodeMessage(record).payload.buffer).toBe(record.buffer)
  })

  // Each kind by itself, and what is read of it, in test/fuzz/stored-records.test.ts.
  test('of any bytes is read or refused as damaged by whoever reads records', () => {
    fc.assert(
      fc.property(bytesLike(message.map(encodeMessage)), (record) => {
        for (const decode of [decodeMessage, decodeEntry, decodeHead, (bytes: Buffer) => Block.decode(1, bytes)]) {
          try {
            expect(decode(record)).toBeDefined()
          } catch (error) {
            expect(error).toBeInstanceOf(SluiceError)
            expect((error as SluiceError).code).toBe('STORE_RECORD_DAMAGED')
          }
        }
      }),
      runsWithin(2000, 500),
    )
  })

  test('that was cut off is refused', () => {
    const record = encodeMessage(new Message('topic', Buffer.alloc(0), 1, false, Buffer.from('p'), 5, 'client'))
    for (let length = 0; length < record.length; length++) {
      expect(() => decodeMessage(record.subarray(0, length))).toThrow(SluiceError)
    }
  })
})

function encodeEntry(m: Message, mark: number, identifiers: readonly number[], reference: boolean): Buffer {
  const record = Buffer.alloc(entryRecordBytes(m, identifiers, reference))
  expect(writeEntry(m, mark, identifiers, reference, record, 0)).toBe(record.length)
  return record
}

describe('a stored queue entry', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(message, u32, fc.array(identifier, { maxLength: 255 }), (m, mark, identifiers) => {
        const inline = decodeEntry(encodeEntry(m, mark, identifiers, false))
        expect(inline.message === undefined ? undefined : plain(inline.message)).toEqual(plain(m))
        expect(inline).toMatchObject({ mark, identifiers, settled: false })
        const apart = { mark, identifiers, settled: false, message: undefined }
        expect(decodeEntry(encodeEntry(m, mark, identifiers, true))).toEqual(apart)
      }),
    )
  })

  test('keeps 255 identifiers and no more', () => {
    const identifiers = Array.from({ length: 256 }, (_, i) => i + 1)
    const record = encodeEntry(new Message('a', Buffer.alloc(0), 0, false), 1, identifiers, true)
    expect(decodeEntry(record).identifiers).toEqual(identifiers.slice(0, 255))
  })
})

// Whoever subscribed with it, or its publisher, was disconnected when the message was sent.
test('a queue entry with a subscription identifier that cannot be sent is refused', () => {
  const record = encodeEntry(new Message('a', Buffer.alloc(0), 0, false), 1, [268_435_456], false)
  expect(() => decodeEntry(record)).toThrow('subscription identifier 268435456')
})

test('a queue entry of a time before 19 February 1970 is read: the clock of a board may not be set', () => {
  const record = encodeEntry(new Message('a', Buffer.alloc(0), 0, false), 1, [0], false)
  expect(decodeEntry(record).identifiers).toEqual([0])
})

describe('a key that is cut off is refused', () => {
  test.each([
    ['of a subscription', parseSubscriptionKey, subscriptionKey('client', '')],
    ['of a packet identifier', parseIncomingKey, incomingKey(1, 2)],
    ['of a block', entrySeq, blockKey(1, 2)],
    ['of a session', numberOfKey, blockKey(1, 2).subarray(0, 7)],
  ])('%s', (_, parse: (key: Buffer) => unknown, key) => {
    expect(() => parse(key)).not.toThrow()
    for (let length = 0; length < key.length; length++) {
      expect(() => parse(key.subarray(0, length))).toThrow(expect.objectContaining({ code: 'STORE_RECORD_DAMAGED' }))
    }
  })
})

test('the head of a queue comes back as it was', () => {
  fc.assert(
    fc.property(u48, u48, u48, fc.boolean(), (headSeq, reservedSeq, sentBelow, doomed) => {
      const head = { headSeq, reservedSeq, sentBelow, doomed }
      expect(decodeHead(encodeHead(head))).toEqual(head)
    }),
  )
})
