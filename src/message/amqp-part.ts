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

function encode(part: AmqpPart): Buffer {
  const { properties, deaths, firstDeath } = part
  const pieces: Buffer[] = [textField(part.exchange), textField(part.routingKey)]
  pieces.push(numberField(properties.length, 4), properties, numberField(deaths.length, 1))
  for (const death of deaths) {
    pieces.push(textField(death.queue), numberField(REASONS.indexOf(death.reason), 1), numberField(death.count, 4))
    pieces.push(numberField(death.timeMs, 6), textField(death.exchange), textField(death.originalExpiration))
    pieces.push(numberField(death.routingKeys.length, 1), ...death.routingKeys.map(textField))
  }
  if (deaths.length > 0) {
    const first = firstDeath ?? (deaths.at(-1) as Death)
    pieces.push(numberField(REASONS.indexOf(first.reason), 1), textField(first.queue), textField(first.exchange))
  }
  return Buffer.concat(pieces)
}

function textField(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([numberField(bytes.length, 2), bytes])
}

function numberField(value: number, bytes: number): Buffer {
  const field = Buffer.alloc(bytes)
  field.writeUIntBE(value, 0, bytes)
  return field
}
