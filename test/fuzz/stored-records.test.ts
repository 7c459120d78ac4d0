import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { AmqpPart, type Death, decodeAmqpPart } from '../../src/message/amqp-part.ts'
import { type BasicProperties, decodeProperties, encodeProperties } from '../../src/message/basic-properties.ts'
import {
  decodeTable,
  encodeTable,
  type FieldTable,
  FieldTableError,
  type FieldValue,
  fieldSpans,
} from '../../src/message/field-table.ts'
import { Message } from '../../src/message/message.ts'
import type { QoS } from '../../src/message/qos.ts'
import { Exchange, type ExchangeType } from '../../src/queue/exchange.ts'
import {
  decodeBinding,
  decodeExchange,
  decodeQueue,
  encodeBinding,
  encodeExchange,
  encodeQueue,
} from '../../src/queue/queue-definition.ts'
import { readSettings } from '../../src/queue/queue-settings.ts'
import { Batch } from '../../src/store/batch.ts'
import { Block, BLOCK_SPAN_MAX } from '../../src/store/block.ts'
import {
  blockOfData,
  DATA_HEADER_BYTES,
  decodeData,
  encodeData,
  entryDataBytes,
  referencesOf,
} from '../../src/store/block-data.ts'
import { entriesToBlocks } from '../../src/store/entries-to-blocks.ts'
import { decodeEntry, entryRecordBytes, writeEntry } from '../../src/store/entry-record.ts'
import { FifoEntry } from '../../src/store/fifo-entry.ts'
import { decodeHead, encodeHead } from '../../src/store/fifo-head.ts'
import {
  bindingKey,
  blockKey,
  entrySeq,
  incomingKey,
  KIND_BLOCK,
  KIND_BLOCK_DATA,
  KIND_ENTRY,
  kindKey,
  numberOfKey,
  parseIncomingKey,
  parseSubscriptionKey,
  subscriptionKey,
  writeU48,
} from '../../src/store/keys.ts'
import { MemoryBackend } from '../../src/store/memory/memory-backend.ts'
import { decodeMessage, encodeMessage } from '../../src/store/message-record.ts'
import { bytesLike, damagedBytes } from '../support/damaged-bytes.ts'
import { runsWithin } from '../support/property-runs.ts'

const LIMIT = runsWithin(2000, 400)
const IDENTIFIER_MAX = 268_435_455
const NUMBER_LIMIT = 2 ** 48

const u48 = fc.integer({ min: 0, max: NUMBER_LIMIT - 1 })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
const text = fc.string({ unit: 'binary', maxLength: 20 })
const blob = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array))
const seconds = fc.integer({ min: -62_135_596_800, max: 8_640_000_000_000 })

const fieldValue: fc.Arbitrary<FieldValue> = fc.letrec<{ value: FieldValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    text,
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.boolean(),
    fc.constant(null),
    seconds.map((each) => new Date(each * 1000)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }).map((fields) => new Map(fields)),
  ),
})).value
const fieldTable: fc.Arbitrary<FieldTable> = fc
  .array(fc.tuple(name, fieldValue), { maxLength: 5 })
  .map((fields) => new Map(fields))

const properties: fc.Arbitrary<BasicProperties> = fc.record(
  {
    contentType: text,
    headers: fieldTable,
    deliveryMode: fc.constantFrom(1, 2),
    priority: fc.nat(255),
    correlationId: text,
    expiration: fc.nat().map(String),
    messageId: text,
    timestamp: fc.maxSafeNat(),
    clusterId: text,
  },
  { requiredKeys: [] },
)

const death: fc.Arbitrary<Death> = fc.record({
  queue: name,
  reason: fc.constantFrom('rejected', 'expired', 'maxlen', 'delivery_limit'),
  count: u32,
  timeMs: u48,
  exchange: text,
  routingKeys: fc.array(text, { maxLength: 3 }),
  originalExpiration: text,
})
const amqpPart = fc
  .tuple(text, text, properties.map(encodeProperties), fc.array(death, { maxLength: 3 }))
  .map(([exchange, key, raw, deaths]) => new AmqpPart(exchange, key, raw, deaths))

const message = fc
  .tuple(name, blob, fc.constantFrom<QoS>(0, 1, 2), fc.boolean(), blob, fc.oneof(fc.constant(0), u48), text)
  .chain((parts) =>
    fc.option(amqpPart, { nil: undefined }).map((part) => {
      const made = new Message(...parts)
      made.amqp = part
      return made
    }),
  )
const identifiers = fc.array(fc.integer({ min: 0, max: IDENTIFIER_MAX }), { maxLength: 4 })
const entryRecord = fc.tuple(message, u32, identifiers, fc.boolean()).map(([one, mark, list, apart]) => {
  const record = Buffer.alloc(entryRecordBytes(one, list, apart))
  writeEntry(one, mark, list, apart, record, 0)
  return record
})

interface Stored {
  readonly block: Block
  readonly data: Buffer
  readonly messages: ReadonlyMap<number, Message>
}

/** A block with its data, of which some entries are gone and some settled; its last entries often are gone. */
const stored: fc.Arbitrary<Stored> = fc
  .tuple(
    fc.integer({ min: 1, max: 2 ** 40 }),
    fc.array(fc.tuple(message, fc.constantFrom(1, 1, 1, 9), identifiers, fc.constantFrom(0, 0, 0, 7)), {
      minLength: 1,
      maxLength: 5,
    }),
    fc.array(fc.constantFrom('live', 'live', 'gone', 'settled'), { minLength: 5, maxLength: 5 }),
  )
  .map(([firstSeq, list, fates]) => {
    let seq = firstSeq
    const entries = list.map(([one, step, numbers, bodyId], i) => {
      const entry = new FifoEntry({ fifoId: 1 }, seq, one, i, numbers, 100 + i)
      entry.bodyId = bodyId
      seq += step
      return entry
    })
    const bytes = entries.reduce((sum, entry) => sum + entryDataBytes(entry), DATA_HEADER_BYTES)
    const data = encodeData(entries, 0, entries.length, bytes)
    const block = new Block(firstSeq, (entries.at(-1)?.seq ?? 0) - firstSeq + 1)
    for (const entry of entries) block.add(entry.seq, entry.bytes)
    for (const [i, { seq: each, bytes: size }] of entries.entries()) {
      if (fates[i] === 'gone' && block.liveCount > 1) block.kill(each, size)
      else if (fates[i] === 'settled') block.settle(each, i, size)
    }
    block.dataBytes = data.length
    block.hasReferences = entries.some(({ bodyId }) => bodyId !== 0)
    return { block, data, messages: new Map(entries.map((entry) => [entry.seq, entry.message])) }
  })

const queueRecord = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 40 }), fc.boolean(), fc.boolean())
  .chain(([number, firstFifoId, autoDelete, mayExpire]) =>
    fc
      .record(
        {
          'x-max-priority': fc.nat(255),
          'x-message-ttl': u32,
          'x-dead-letter-exchange': text,
          'x-overflow': fc.constantFrom('drop-head', 'reject-publish'),
          'x-retry-delays': fc.array(fc.nat(), { maxLength: 3 }),
          other: fieldValue,
        },
        { requiredKeys: [] },
      )
      .map((args) => {
        const table = new Map(Object.entries(args) as [string, FieldValue][])
        const definition = { name: 'q', durable: true, exclusive: false, autoDelete, arguments: table }
        return encodeQueue({ definition, number, firstFifoId, mayExpire })
      }),
  )
const exchangeRecord = fc
  .tuple(fc.constantFrom<ExchangeType>('direct', 'fanout', 'topic', 'headers'), fc.boolean(), fc.boolean(), fieldTable)
  .map(([type, autoDelete, internal, args]) =>
    encodeExchange(new Exchange({ name: 'x', type, durable: true, autoDelete, internal, arguments: args })),
  )
const bindingRecord = fc
  .tuple(name, fc.constantFrom('queue' as const, 'exchange' as const), name, text, fieldTable)
  .map(([source, targetKind, target, key, args]) => encodeBinding({ source, targetKind, target, key, arguments: args }))

/** Reads; refuses with the one error that is documented, and answers nothing then. */
function read<T>(work: () => T, documented: (error: unknown) => boolean = isDamage): T | undefined {
  try {
    return work()
  } catch (error) {
    if (documented(error)) return undefined
    throw error
  }
}

const isDamage = (error: unknown): boolean => error instanceof SluiceError && error.code === 'STORE_RECORD_DAMAGED'
const isTableError = (error: unknown): boolean => error instanceof FieldTableError
const isRangeError = (error: unknown): boolean => error instanceof RangeError

function expectMessage(found: Message, record: Buffer): void {
  expect([0, 1, 2]).toContain(found.qos)
  expect(Number.isSafeInteger(found.expiresAtMs) && found.expiresAtMs >= 0).toBe(true)
  expect(found.payload.length + found.properties.length).toBeLessThan(record.length)
  // Valid text is as long as it was; what is none has other characters in its place.
  if (!found.topic.includes('\ufffd') && !found.publisher.includes('\ufffd')) {
    const again = encodeMessage(found)
    expect(decodeMessage(again).payload.equals(found.payload)).toBe(true)
    expect(again.length).toBeLessThanOrEqual(record.length)
  }
}

function expectBlock(block: Block): void {
  expect(block.span).toBeGreaterThan(0)
  expect(block.span).toBeLessThanOrEqual(BLOCK_SPAN_MAX)
  expect(block.live.length).toBe((block.span + 7) >>> 3)
  expect(block.liveSeqs().length).toBe(block.liveCount)
  for (const offset of block.settled?.keys() ?? []) expect(block.isLive(block.firstSeq + offset)).toBe(true)
}

function expectTable(found: FieldTable): void {
  const bytes = encodeTable(found)
  expect(encodeTable(decodeTable(bytes)).equals(bytes)).toBe(true)
}

interface Kind {
  readonly kind: string
  readonly valid: fc.Arbitrary<Buffer>
  /** Reads the bytes, and looks at what was read. */
  readonly check: (bytes: Buffer) => void
}

const kinds: readonly Kind[] = [
  {
    kind: 'a message',
    valid: message.map(encodeMessage),
    check(record) {
      const found = read(() => decodeMessage(record))
      if (found !== undefined) expectMessage(found, record)
    },
  },
  {
    kind: 'a queue entry',
    valid: entryRecord,
    check(record) {
      const found = read(() => decodeEntry(record))
      if (found === undefined) return
      for (const identifier of found.identifiers) {
        expect(identifier).toBeGreaterThanOrEqual(0)
        expect(identifier).toBeLessThanOrEqual(IDENTIFIER_MAX)
      }
      expect(found.mark >>> 0).toBe(found.mark)
      if (found.message !== undefined) expectMessage(found.message, record)
    },
  },
  {
    kind: 'the head of a queue',
    valid: fc
      .record({ headSeq: u48, reservedSeq: u48, sentBelow: u48, doomed: fc.boolean() })
      .map((head) => encodeHead(head)),
    check(record) {
      const found = read(() => decodeHead(record))
      if (found === undefined) return
      expect(decodeHead(encodeHead(found))).toEqual(found)
    },
  },
  {
    kind: 'a block',
    valid: stored.map(({ block }) => block.encode()),
    check(record) {
      const found = read(() => Block.decode(5, record))
      if (found === undefined) return
      expectBlock(found)
      expect(Block.decode(5, found.encode()).liveSeqs()).toEqual(found.liveSeqs())
    },
  },
  {
    kind: 'a queue',
    valid: queueRecord,
    check(record) {
      const found = read(() => decodeQueue('q', record))
      if (found === undefined) return
      expect(found.number).toBeGreaterThan(0)
      const { maxPriority } = readSettings(found.definition, found.definition.arguments)
      expect(found.firstFifoId + maxPriority).toBeLessThan(NUMBER_LIMIT)
      expectTable(found.definition.arguments)
      expect(decodeQueue('q', encodeQueue(found))).toEqual(found)
    },
  },
  {
    kind: 'an exchange',
    valid: exchangeRecord,
    check(record) {
      const found = read(() => decodeExchange('x', record))
      if (found === undefined) return
      expectTable(found.arguments)
      expect(decodeExchange('x', encodeExchange(new Exchange(found)))).toEqual(found)
    },
  },
  {
    kind: 'a binding',
    valid: bindingRecord,
    check(record) {
      const binding = read(() => decodeBinding(record, bindingKey(7)))
      if (binding === undefined) return
      expect(['queue', 'exchange']).toContain(binding.targetKind)
      for (const each of [binding.source, binding.target, binding.key]) expect(typeof each).toBe('string')
      expectTable(binding.arguments)
      expect(decodeBinding(encodeBinding(binding))).toEqual(binding)
    },
  },
  {
    kind: 'the AMQP part of a message',
    valid: amqpPart.map(({ record }) => record),
    check(record) {
      const found = read(() => decodeAmqpPart(record), isRangeError)
      if (found === undefined) return
      for (const { reason, count, timeMs } of found.deaths) {
        expect(['rejected', 'expired', 'maxlen', 'delivery_limit']).toContain(reason)
        expect(count).toBeGreaterThanOrEqual(0)
        expect(timeMs).toBeGreaterThanOrEqual(0)
      }
      const { exchange, routingKey, properties: raw, deaths, firstDeath } = found
      const again = new AmqpPart(exchange, routingKey, raw, deaths, firstDeath)
      expect(decodeAmqpPart(again.record)).toMatchObject({ exchange, routingKey, deaths })
    },
  },
  {
    kind: 'a field table',
    valid: fieldTable.map(encodeTable),
    check(bytes) {
      const found = read(() => decodeTable(bytes), isTableError)
      const spans = read(() => fieldSpans(bytes), isTableError)
      expect(spans === undefined).toBe(found === undefined)
      if (found === undefined) return
      expectTable(found)
      expect(new Set(spans?.map((span) => span.name))).toEqual(new Set(found.keys()))
    },
  },
  {
    kind: 'basic properties',
    valid: properties.map(encodeProperties),
    check(bytes) {
      const found = read(() => decodeProperties(bytes), isTableError)
      // What is no UTF-8 may be longer with other characters in its place.
      const again = found === undefined ? undefined : read(() => encodeProperties(found), isTableError)
      if (again !== undefined) expect(encodeProperties(decodeProperties(again)).equals(again)).toBe(true)
    },
  },
  {
    kind: 'a key',
    valid: fc.oneof(
      fc.tuple(text, text).map(([clientId, filter]) => subscriptionKey(clientId, filter)),
      fc.tuple(u48, fc.nat(0xffff)).map(([number, id]) => incomingKey(number, id)),
      fc.tuple(u48, u48).map(([fifo, seq]) => blockKey(fifo, seq)),
    ),
    check(key) {
      const subscription = read(() => parseSubscriptionKey(key))
      const bytes = Buffer.byteLength(`${subscription?.clientId}${subscription?.filter}`)
      if (subscription !== undefined) expect(bytes).toBeGreaterThanOrEqual(key.length - 3)
      const incoming = read(() => parseIncomingKey(key))
      if (incoming !== undefined) {
        const { sessionNumber, packetId } = incoming
        expect(incomingKey(sessionNumber, packetId).subarray(1).equals(key.subarray(1))).toBe(true)
      }
      for (const number of [read(() => numberOfKey(key)), read(() => entrySeq(key))]) {
        if (number !== undefined) expect(Number.isSafeInteger(number) && number >= 0).toBe(true)
      }
    },
  },
]

describe('any bytes are read as what can be, or refused as damaged:', () => {
  test.each(kinds)('$kind', ({ valid, check }) => {
    fc.assert(fc.property(bytesLike(valid), check), LIMIT)
  })

  test.each(kinds)('$kind that is whole', ({ valid, check }) => {
    fc.assert(fc.property(valid, check), runsWithin(200, 150))
  })
})

describe('the data of a block', () => {
  test('of any bytes gives what can be read, and tells of the rest', () => {
    const data = stored.chain((one) => bytesLike(fc.constant(one.data)).map((bytes) => ({ ...one, bytes })))
    const property = fc.property(data, ({ block, bytes }) => {
      const entries = decodeData(block, bytes, 0, (error) => expect(isDamage(error)).toBe(true))
      expect(entries.map(({ seq }) => seq)).toEqual(block.liveSeqs())
      for (const { record, message: found, bodyId } of entries) {
        expect(Number.isSafeInteger(bodyId)).toBe(true)
        if (found !== undefined) expectMessage(found, bytes)
        for (const identifier of record?.identifiers ?? []) expect(identifier).toBeLessThanOrEqual(IDENTIFIER_MAX)
      }
      const made = blockOfData(block.firstSeq, bytes, new Set([7]))
      if (made !== undefined) expectBlock(made)
      for (const bodyId of read(() => referencesOf(block, bytes)) ?? []) expect(bodyId).toBeGreaterThan(0)
    })
    fc.assert(property, LIMIT)
  })

  test('that is cut off never hands out a message as if it were whole', () => {
    const property = fc.property(stored, fc.nat(), ({ block, data, messages }, where) => {
      const cut = data.subarray(0, where % data.length)
      let failures = 0
      const entries = decodeData(block, cut, 0, () => failures++)
      for (const { seq, message: found } of entries) {
        if (found !== undefined) expect(found.payload.equals(messages.get(seq)?.payload as Buffer)).toBe(true)
      }
      const isWhole = entries.every(({ record }) => record !== undefined)
      if (!isWhole) expect(failures).toBeGreaterThan(0)
    })
    fc.assert(property, LIMIT)
  })
})

test('a block that is cut off is refused', () => {
  const property = fc.property(stored, fc.nat(), ({ block }, where) => {
    const record = block.encode()
    expect(() => Block.decode(block.firstSeq, record.subarray(0, where % record.length))).toThrow(SluiceError)
  })
  fc.assert(property, LIMIT)
})

test('entries of format 1 become blocks that can be read, or are left out', { timeout: 20_000 }, async () => {
  const key = fc.tuple(u48, u48, u48, u32).map(([fifoId, seq, bodyId, bytes]) => {
    const made = Buffer.alloc(23)
    made[0] = KIND_ENTRY
    writeU48(made, fifoId, 1)
    writeU48(made, seq, 7)
    writeU48(made, bodyId, 13)
    made.writeUInt32BE(bytes, 19)
    return made
  })
  const damagedKey = fc.oneof(
    { arbitrary: key, weight: 3 },
    damagedBytes(key).map((bytes) => Buffer.concat([kindKey(KIND_ENTRY), bytes.subarray(1)])),
  )
  const rows = fc.array(fc.tuple(damagedKey, bytesLike(entryRecord)), { minLength: 1, maxLength: 4 })
  const property = fc.asyncProperty(rows, async (all) => {
    const backend = new MemoryBackend()
    const batch = new Batch()
    for (const [each, value] of all) batch.put(each, value)
    await new Promise((resolve) => backend.write(batch, resolve))
    await entriesToBlocks(backend)
    expect(await backend.scanKeys(kindKey(KIND_ENTRY), kindKey(KIND_ENTRY + 1), 10)).toEqual([])
    const blocks = await backend.scan(kindKey(KIND_BLOCK), kindKey(KIND_BLOCK + 1), 10)
    const data = await backend.scan(kindKey(KIND_BLOCK_DATA), kindKey(KIND_BLOCK_DATA + 1), 10)
    for (const [each, value] of blocks) {
      const block = Block.decode(entrySeq(each), value)
      expectBlock(block)
      const own = data.find(([other]) => other.subarray(1).equals(each.subarray(1)))?.[1]
      decodeData(block, block.inside ?? own, 0, (error) => {
        throw error
      })
    }
  })
  await fc.assert(property, runsWithin(1500, 800))
})

describe('a stored block is refused', () => {
  // It was counted, and never found: its queue waited for it for good.
  test('when it holds a number beyond its span', () => {
    const block = new Block(1, 9)
    block.add(9, 100)
    const record = block.encode()
    record[record.length - 1] = 2
    expect(() => Block.decode(1, record)).toThrow('it holds more than it spans')
  })

  // It was read as one entry that is gone.
  test('when the last byte of its live entries is missing', () => {
    const block = new Block(1, 9)
    block.add(1, 100)
    const record = block.encode()
    expect(() => Block.decode(1, record.subarray(0, -1))).toThrow('cut off')
  })
})

describe('the data of a block whose record is lost', () => {
  // A repair counted it twice, and what it had saved could not be read.
  test('gives no block when an entry is in it twice', () => {
    const entry = new FifoEntry({ fifoId: 1 }, 5, new Message('a', Buffer.from('x'), 1, false), 0, [], 100)
    const data = encodeData([entry], 0, 1, DATA_HEADER_BYTES + entryDataBytes(entry))
    const twice = Buffer.concat([data, data.subarray(DATA_HEADER_BYTES)])
    expect(blockOfData(5, data, new Set())?.liveCount).toBe(1)
    expect(blockOfData(5, twice, new Set())).toBeUndefined()
  })
})

describe('a timestamp in a field table', () => {
  const at = (value: bigint): Buffer => {
    const field = Buffer.from('\u0001aT\0\0\0\0\0\0\0\0', 'latin1')
    field.writeBigInt64BE(value, 3)
    return field
  }

  // It was read as a time that is none, and threw when it was written again.
  test.each([8_640_000_000_001n, -8_640_000_000_001n, 2n ** 63n - 1n])('that no time has is refused: %d', (value) => {
    expect(() => decodeTable(at(value))).toThrow(new FieldTableError('a timestamp is out of range'))
  })

  test.each([8_640_000_000_000n, 0n, -1n])('comes back as it was: %d', (value) => {
    expect(encodeTable(decodeTable(at(value)))).toEqual(at(value))
  })

  test('of a program that has none is refused', () => {
    expect(() => encodeTable(new Map([['a', new Date(Number.NaN)]]))).toThrow(FieldTableError)
  })
})

test('a field name that is no text is refused: it could be too long to be written again', () => {
  const field = Buffer.concat([Buffer.of(255), Buffer.alloc(255, 0xff), Buffer.from('V')])
  expect(() => decodeTable(field)).toThrow(new FieldTableError('a field name is no UTF-8'))
})
