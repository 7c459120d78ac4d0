import type { AnyBroker } from './broker.ts'

/** What waits for a session, as `broker.persistence` shows it. */
export async function queueOf(broker: AnyBroker, clientId: string): Promise<{ topic: string }[]> {
  const packets: { topic: string }[] = []
  const stream = broker.persistence['outgoingStream']?.({ id: clientId } as never) as AsyncIterable<{ topic: string }>
  for await (const packet of stream) packets.push(packet)
  return packets
}
