import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AmqpPart, type Death } from '../../../src/message/amqp-part.ts'
import { decodeProperties, encodeProperties, replaceProperties } from '../../../src/message/basic-properties.ts'
import { decodeTable, encodeTable, type FieldValue } from '../../../src/message/field-table.ts'
import { Message } from '../../../src/message/message.ts'
import { decodeMessage, encodeMessage } from '../../../src/store/message-record.ts'
import '../../support/property-runs.ts'

const text = fc.string({ unit: 'binary', maxLength: 20 })
const { value } = fc.letrec<{ value: FieldValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.boolean(),
    fc.constant(null),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).filter((number) => !Number.isInteger(number)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(text, tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
  ),
}))

test('a field table is read as it was written', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, value), { maxLength: 5 }), (entries) => {
      const table = new Map(entries)
      expect(decodeTable(encodeTable(table))).toEqual(table)
    }),
  )
})

test('a field table that is cut off, nested too deep or not one at all is refused', () => {
  const bytes = encodeTable(new Map([['a', 'text']]))
  for (let end = 1; end < bytes.length; end++) expect(() => decodeTable(bytes.subarray(0, end))).toThrow()
  let deep = Buffer.alloc(0)
  for (let i = 0; i < 40; i++) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(deep.length)
    deep = Buffer.concat([Buffer.from('\x01aF', 'latin1'), length, deep])
  }
  expect(() => decodeTable(deep)).toThrow('nested too deep')
  expect(() => decodeTable(Buffer.from('\x01a?', 'latin1'))).toThrow('unknown')
})

test('the L of py-amqp is a signed integer, and a long string that is not UTF-8 stays bytes', () => {
  const long = Buffer.from('\x01nL\xff\xff\xff\xff\xff\xff\xff\xfe', 'latin1')
  expect(decodeTable(long).get('n')).toBe(-2)
  const odd = Buffer.from('\x01sS\x00\x00\x00\x01\xff', 'latin1')
  expect(decodeTable(odd).get('s')).toEqual(Buffer.from([0xff]))
})

test('properties keep every byte of what is not replaced', () => {
  const before = encodeProperties({ contentType: 'a', headers: new Map([['h', 1]]), expiration: '5', clusterId: 'c' })
  const after = replaceProperties(before, new Map([['expiration', undefined]]))
  expect(after).toEqual(encodeProperties({ contentType: 'a', headers: new Map([['h', 1]]), clusterId: 'c' }))
  expect(decodeProperties(after)).toEqual({ contentType: 'a', headers: new Map([['h', 1]]), clusterId: 'c' })
})

test('a message is stored with all that it brought over AMQP and with its deaths', () => {
  const death: Death = {
    queue: 'q',
    reason: 'maxlen',
    count: 3,
    timeMs: 1_900_000_000_123,
    exchange: 'x',
    routingKeys: ['k', 'l'],
    originalExpiration: '5',
  }
  const message = new Message('a/b', Buffer.from('payload'), 1, false)
  const first = { reason: 'expired', queue: 'p', exchange: '' } as const
  message.amqp = new AmqpPart('x', 'a.b', encodeProperties({ messageId: 'm' }), [death], first)
  const { amqp, payload } = decodeMessage(encodeMessage(message))
  expect(payload.toString()).toBe('payload')
  expect(amqp).toMatchObject({ exchange: 'x', routingKey: 'a.b', deaths: [death], firstDeath: first })
  expect(amqp?.properties).toEqual(encodeProperties({ messageId: 'm' }))
})

test('a message without such parts is stored as before, byte for byte', () => {
  expect(encodeMessage(new Message('t', Buffer.from('p'), 1, false)).toString('hex')).toBe('010100017470')
})

test('a stored message that is cut off is said to be damaged', () => {
  const message = new Message('t', Buffer.from('p'), 1, false)
  message.amqp = new AmqpPart('exchange', 'key', Buffer.alloc(3))
  const record = encodeMessage(message)
  expect(() => decodeMessage(record.subarray(0, 12))).toThrow(/cannot be read/)
})
