import { parseSharedFilter } from '../../message/filter.ts'
import { QUEUE_PREFIX, queueNameOf } from '../../message/queue-topic.ts'
import { QueueError } from '../../queue/queue-error.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import type { Connection } from './connection.ts'
import type { Session } from './session.ts'
import type { Granted } from './subscribe.ts'
import type { ClientSubscription } from './subscription-record.ts'

const NO_SUCH_QUEUE = 404

/** Why a filter below `$queue/` names no queue; undefined: it names one, or is a filter like any other. */
export function queueFilterProblem(filter: string): string | undefined {
  const shared = parseSharedFilter(filter)
  if (shared?.filter.startsWith(QUEUE_PREFIX)) return 'the consumers of a queue share it without $share'
  const name = queueNameOf(filter)
  if (name === undefined) return undefined
  if (name === '') return `no queue is named after ${QUEUE_PREFIX}`
  return name.includes('+') || name.includes('#') ? 'the name of a queue has no wildcards' : undefined
}

/** A subscription to a queue: the client consumes from it, in competition with all others who do. */
export function grantQueue(connection: Connection, session: Session, asked: ClientSubscription): Granted {
  const subscription = { ...asked, qos: asked.qos === 0 ? 0 : 1 } as const
  try {
    session.consumptions.consume(subscription)
  } catch (error) {
    if (!(error instanceof QueueError)) throw error
    const problem = error.message
    connection.broker.log.info(connection.logFields({ filter: asked.requested, problem }), 'refused a subscription')
    const reasonCode = error.replyCode === NO_SUCH_QUEUE ? ReasonCode.UnspecifiedError : ReasonCode.NotAuthorized
    return { reasonCode, subscription: undefined, isNew: false, problem }
  }
  return { reasonCode: subscription.qos, subscription, isNew: session.subscribe(subscription) }
}
