import type { Broker } from '../../broker/broker.ts'
import type { EnhancedAuthenticator } from './enhanced-authentication.ts'
import type { Flusher } from './outbox.ts'
import type { ReadingTurn } from './reading-turn.ts'
import type { Sessions } from './sessions.ts'

/** What all connections and sessions of one broker share. */
export interface MqttContext {
  readonly broker: Broker
  readonly sessions: Sessions
  readonly flusher: Flusher
  readonly readingTurn: ReadingTurn
  /** By authentication method (MQTT 5, section 4.12). */
  readonly authenticators: ReadonlyMap<string, EnhancedAuthenticator>
}
