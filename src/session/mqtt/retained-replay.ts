import { Message } from '../../message/message.ts'
import type { QoS } from '../../message/qos.ts'
import type { Connection } from './connection.ts'
import { deliver } from './deliver.ts'
import type { Session } from './session.ts'
import type { Granted } from './subscribe.ts'

/** A message at QoS 0 that waits for room in the outbox or for CONNACK. */
export interface Replay {
  readonly message: Message
  readonly retain: boolean
  readonly identifiers: readonly number[]
}

/** Sends what is retained for new subscriptions (MQTT 5, section 3.3.1.3). */
export function replayRetained(connection: Connection, session: Session, granted: readonly Granted[]): void {
  const { broker } = connection
  for (const { subscription, isNew } of granted) {
    // MQTT-3.3.1-9 to -11; nothing is replayed to a group (section 4.8.2).
    if (subscription === undefined || subscription.shareName !== '') continue
    const { retainHandling, filter, identifier, noLocal } = subscription
    if (retainHandling === 2 || (retainHandling === 1 && !isNew)) continue
    const identifiers = identifier === 0 ? [] : [identifier]
    for (const retained of broker.retained.match(filter)) {
      if (noLocal && retained.publisher === session.clientId) continue // MQTT-3.8.3-3
      broker.counter++
      // A copy, so that frames encoded for this client do not stay with the retained message.
      const { topic, payload, qos, properties, expiresAtMs, publisher } = retained
      const message = new Message(topic, payload, qos, true, properties, expiresAtMs, publisher)
      const deliveredQoS = (qos < subscription.qos ? qos : subscription.qos) as QoS
      if (deliveredQoS > 0) session.outgoing.offer(message, deliveredQoS, true, identifiers)
      else session.replay({ message, retain: true, identifiers })
    }
  }
  continueReplay(connection, session)
}

/** Goes on for as long as the outbox has room; called again when it drains. */
export function continueReplay(connection: Connection, session: Session): void {
  for (;;) {
    if (connection.outbox.isFull) return
    const next = session.nextReplay()
    if (next === undefined) return
    deliver(connection, next.message, 0, next.retain, false, 0, next.identifiers)
  }
}
