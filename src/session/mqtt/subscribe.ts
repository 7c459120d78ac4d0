import type { Subscription as AedesSubscription } from 'aedes'
import { parseSharedFilter, topicFilterProblem } from '../../message/filter.ts'
import { queueNameOf } from '../../message/queue-topic.ts'
import type { QoS } from '../../message/qos.ts'
import { levelCount } from '../../message/topic.ts'
import type { SubscribePacket } from '../../wire/mqtt/packet.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import { ClientError } from './client-error.ts'
import type { Connection } from './connection.ts'
import { announceSubscribed } from './life-signs.ts'
import { grantQueue, queueFilterProblem } from './queue-subscribe.ts'
import { replayRetained } from './retained-replay.ts'
import type { Session } from './session.ts'
import { type ClientSubscription, subscriptionBytes } from './subscription-record.ts'

/** What came of one requested subscription: SUBACK's reason code, and the subscription where it was made. */
export interface Granted {
  readonly reasonCode: number
  readonly subscription: ClientSubscription | undefined
  readonly isNew: boolean
  /** Why not, where the reason code alone does not say it. */
  readonly problem?: string
}

const REFUSED = { subscription: undefined, isNew: false }
// The only refusal that 3.1.1 knows (MQTT-3.9.3-2 of 3.1.1).
const FAILURE = 0x80

// A filter may have 65,535 bytes, and a SUBSCRIBE many of them; so much tells a human enough.
const PROBLEMS_LENGTH_MAX = 1000

/** SUBSCRIBE (MQTT 5, section 3.8). */
export function handleSubscribe(connection: Connection, packet: SubscribePacket): void {
  const requests = packet.subscriptions.map(({ filter, qos, noLocal, retainAsPublished, retainHandling }) =>
    connection.version5
      ? { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling }
      : connection.bridge
        ? { topic: filter, qos, nl: true, rap: true }
        : { topic: filter, qos },
  ) as AedesSubscription[]
  subscribeAll(connection, requests, packet.subscriptionIdentifier, (error, granted) => {
    const { session } = connection
    if (session === undefined) return
    if (error !== null) {
      connection.fail(error)
      return
    }
    sendSuback(connection, packet.packetId, granted, () => {
      // Here and not earlier: what is retained now is not older than any message that went out before it.
      replayRetained(connection, session, granted)
      session.queues?.begin()
      // A group may have been waiting for just this member.
      session.outgoing.pump()
    })
    announceSubscribed(connection, requests, granted)
  })
}

/** SUBACK, behind the commit of what was granted; `then` runs when it is on its way. */
export function sendSuback(
  connection: Connection,
  packetId: number,
  granted: readonly Granted[],
  then?: () => void,
): void {
  const reasonCodes = granted.map(({ reasonCode }) =>
    !connection.version5 && reasonCode >= FAILURE ? FAILURE : reasonCode,
  )
  const problems = granted.flatMap(({ problem }) => problem ?? [])
  const properties = problems.length === 0 ? {} : connection.problem(problems.join('; ').slice(0, PROBLEMS_LENGTH_MAX))
  const bytes = connection.encode({ type: 'suback', packetId, reasonCodes, properties })
  const changed = granted.some(({ subscription }) => subscription !== undefined)
  connection.replies.send(bytes, changed ? (connection.session?.changeEpoch ?? 0) : 0, then)
}

/** Asks the `authorizeSubscribe` hook about all filters at once, then makes what it permits, in the order asked. */
export function subscribeAll(
  connection: Connection,
  requests: readonly AedesSubscription[],
  identifier: number,
  done: (error: Error | null, granted: Granted[]) => void,
): void {
  const { broker } = connection
  const permitted: (AedesSubscription | number)[] = new Array(requests.length)
  let open = requests.length
  let failed = false
  const answer = (index: number, error: Error | null, permission: AedesSubscription | number): void => {
    if (failed) return
    if (error !== null) {
      failed = true
      done(error, [])
      return
    }
    permitted[index] = permission
    if (--open > 0) return
    const session = connection.session
    if (session === undefined) return
    done(
      null,
      permitted.map((each) =>
        typeof each === 'number' ? { reasonCode: each, ...REFUSED } : grant(connection, session, each, identifier),
      ),
    )
  }
  if (requests.length === 0) done(null, [])
  for (const [index, request] of requests.entries()) {
    const problem = filterProblem(connection, request.topic)
    if (problem !== undefined) {
      // Version 5 has a reason code for one filter; below, a filter that cannot be is a broken packet.
      if (connection.version5) answer(index, null, ReasonCode.TopicFilterInvalid)
      else answer(index, new ClientError(ReasonCode.TopicFilterInvalid, problem), 0)
      continue
    }
    if (queueFilterProblem(request.topic) !== undefined) {
      answer(index, null, request)
      continue
    }
    connection.ask<AedesSubscription | null>(
      'authorizeSubscribe',
      (callback) => broker.authorizeSubscribe(connection, request, callback),
      (error, permission) => {
        const refused = permission === null || typeof permission !== 'object'
        answer(index, error, refused ? ReasonCode.NotAuthorized : permission)
      },
    )
  }
}

export function filterProblem(connection: Connection, filter: string): string | undefined {
  const problem = topicFilterProblem(filter)
  if (problem !== undefined) return `the topic filter ${problem}`
  const { maxTopicLevels, config } = connection.broker
  const { topicBytesMax } = config.limits
  const matched = parseSharedFilter(filter)?.filter ?? filter
  if (levelCount(matched) > maxTopicLevels) return 'topic has too many levels'
  if (Buffer.byteLength(matched) > topicBytesMax) return `the topic filter is longer than ${topicBytesMax} bytes`
  return undefined
}

function grant(connection: Connection, session: Session, permission: AedesSubscription, identifier: number): Granted {
  const requested = permission.topic
  if (typeof requested !== 'string' || filterProblem(connection, requested) !== undefined) {
    return { reasonCode: ReasonCode.TopicFilterInvalid, ...REFUSED }
  }
  const problem = queueFilterProblem(requested)
  if (problem !== undefined) return { reasonCode: ReasonCode.TopicFilterInvalid, ...REFUSED, problem }
  const isKnown = session.subscriptions?.has(requested) === true
  const shared = parseSharedFilter(requested)
  if (!isKnown && !hasRoomFor(connection, session, requested, shared)) {
    return { reasonCode: ReasonCode.QuotaExceeded, ...REFUSED }
  }
  if (connection.version5 && session.stores && connection.broker.store.commit.failure !== undefined) {
    return { reasonCode: ReasonCode.QuotaExceeded, ...REFUSED }
  }
  const { qos, nl, rap, rh } = permission
  if ((qos as number) !== 0 && qos !== 1 && qos !== 2) return { reasonCode: FAILURE, ...REFUSED }
  const subscription: ClientSubscription = {
    requested,
    filter: shared?.filter ?? requested,
    shareName: shared?.shareName ?? '',
    qos: qos as QoS,
    noLocal: nl === true,
    retainAsPublished: rap === true,
    retainHandling: rh === 1 || rh === 2 ? rh : 0,
    identifier,
  }
  if (queueNameOf(requested) !== undefined) return grantQueue(connection, session, subscription)
  const isNew = session.subscribe(subscription)
  return { reasonCode: qos, subscription, isNew }
}

/** Whether one more subscription stays within the limits of the client, of all clients, and of shared groups. */
function hasRoomFor(
  connection: Connection,
  session: Session,
  requested: string,
  shared: ReturnType<typeof parseSharedFilter>,
): boolean {
  const { broker, context } = connection
  const { limits } = broker.config
  if ((session.subscriptions?.size ?? 0) >= limits.subscriptionsPerClientMax) return false
  const bytes = subscriptionBytes(requested)
  if (session.subscriptionBytes + bytes > limits.subscriptionBytesPerClientMax) return false
  if (context.sessions.subscriptionBytes + bytes > limits.subscriptionBytesMax) return false
  if (shared === undefined || broker.router.sharedGroup(shared.shareName, shared.filter) !== undefined) return true
  return broker.router.sharedGroupCount < limits.sharedGroupsMax
}
