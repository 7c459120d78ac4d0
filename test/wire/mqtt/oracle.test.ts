import fc from 'fast-check'
import { generate, type Packet as GeneratedPacket, parser } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { encode } from '../../../src/wire/mqtt/encode.ts'
import { arbitrarySent, type Sent } from './arbitrary-packet.ts'
import { whole } from './feed.ts'
import { type OraclePacket, toOracle } from './oracle-packet.ts'
import { runsWithin } from '../../support/property-runs.ts'

// Enough for each kind of packet in each version several times, in about a second.
const settings = runsWithin(1500, 4000)

// What mqtt-packet cannot do is left out by `arbitrarySent(true)`; strictness is no matter of these tests.
describe('mqtt-packet', () => {
  it('reads what we write', () => {
    fc.assert(
      fc.property(arbitrarySent(true), (sent) => {
        const expected = toOracle(sent)
        const parsed = parse(encode(sent.packet, sent.version), sent)
        expect(reduced(parsed, expected)).toEqual(expected)
      }),
      settings,
    )
  })

  it('writes what we read', () => {
    fc.assert(
      fc.property(arbitrarySent(true), (sent) => {
        const written = generate(toOracle(sent) as unknown as GeneratedPacket, { protocolVersion: sent.version })
        const read = whole(written, sent.packet.type === 'connect' ? 0 : sent.version, sent.from)
        expect(read).toEqual(sent.packet)
      }),
      settings,
    )
  })
})

describe('a packet that was written', () => {
  it('is read as it was', () => {
    fc.assert(
      fc.property(arbitrarySent(), ({ packet, version, from }) => {
        const frame = encode(packet, version)
        expect(whole(frame, packet.type === 'connect' ? 0 : version, from)).toEqual(packet)
      }),
      settings,
    )
  })
})

function parse(frame: Buffer, { version }: Sent): OraclePacket {
  const packets: unknown[] = []
  const reader = parser({ protocolVersion: version })
  reader.on('packet', (packet) => packets.push(packet))
  reader.on('error', (error) => {
    throw error
  })
  const left = reader.parse(frame)
  expect([packets.length, left]).toEqual([1, 0])
  return packets[0] as OraclePacket
}

/** The fields of `parsed` that `expected` names: it has some that say how it was parsed. */
function reduced(parsed: OraclePacket, expected: OraclePacket): OraclePacket {
  const result: OraclePacket = {}
  for (const name of Object.keys(expected)) result[name] = parsed[name]
  return result
}
