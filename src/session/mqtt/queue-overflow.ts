import type { Broker } from '../../broker/broker.ts'
import type { Message } from '../../message/message.ts'
import type { Fifo } from '../../store/fifo.ts'
import { entrySize, type FifoEntry } from '../../store/fifo-entry.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'

const NONE: readonly number[] = []

/**
 * Does with a message that has no room in a queue, a client's or a shared group's, what `limits.queueOverflow` says.
 * Undefined: the queue does not get it. What is lost is counted; to say so is left to the caller.
 */
export function pushIntoFull(
  broker: Broker,
  queue: Fifo,
  message: Message,
  mark: number,
  identifiers: readonly number[] = NONE,
): FifoEntry | undefined {
  const { counters } = broker
  const { queueOverflow } = broker.config.limits
  // For one that is larger than the whole queue may be there is no room to be made.
  if (queueOverflow === 'drop-oldest' && entrySize(message) <= queue.bytesMax) {
    while (queue.dropOldest()) {
      counters.publishDropped++
      const entry = queue.push(message, mark, identifiers)
      if (entry !== undefined) return entry
      // What fills the memory of all queues is mostly in others.
      if (queue.fits(message)) break
    }
    // The oldest is on disk alone, and goes as soon as it has been read.
    if (queue.loading && !queue.fits(message)) return queue.pushPastLimits(message, mark, identifiers)
  }
  if (queueOverflow === 'reject-publish') message.refusal = ReasonCode.QuotaExceeded
  counters.publishDropped++
  return undefined
}

/** Makes up for what `pushIntoFull` let in while the oldest was on disk: to be called when the queue has read something. */
export function dropSurplus({ config, counters }: Broker, queue: Fifo): void {
  if (config.limits.queueOverflow !== 'drop-oldest') return
  while (queue.isOverfull && queue.dropOldest()) counters.publishDropped++
}
