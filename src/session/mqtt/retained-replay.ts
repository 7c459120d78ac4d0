import type { QoS } from '../../message/qos.ts'
import type { Connection } from './connection.ts'
import { copyOf } from './replays.ts'
import type { Session } from './session.ts'
import type { Granted } from './subscribe.ts'

/** Sends what is retained for new subscriptions (MQTT 5, section 3.3.1.3). */
export function replayRetained(connection: Connection, session: Session, granted: readonly Granted[]): void {
  const { broker, replays } = connection
  for (const { subscription, isNew } of granted) {
    // MQTT-3.3.1-9 to -11; nothing is replayed to a group (section 4.8.2).
    if (subscription === undefined || subscription.shareName !== '') continue
    const { retainHandling, filter, identifier, noLocal } = subscription
    if (retainHandling === 2 || (retainHandling === 1 && !isNew)) continue
    const identifiers = identifier === 0 ? [] : [identifier]
    const topics: string[] = []
    for (const retained of broker.retained.match(filter)) {
      if (noLocal && retained.publisher === session.clientId) continue // MQTT-3.8.3-3
      const qos = (retained.qos < subscription.qos ? retained.qos : subscription.qos) as QoS
      if (qos === 0) {
        topics.push(retained.topic)
        continue
      }
      broker.counter++
      session.outgoing.offer(copyOf(retained), qos, true, identifiers)
    }
    if (topics.length > 0) replays.addRetained(topics, subscription)
  }
  replays.run()
}
