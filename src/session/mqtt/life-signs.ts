import type { Client, Subscription as AedesSubscription } from 'aedes'
import type { Connection } from './connection.ts'
import type { Granted } from './subscribe.ts'

// aedes tells of its clients by events and below `$SYS/<broker id>/`, for listeners in the process.

const DENIED = 128

/** `requests` is the array that came in: aedes' listeners see the granted QoS in it. */
export function announceSubscribed(
  connection: Connection,
  requests: readonly AedesSubscription[],
  granted: readonly Granted[],
): void {
  const { broker } = connection
  for (const [index, request] of requests.entries()) {
    const reasonCode = granted[index]?.reasonCode ?? DENIED
    ;(request as { qos: number }).qos = reasonCode >= DENIED ? DENIED : reasonCode
  }
  broker.emit('subscribe', requests, connection)
  publish(connection, 'new/subscribes', () => JSON.stringify({ clientId: connection.id, subs: requests }))
}

export function announceUnsubscribed(connection: Connection, filters: readonly string[]): void {
  if (filters.length === 0) return
  connection.broker.emit('unsubscribe', filters, connection as Client)
  publish(connection, 'new/unsubscribes', () => JSON.stringify({ clientId: connection.id, subs: filters }))
}

function publish(connection: Connection, name: string, payload: () => string): void {
  const { broker } = connection
  broker.publish({ topic: `$SYS/${broker.id}/${name}`, payload: payload() })
}
