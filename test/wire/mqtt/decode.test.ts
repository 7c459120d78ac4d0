import { describe, expect, it } from 'vitest'
import { encode } from '../../../src/wire/mqtt/encode.ts'
import { ProtocolError } from '../../../src/wire/mqtt/protocol-error.ts'
import { acknowledgementCases } from './acknowledgement-cases.ts'
import { brokerCases } from './broker-cases.ts'
import { connectCases } from './connect-cases.ts'
import { connectionCases } from './connection-cases.ts'
import { atRandomCuts, byteByByte, type Feed, randomFrom, whole } from './feed.ts'
import { bytes } from './notation.ts'
import { publishCases } from './publish-cases.ts'
import { subscribeCases } from './subscribe-cases.ts'
import type { WireCase } from './wire-case.ts'

const cases = [
  ...connectCases,
  ...publishCases,
  ...acknowledgementCases,
  ...subscribeCases,
  ...connectionCases,
  ...brokerCases,
]
const feeds: { how: string; feed: Feed }[] = [
  { how: 'whole', feed: whole },
  { how: 'byte by byte', feed: byteByByte },
  { how: 'at random cuts', feed: atRandomCuts(randomFrom(20240611)) },
]
const title = ({ name, requirement, version }: WireCase): string =>
  `${name} [version ${version || '?'}, ${requirement}]`

describe.each(feeds)('a frame fed $how', ({ feed }) => {
  it.each(cases.filter((one) => one.packet).map((one) => ({ title: title(one), one })))(
    'is read: $title',
    ({ one }) => {
      expect(feed(bytes(one.wire), one.version, one.from)).toEqual(one.packet)
    },
  )

  it.each(cases.filter((one) => one.code).map((one) => ({ title: title(one), one })))(
    'is refused: $title',
    ({ one }) => {
      const refusal = refusalOf(() => feed(bytes(one.wire), one.version, one.from))
      expect({ code: refusal.reasonCode, version: refusal.version }).toEqual({
        code: one.code,
        version: one.answerVersion ?? 0,
      })
    },
  )
})

describe('a packet', () => {
  for (const one of cases) {
    const { packet } = one
    if (packet === undefined || one.otherForm) continue
    it(`is written as it was read: ${title(one)}`, () => {
      const version = packet.type === 'connect' ? packet.version : one.version || 4
      expect(encode(packet, version).toString('hex')).toBe(bytes(one.wire).toString('hex'))
    })
  }
})

it('has a case for each reading or a refusal, and never both', () => {
  expect(cases.filter((one) => (one.packet === undefined) === (one.code === undefined))).toEqual([])
})

function refusalOf(run: () => unknown): ProtocolError {
  try {
    run()
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
  throw new Error('it was not refused')
}
