/** Identifiers of the MQTT 5 properties that travel with a message (section 2.2.2.2). */
export const PAYLOAD_FORMAT = 0x01
export const CONTENT_TYPE = 0x03
export const RESPONSE_TOPIC = 0x08
export const CORRELATION_DATA = 0x09
export const USER_PROPERTY = 0x26

/** Called with the bytes of one property; `second` is the value of a user property, whose name is `first`. */
export type PropertyVisitor = (id: number, first: Buffer, second: Buffer | undefined) => void

/** Walks through `Message.properties`, which were checked when they came in. Ends where they are cut off. */
export function visitProperties(bytes: Buffer, visit: PropertyVisitor): void {
  let at = 0
  const block = (): Buffer => {
    const start = at + 2
    at = start + (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0))
    return bytes.subarray(start, at)
  }
  while (at < bytes.length) {
    const id = bytes[at++] ?? 0
    if (id === PAYLOAD_FORMAT) {
      visit(id, bytes.subarray(at, at + 1), undefined)
      at++
    } else visit(id, block(), id === USER_PROPERTY ? block() : undefined)
  }
}

/** Gathers properties in the form of `Message.properties`. What is too long for its length of two bytes is left out. */
export class PropertyList {
  private readonly parts: Buffer[] = []

  add(id: number, value: Buffer): void {
    if (id === PAYLOAD_FORMAT) this.parts.push(Buffer.of(id, value[0] ?? 0))
    else if (value.length <= 0xffff) this.parts.push(head(id, value.length), value)
  }

  addPair(name: Buffer, value: Buffer): void {
    if (name.length > 0xffff || value.length > 0xffff) return
    this.parts.push(head(USER_PROPERTY, name.length), name, Buffer.of(value.length >> 8, value.length & 0xff), value)
  }

  get bytes(): Buffer {
    return Buffer.concat(this.parts)
  }
}

function head(id: number, length: number): Buffer {
  return Buffer.of(id, length >> 8, length & 0xff)
}
