import { bytes, count, duration, messages, rate, visible, visibleLines } from './queue-units.ts'
import { type Column, table } from './queue-table.ts'

/** A queue as the broker tells of it: `queue.list`. */
export interface QueueRow {
  readonly name: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly exclusive: boolean
  readonly ready: number
  readonly unacknowledged: number
  readonly delayed: number
  readonly messages: number
  readonly bytes: number
  readonly consumers: number
  readonly rateIn: number
  readonly rateOut: number
  readonly oldestReadyMs: number | null
  readonly oldestUnacknowledgedMs: number
  readonly lagMs: number
  readonly drainMs: number | null
  readonly published: number
  readonly delivered: number
  readonly acknowledged: number
  readonly returned: number
  readonly rejected: number
  readonly expired: number
  readonly overflowed: number
  readonly refused: number
  readonly duplicates: number
  readonly superseded: number
}

/** `queue.show` */
export interface QueueDetails extends QueueRow {
  readonly arguments: Readonly<Record<string, unknown>>
  readonly bindingCount: number
  readonly bindings: readonly {
    readonly exchange: string
    readonly key: string
    readonly filter?: string
    readonly arguments: Readonly<Record<string, unknown>>
  }[]
}

/** `queue.peek` */
export interface PeekedMessage {
  readonly topic: string
  readonly exchange: string
  readonly routingKey: string
  readonly bytes: number
  readonly ageMs: number
  readonly expiresInMs: number | null
  readonly redelivered: boolean
  readonly deliveryCount: number
  readonly properties: Readonly<Record<string, unknown>>
  readonly text?: string
  readonly base64?: string
}

const TEXT_SHOWN_MAX = 1_000
const HEX_SHOWN_MAX = 64
const PROPERTY_SHOWN_MAX = 200

const COLUMNS: readonly Column<QueueRow>[] = [
  { title: 'QUEUE', cell: ({ name }) => visible(name) },
  { title: 'LENGTH', cell: (row) => count(row.messages + row.delayed), isFigure: true, leaveOut: 6 },
  { title: 'READY', cell: ({ ready }) => count(ready), isFigure: true },
  { title: 'UNACKED', cell: ({ unacknowledged }) => count(unacknowledged), isFigure: true, leaveOut: 2 },
  { title: 'CONSUMERS', cell: ({ consumers }) => count(consumers), isFigure: true, leaveOut: 1 },
  { title: 'LAG', cell: lag, isFigure: true },
  { title: 'IN/S', cell: ({ rateIn }) => rate(rateIn), isFigure: true, leaveOut: 3 },
  { title: 'OUT/S', cell: ({ rateOut }) => rate(rateOut), isFigure: true, leaveOut: 4 },
  { title: 'EMPTY IN', cell: emptyIn, isFigure: true, leaveOut: 5 },
]

export function listText(rows: readonly QueueRow[], width: number | undefined): string {
  return rows.length === 0 ? 'there are no queues\n' : table(rows, COLUMNS, width)
}

export function showText(queue: QueueDetails): string {
  const kinds = [
    queue.durable ? 'durable' : 'transient: its messages are in memory alone',
    ...(queue.exclusive ? ['exclusive: gone with its owner'] : []),
    ...(queue.autoDelete ? ['gone with its last consumer'] : []),
  ]
  const rows: [title: string, ...lines: string[]][] = [
    ['length', `${messages(queue.messages + queue.delayed)}, about ${bytes(queue.bytes)}`],
    ['ready', age(queue.ready, queue.oldestReadyMs)],
    ['unacknowledged', age(queue.unacknowledged, queue.oldestUnacknowledgedMs)],
    ['delayed', count(queue.delayed)],
    ['consumers', count(queue.consumers)],
    ['rates', `${rate(queue.rateIn)}/s in, ${rate(queue.rateOut)}/s out`],
    ['empty in', emptyIn(queue)],
    [
      'since the start',
      `${count(queue.published)} came in, ${count(queue.duplicates)} duplicates, ${count(queue.refused)} refused`,
      `${count(queue.delivered)} handed out, ${count(queue.acknowledged)} acknowledged, ` +
        `${count(queue.returned)} returned, ${count(queue.rejected)} rejected`,
      `${count(queue.expired)} expired, ${count(queue.overflowed)} too many, ${count(queue.superseded)} replaced`,
    ],
    ['arguments', ...lines(Object.entries(queue.arguments).map(([name, value]) => `${name}: ${shown(value)}`))],
    ['bindings', ...lines(bindingLines(queue))],
  ]
  const width = Math.max(...rows.map(([title]) => title.length)) + 2
  const text = rows.flatMap(([title, ...rest]) =>
    rest.map((line, index) => `  ${(index === 0 ? title : '').padEnd(width)}${line}\n`),
  )
  return `${visible(queue.name)}: ${kinds.join(', ')}\n${text.join('')}`
}

export function peekText(message: PeekedMessage, place: number): string {
  const { topic, exchange, routingKey, deliveryCount, redelivered, expiresInMs } = message
  const facts = [bytes(message.bytes), `${duration(message.ageMs)} old`]
  if (exchange === '') facts.push('sent to a queue')
  else if (exchange !== 'amq.topic') facts.push(`exchange ${visible(exchange)}, key '${visible(routingKey)}'`)
  if (deliveryCount > 0) facts.push(`came back ${deliveryCount === 1 ? 'once' : `${count(deliveryCount)} times`}`)
  else if (redelivered) facts.push('handed out before')
  if (expiresInMs !== null) facts.push(`expires in ${duration(expiresInMs)}`)
  const body = [...propertyLines(message), ...payloadLines(message)].map((line) => `   ${line}\n`)
  return `${place}. ${visible(topic)} (${facts.join(', ')})\n${body.join('')}`
}

/** What the first line does not say already. */
function propertyLines({ properties }: PeekedMessage): string[] {
  const { headers, expiration: _expiration, deliveryMode, ...others } = properties
  const told = Object.entries(others).map(([name, value]) => `${visible(name)}: ${shown(value)}`)
  if (deliveryMode === 1) told.push('deliveryMode: 1')
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (name !== 'x-mqtt-topic') told.push(`header ${visible(name)}: ${shown(value)}`)
  }
  return told
}

function payloadLines({ text, base64, bytes: size }: PeekedMessage): string[] {
  if (text !== undefined) {
    const rest = text.length > TEXT_SHOWN_MAX ? [`… ${count(text.length)} characters in all; --json has them`] : []
    return size === 0 ? ['(empty)'] : [...visibleLines(text.slice(0, TEXT_SHOWN_MAX)), ...rest]
  }
  const start = Buffer.from(base64 ?? '', 'base64').subarray(0, HEX_SHOWN_MAX)
  const rest = size > start.length ? ` … ${count(size)} bytes in all; --json has them` : ''
  return [`hex ${start.toString('hex').replaceAll(/../g, '$& ').trimEnd()}${rest}`]
}

function bindingLines({ bindings, bindingCount }: QueueDetails): string[] {
  const told = bindings.map(({ exchange, key, filter, arguments: table }) => {
    if (filter !== undefined) return visible(filter)
    const args = Object.keys(table).length === 0 ? '' : `, ${shown(table)}`
    return `exchange ${visible(exchange)}${key === '' ? '' : `, key ${visible(key)}`}${args}`
  })
  return bindingCount > told.length ? [...told, `… ${count(bindingCount)} in all`] : told
}

function lines(found: readonly string[]): readonly string[] {
  return found.length === 0 ? ['none'] : found
}

function age(messagesThere: number, oldestMs: number | null): string {
  if (messagesThere === 0) return '0'
  return `${count(messagesThere)}, the oldest for ${oldestMs === null ? '… (it is being read from disk)' : duration(oldestMs)}`
}

function lag({ ready, oldestReadyMs, lagMs, unacknowledged }: QueueRow): string {
  if (ready > 0 && oldestReadyMs === null) return '…'
  return ready + unacknowledged === 0 ? '-' : duration(lagMs)
}

function emptyIn({ messages: there, drainMs }: QueueRow): string {
  if (there === 0) return '-'
  return drainMs === null ? 'never' : duration(drainMs)
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return visible(text.length > PROPERTY_SHOWN_MAX ? `${text.slice(0, PROPERTY_SHOWN_MAX)}…` : text)
}
