import type { FifoEntry } from '../store/fifo-entry.ts'
import { enqueuedMs } from './backlog.ts'
import { Rate } from './rate.ts'

/** Since the queue was declared or the broker started. */
export interface QueueCounters {
  published: number
  delivered: number
  acknowledged: number
  returned: number
  rejected: number
  /** Given to the dead-letter exchange, or dropped where there is none. */
  expired: number
  overflowed: number
  /** Refused to their publishers. */
  refused: number
  duplicates: number
  superseded: number
}

/** What was handed out and not answered, in no particular order. */
export type Outstanding<T> = Iterable<T> & { readonly size: number }

/** How long a queue is, in messages and in time. All times in milliseconds. */
export interface QueueStats extends Readonly<QueueCounters> {
  readonly name: string
  readonly ready: number
  readonly unacknowledged: number
  readonly delayed: number
  readonly messages: number
  /** About what they take on disk. */
  readonly bytes: number
  readonly consumers: number
  /** Messages per second over the last ten seconds. */
  readonly rateIn: number
  /** Acknowledged, expired and dropped ones: whatever leaves for good. */
  readonly rateOut: number
  /** Age of the message that is next; 0: none is ready, undefined: it is being read from disk. */
  readonly oldestReadyMs: number | undefined
  /** Age of the oldest message that was handed out and not answered; 0: there is none. */
  readonly oldestUnacknowledgedMs: number
  /** The lag: the older of the two. */
  readonly lagMs: number
  /** Until nothing is left at the present rates; undefined: never. */
  readonly drainMs: number | undefined
}

/** Counters and rates of one queue. */
export class Meter {
  readonly counters: QueueCounters = {
    published: 0,
    delivered: 0,
    acknowledged: 0,
    returned: 0,
    rejected: 0,
    expired: 0,
    overflowed: 0,
    refused: 0,
    duplicates: 0,
    superseded: 0,
  }
  readonly rateIn = new Rate()
  readonly rateOut = new Rate()

  stats(nowMs: number, now: Present): QueueStats {
    const { head, unacknowledged, ...rest } = now
    let oldestUnacknowledgedMs = 0
    for (const { entry } of unacknowledged) {
      oldestUnacknowledgedMs = Math.max(oldestUnacknowledgedMs, ageMs(entry, nowMs))
    }
    const headMs = head === undefined ? undefined : ageMs(head, nowMs)
    const oldestReadyMs = now.ready === 0 ? 0 : headMs
    const [rateIn, rateOut] = [this.rateIn.perSecond(nowMs), this.rateOut.perSecond(nowMs)]
    return {
      ...this.counters,
      ...rest,
      unacknowledged: unacknowledged.size,
      rateIn,
      rateOut,
      oldestReadyMs,
      oldestUnacknowledgedMs,
      lagMs: Math.max(oldestReadyMs ?? 0, oldestUnacknowledgedMs),
      drainMs: timeToDrain(now.messages, rateIn, rateOut),
    }
  }
}

/** What a queue holds at the moment. */
interface Present {
  readonly name: string
  readonly ready: number
  readonly delayed: number
  readonly messages: number
  readonly bytes: number
  readonly consumers: number
  readonly head: FifoEntry | undefined
  readonly unacknowledged: Outstanding<{ readonly entry: FifoEntry }>
}

function ageMs(entry: FifoEntry, nowMs: number): number {
  return Math.max(0, nowMs - enqueuedMs(entry))
}

/** Messages that are there, over the difference of what leaves and what comes; undefined while more comes. */
function timeToDrain(messages: number, rateIn: number, rateOut: number): number | undefined {
  if (messages === 0) return 0
  return rateOut > rateIn ? (messages / (rateOut - rateIn)) * 1000 : undefined
}
