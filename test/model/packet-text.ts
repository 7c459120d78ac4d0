import type { ReceivedPacket } from '../support/wire-reader.ts'

type Fields = Pick<ReceivedPacket, 'topic' | 'payload' | 'qos' | 'retain' | 'dup' | 'packetId' | 'properties'>

/** All that a client sees of a PUBLISH, as text. */
export function publishText({ topic, payload, qos, retain, dup, packetId, properties }: Fields): string {
  const sorted = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1))
  const listed = sorted.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ')
  const flags = `${retain ? ' retain' : ''}${dup ? ' dup' : ''}`
  return `publish ${topic} '${payload}' QoS ${qos}${flags} ${packetId} {${listed}}`
}
