/** Why a message was dead-lettered, in RabbitMQ's words. */
export type DeathReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit'

/** How often a message died in one queue for one reason. */
export interface Death {
  readonly queue: string
  readonly reason: DeathReason
  readonly count: number
  /** Of the first time, in milliseconds since 1970. */
  readonly timeMs: number
  /** Where the message had been published to. */
  readonly exchange: string
  readonly routingKeys: readonly string[]
  /** The expiration that the message had and lost; empty: none. */
  readonly originalExpiration: string
}

/** Where and why a message died for the first time. */
export interface FirstDeath {
  readonly reason: DeathReason
  readonly queue: string
  readonly exchange: string
}

const REASONS: readonly DeathReason[] = ['rejected', 'expired', 'maxlen', 'delivery_limit']
const NO_DEATHS: readonly Death[] = []
// Their number has one byte.
const ROUTING_KEYS_MAX = 255

/** What a message carries beside the parts that MQTT knows: kept as it came, and stored with the message. */
export class AmqpPart {
  readonly exchange: string
  readonly routingKey: string
  /** Property flags and list as in AMQP's content header; empty: the message came without. */
  readonly properties: Buffer
  /** Newest first, one for each queue and reason. */
  readonly deaths: readonly Death[]
  readonly firstDeath: FirstDeath | undefined
  private encoded: Buffer | undefined
  private bytes = 0

  constructor(
    exchange: string,
    routingKey: string,
    properties: Buffer,
    deaths: readonly Death[] = NO_DEATHS,
    firstDeath?: FirstDeath,
    encoded?: Buffer,
  ) {
    this.exchange = exchange
    this.routingKey = routingKey
    this.properties = properties
    this.deaths = deaths
    this.firstDeath = firstDeath
    this.encoded = encoded
  }

  /**
   * As it is stored: exchange and routing key (u16 and text), properties (u32 and bytes), number of deaths u8 and the
   * deaths, then the first death if there are any. It is a copy, so that the part does not pin a read chunk.
   */
  get record(): Buffer {
    this.encoded ??= encode(this)
    return this.encoded
  }

  /** Length of the record, without making it. */
  get recordBytes(): number {
    if (this.bytes === 0) this.bytes = this.encoded?.length ?? recordBytes(this)
    return this.bytes
  }
}

/** Throws RangeError when the record is cut off. */
export function decodeAmqpPart(record: Buffer): AmqpPart {
  let at = 0
  const number = (bytes: number): number => {
    at += bytes
    return record.readUIntBE(at - bytes, bytes)
  }
  const text = (): string => {
    const length = number(2)
    at += length
    if (at > record.length) throw new RangeError('an AMQP part is cut off')
    return record.toString('utf8', at - length, at)
  }
  const exchange = text()
  const routingKey = text()
  const length = number(4)
  const properties = record.subarray(at, at + length)
  at += length
  const deaths: Death[] = []
  for (let left = number(1); left > 0; left--) {
    const [queue, reason, count, timeMs] = [text(), reasonOf(number(1)), number(4), number(6)] as const
    const [from, originalExpiration] = [text(), text()] as const
    const routingKeys = Array.from({ length: number(1) }, text)
    deaths.push({ queue, reason, count, timeMs, exchange: from, routingKeys, originalExpiration })
  }
  const firstDeath = deaths.length === 0 ? undefined : { reason: reasonOf(number(1)), queue: text(), exchange: text() }
  return new AmqpPart(exchange, routingKey, properties, deaths, firstDeath, record)
}

function reasonOf(index: number): DeathReason {
  const reason = REASONS[index]
  if (reason === undefined) throw new RangeError('an AMQP part names an unknown reason')
  return reason
}

const DEATH_BYTES = 12

function recordBytes(part: AmqpPart): number {
  const { deaths } = part
  let bytes = 5 + textBytes(part.exchange) + textBytes(part.routingKey) + part.properties.length
  for (const { queue, exchange, originalExpiration, routingKeys } of deaths) {
    bytes += DEATH_BYTES + textBytes(queue) + textBytes(exchange) + textBytes(originalExpiration)
    for (const key of routingKeys.slice(0, ROUTING_KEYS_MAX)) bytes += textBytes(key)
  }
  if (deaths.length === 0) return bytes
  const first = firstDeathOf(part)
  return bytes + 1 + textBytes(first.queue) + textBytes(first.exchange)
}

function encode(part: AmqpPart): Buffer {
  const { properties, deaths } = part
  const record = Buffer.allocUnsafeSlow(part.recordBytes)
  let at = writeText(record, part.exchange, 0)
  at = writeText(record, part.routingKey, at)
  at = record.writeUInt32BE(properties.length, at)
  at += properties.copy(record, at)
  at = record.writeUInt8(deaths.length, at)
  for (const { queue, reason, count, timeMs, exchange, originalExpiration, routingKeys } of deaths) {
    at = writeText(record, queue, at)
    at = record.writeUInt8(REASONS.indexOf(reason), at)
    at = record.writeUInt32BE(count, at)
    at = record.writeUIntBE(timeMs, at, 6)
    at = writeText(record, exchange, at)
    at = writeText(record, originalExpiration, at)
    const keys = routingKeys.slice(0, ROUTING_KEYS_MAX)
    at = record.writeUInt8(keys.length, at)
    for (const key of keys) at = writeText(record, key, at)
  }
  if (deaths.length === 0) return record
  const first = firstDeathOf(part)
  at = record.writeUInt8(REASONS.indexOf(first.reason), at)
  at = writeText(record, first.queue, at)
  writeText(record, first.exchange, at)
  return record
}

function firstDeathOf({ firstDeath, deaths }: AmqpPart): FirstDeath {
  return firstDeath ?? (deaths.at(-1) as Death)
}

function textBytes(text: string): number {
  return 2 + Buffer.byteLength(text)
}

function writeText(record: Buffer, text: string, at: number): number {
  const end = at + 2 + record.write(text, at + 2)
  record.writeUInt16BE(end - at - 2, at)
  return end
}
