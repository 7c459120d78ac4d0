import { isUtf8 } from 'node:buffer'
import { SluiceError } from '../base/errors.ts'
import type { FieldTable, FieldValue } from '../message/field-table.ts'
import { QueueMessage } from '../queue/queue-message.ts'
import type { Queues } from '../queue/queues.ts'
import type { ControlCommand } from './control-server.ts'
import { LINE_BYTES_MAX } from './control-socket.ts'
import { jsonOf } from './queue-json.ts'
import { countOf, queueOf } from './queue-request.ts'

const COUNT_MAX = 1_000
/** Payloads of one answer: behind the one that comes to it no further message is told. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024
/** What a line of the control socket can hold for certain, in base64 and with all that stands around it. */
const MESSAGE_BYTES_MAX = LINE_BYTES_MAX - 4096
const PRINTABLE = /^[^\p{Cc}\p{Cs}]*$/u

/**
 * `queue.peek { queue, count }`: the messages at the front, told one by one as progress, without changing anything.
 * `text` is the payload where it is printable UTF-8, otherwise it is `base64`.
 */
export function peekMessages(queues: Queues): ControlCommand {
  return async (given, progress, gone) => {
    const queue = queueOf(queues, given)
    const count = countOf(given, 'count') ?? 1
    if (count > COUNT_MAX) throw new SluiceError('CONTROL_USAGE', `--count must be at most ${COUNT_MAX}`)
    const { clock } = queues.store
    const found = await queue.browse(count, ANSWER_BYTES_MAX)
    const nowMs = clock.now()
    for (const each of found) {
      if (gone.aborted) break
      const { expiresAtMs } = each.message
      const message = new QueueMessage(queue.name, each, nowMs, queues.conversion)
      const expiresInMs = expiresAtMs === 0 ? null : Math.max(0, expiresAtMs - nowMs)
      progress(told({ ...factsOf(message), ageMs: Math.max(0, nowMs - each.enqueuedMs), expiresInMs }, message.payload))
    }
    return { told: found.length, ready: queue.readyCount }
  }
}

function factsOf(message: QueueMessage): object {
  const { topic, exchange, routingKey, enqueuedMs, redelivered, deliveryCount, payload } = message
  const properties = Object.fromEntries(
    Object.entries(message.properties).map(([name, value]) => [name, jsonOf(value as FieldValue | FieldTable)]),
  )
  const enqueuedAt = new Date(enqueuedMs).toISOString()
  return { topic, exchange, routingKey, bytes: payload.length, enqueuedAt, redelivered, deliveryCount, properties }
}

/** With the payload, or as much of it as one line can hold. */
function told(facts: object, payload: Buffer): object {
  const room = MESSAGE_BYTES_MAX - Buffer.byteLength(JSON.stringify(facts))
  const text = isPrintable(payload) ? payload.toString('utf8') : undefined
  if (text !== undefined && Buffer.byteLength(JSON.stringify(text)) <= room) return { ...facts, text }
  const bytes = Math.max(0, Math.floor(room / 4) * 3)
  const truncated = payload.length > bytes ? { truncated: true } : {}
  const properties = room < 0 ? { properties: {} } : {}
  return { ...facts, ...properties, base64: payload.subarray(0, bytes).toString('base64'), ...truncated }
}

function isPrintable(payload: Buffer): boolean {
  return isUtf8(payload) && PRINTABLE.test(payload.toString('utf8').replaceAll(/[\t\r\n]/g, ''))
}
