import type { Subscription as AedesSubscription } from 'aedes'
import { fromAedesPacket, type LoosePacket } from '../../broker/aedes-packet.ts'
import type { Done } from '../../broker/broker.ts'
import type { QoS } from '../../message/qos.ts'
import type { Connection } from './connection.ts'
import { announceSubscribed, announceUnsubscribed } from './life-signs.ts'
import { replayRetained } from './retained-replay.ts'
import { filterProblem, sendSuback, subscribeAll } from './subscribe.ts'

// What aedes documents of its client, beyond events: for hooks and plugins that act on one client in the process.

type SubscribeRequest = AedesSubscription | readonly AedesSubscription[] | { subscriptions: AedesSubscription[] }
type FilterRequest = string | { topic: string }
type UnsubscribeRequest = FilterRequest | readonly FilterRequest[] | { unsubscriptions: FilterRequest[] }

/** Sends a message to this client alone; at QoS 1 and 2 it waits in the session's queue like any other. */
export function publish(connection: Connection, packet: LoosePacket, done: Done): void {
  const { broker, session } = connection
  if (session === undefined) {
    done(new Error('the client is not connected'))
    return
  }
  const message = fromAedesPacket(packet, '', broker.clock.now())
  broker.counter++
  if (message.qos === 0) session.sendNow(message, message.retain, [])
  else session.outgoing.offer(message, message.qos as QoS, message.retain, [])
  if (message.refusal !== 0) done(new Error('the queue of the session is full'))
  else broker.whenCommitted(message.commitEpoch, done)
}

export function subscribe(connection: Connection, request: SubscribeRequest, done: Done): void {
  const requests = lastOfEach(subscriptionsIn(request))
  const { session } = connection
  if (session === undefined) {
    done(new Error('the client is not connected'))
    return
  }
  // In the process, as opposed to on the wire, a client may be shown what aedes tells of others.
  if (requests.some(({ topic }) => topic.startsWith('$SYS/'))) session.seesLifeSigns = true
  subscribeAll(connection, requests, 0, (error, granted) => {
    if (error !== null) {
      done(error)
      return
    }
    // In a later turn: who asks may still have to listen.
    setImmediate(() => {
      announceSubscribed(connection, requests, granted)
      connection.broker.whenCommitted(session.changeEpoch, () => {
        // With a packet identifier it is as if the client had asked itself.
        const { messageId } = request as { messageId?: number }
        if (messageId !== undefined) sendSuback(connection, messageId, granted)
        replayRetained(connection, session, granted)
        session.queues?.begin()
        done()
      })
    })
  })
}

export function unsubscribe(connection: Connection, request: UnsubscribeRequest, done: Done): void {
  const filters = filtersIn(request)
  const { session } = connection
  if (session === undefined) {
    done(new Error('the client is not connected'))
    return
  }
  for (const filter of filters) {
    const problem = filterProblem(connection, filter)
    if (problem !== undefined) {
      done(new Error(problem))
      return
    }
  }
  for (const filter of filters) session.unsubscribe(filter)
  announceUnsubscribed(connection, filters)
  connection.broker.whenCommitted(session.changeEpoch, done)
}

/** The will of the current connection, in aedes' shape; null: none. */
export function willOf(connection: Connection): object | null {
  const will = connection.session === undefined ? undefined : connection.broker.wills.get(connection.id)
  if (will === undefined) return null
  const { topic, payload, qos, retain } = will.message
  return { topic, payload, qos, retain, clientId: connection.id, brokerId: connection.broker.id }
}

/** By filter, without a prototype because the names come from the wire. */
export function subscriptionsOf(connection: Connection): Record<string, unknown> {
  const byFilter: Record<string, unknown> = Object.create(null)
  for (const [requested, subscription] of connection.session?.subscriptions ?? []) {
    const { qos, noLocal, retainAsPublished, retainHandling } = subscription
    byFilter[requested] = { qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling }
  }
  return byFilter
}

function subscriptionsIn(request: SubscribeRequest): AedesSubscription[] {
  if (Array.isArray(request)) return request
  if ('subscriptions' in request) return request.subscriptions
  return [request as AedesSubscription]
}

/** The same array where no filter repeats: listeners of `subscribe` are given it. */
function lastOfEach(requests: AedesSubscription[]): AedesSubscription[] {
  const byFilter = new Map(requests.map((request) => [request.topic, request]))
  return byFilter.size === requests.length ? requests : [...byFilter.values()]
}

function filtersIn(request: UnsubscribeRequest): string[] {
  const list = Array.isArray(request)
    ? request
    : typeof request === 'object' && 'unsubscriptions' in request
      ? request.unsubscriptions
      : [request]
  return list.map((each: FilterRequest) => (typeof each === 'string' ? each : each.topic))
}
