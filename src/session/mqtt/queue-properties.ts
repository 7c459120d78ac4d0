import type { TopicConversion } from '../../message/key-topic.ts'
import type { Message } from '../../message/message.ts'
import { PropertyList, visitProperties } from '../../message/mqtt-properties.ts'
import { mqttProperties } from '../../message/property-mapping.ts'
import { deathHeaders } from '../../queue/dead-letter.ts'

/** User properties that only the broker may set on a message of a queue. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  'x-queue',
  'x-mqtt-topic',
  'x-delivery-count',
  'x-death',
  'x-first-death-reason',
  'x-first-death-queue',
  'x-first-death-exchange',
  'x-last-death-reason',
  'x-last-death-queue',
  'x-last-death-exchange',
])

/**
 * The MQTT 5 properties that a message of a queue takes along, as `Message.properties`: those it was published with,
 * over MQTT or AMQP, and of a dead letter where and why it died. What a client made up of the latter is left out.
 */
export function queueProperties(message: Message, conversion: TopicConversion): Buffer {
  const published = mqttProperties(message, conversion)
  const isDead = (message.amqp?.deaths.length ?? 0) > 0
  if (!isDead && (published.length === 0 || !published.includes('x-'))) return published
  const list = new PropertyList()
  visitProperties(published, (id, first, second) => {
    if (second === undefined) list.add(id, first)
    else if (!OWN_NAMES.has(first.toString())) list.addPair(first, second)
  })
  if (isDead) {
    for (const [name, value] of deathHeaders(message)) {
      if (typeof value === 'string') list.addPair(Buffer.from(name), Buffer.from(value))
    }
  }
  return list.bytes
}
