import type { FieldTable, FieldValue } from '../message/field-table.ts'
import { filterOfKey, type TopicConversion } from '../message/key-topic.ts'
import type { Binding } from '../queue/binding.ts'
import type { Queue } from '../queue/queue.ts'
import type { QueueStats } from '../queue/queue-stats.ts'

/** A field value as JSON can say it: bytes in base64, times in ISO 8601, integers beyond 53 bits as text. */
export function jsonOf(value: FieldValue): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (Buffer.isBuffer(value)) return { base64: value.toString('base64') }
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.map((item: FieldValue) => jsonOf(item))
  if (value instanceof Map) return jsonOfTable(value as FieldTable)
  return value
}

export function jsonOfTable(table: FieldTable): Record<string, unknown> {
  return Object.fromEntries([...table].map(([name, value]) => [name, jsonOf(value)]))
}

/** Figures and properties of a queue; what is unknown is null. */
export function jsonOfQueue({ definition }: Queue, stats: QueueStats): Record<string, unknown> {
  const { name, ...figures } = stats
  const { durable, autoDelete, exclusive } = definition
  const { oldestReadyMs = null, drainMs = null } = stats
  return { name, durable, autoDelete, exclusive, ...figures, oldestReadyMs, drainMs }
}

/** One binding; from `amq.topic` with the topic filter of MQTT that it is. */
export function jsonOfBinding(binding: Binding, conversion: TopicConversion): Record<string, unknown> {
  const { source, key, arguments: table } = binding
  const filter = source.name === 'amq.topic' ? { filter: filterOfKey(key, conversion) } : {}
  return { exchange: source.name, key, ...filter, arguments: jsonOfTable(table) }
}
