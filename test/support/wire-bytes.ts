/** The data representations of MQTT 5, section 1.5, written without any check: tests send wrong ones on purpose. */
export function u8(value: number): Buffer {
  return Buffer.from([value])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function variable(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    const digit = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? digit | 0x80 : digit)
  } while (rest > 0)
  return Buffer.from(bytes)
}

export function binary(value: Buffer): Buffer {
  return Buffer.concat([u16(value.length), value])
}

/** A string, or the bytes to send in the place of one. */
export function string(value: string | Buffer): Buffer {
  return binary(Buffer.from(value as string))
}

/** One whole packet: fixed header byte, remaining length, body. */
export function frame(header: number, ...body: Buffer[]): Buffer {
  const bytes = Buffer.concat(body)
  return Buffer.concat([u8(header), variable(bytes.length), bytes])
}

/** Reads the same representations; strict, because what the broker sends must be right. */
export class ByteReader {
  private readonly bytes: Buffer
  offset: number

  constructor(bytes: Buffer, offset = 0) {
    this.bytes = bytes
    this.offset = offset
  }

  get left(): number {
    return this.bytes.length - this.offset
  }

  u8(): number {
    return this.take(1).readUInt8()
  }

  u16(): number {
    return this.take(2).readUInt16BE()
  }

  u32(): number {
    return this.take(4).readUInt32BE()
  }

  variable(): number {
    let value = 0
    for (let factor = 1; factor <= 128 ** 3; factor *= 128) {
      const digit = this.u8()
      value += (digit & 0x7f) * factor
      if (digit < 0x80) return value
    }
    throw new Error('the broker sent a variable byte integer of more than four bytes')
  }

  binary(): Buffer {
    return this.take(this.u16())
  }

  string(): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.binary())
  }

  take(length: number): Buffer {
    if (length > this.left) throw new Error('the broker sent a packet that ends too early')
    this.offset += length
    return this.bytes.subarray(this.offset - length, this.offset)
  }
}
