import fc from 'fast-check'

/** One change to some bytes: `where` is taken modulo what there is. */
interface Damage {
  readonly how: 'flip' | 'set' | 'cut' | 'remove' | 'insert' | 'splice' | 'drop front'
  readonly where: number
  readonly byte: number
  readonly from: number
  readonly length: number
}

// What is often at an edge: signs, lengths, versions, the letters of the types of AMQP.
const EDGES = [0, 1, 2, 3, 4, 0x7f, 0x80, 0xfe, 0xff, 0x53, 0x46, 0x54, 0x41]

const damage: fc.Arbitrary<Damage> = fc.record({
  how: fc.constantFrom('flip', 'flip', 'set', 'cut', 'remove', 'insert', 'splice', 'drop front'),
  where: fc.nat(),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(...EDGES)),
  from: fc.nat(),
  length: fc.integer({ min: 1, max: 12 }),
})

export const anyBytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array))

/** Valid bytes with one to three changes, mostly one: the more there are, the sooner the first of them is refused. */
export function damagedBytes(valid: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const changes = fc.oneof(
    { arbitrary: fc.tuple(damage), weight: 3 },
    { arbitrary: fc.array(damage, { minLength: 2, maxLength: 3 }), weight: 1 },
  )
  return fc.tuple(valid, changes).map(([bytes, all]) => all.reduce(damaged, bytes))
}

/** Bytes of every sort: damaged, random, random behind a valid first byte, and valid ones. */
export function bytesLike(valid: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const begun = fc
    .tuple(valid, fc.nat(4), anyBytes)
    .map(([bytes, kept, rest]) => Buffer.concat([bytes.subarray(0, kept), rest]))
  return fc.oneof(
    { arbitrary: damagedBytes(valid), weight: 8 },
    { arbitrary: begun, weight: 2 },
    { arbitrary: anyBytes, weight: 1 },
    { arbitrary: valid, weight: 1 },
  )
}

function damaged(bytes: Buffer, { how, where, byte, from, length }: Damage): Buffer {
  const at = where % (bytes.length + 1)
  const [before, behind] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (how) {
    case 'cut':
      return before
    case 'drop front':
      return behind
    case 'remove':
      return Buffer.concat([before, behind.subarray(length)])
    case 'insert':
      return Buffer.concat([before, Buffer.of(byte), behind])
    case 'splice': {
      const start = from % (bytes.length + 1)
      return Buffer.concat([before, bytes.subarray(start, start + length), behind])
    }
    default: {
      if (behind.length === 0) return bytes
      const copy = Buffer.from(bytes)
      copy[at] = how === 'set' ? byte : (copy[at] as number) ^ (1 << (byte & 7))
      return copy
    }
  }
}
