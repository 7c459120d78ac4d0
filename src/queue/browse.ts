import type { Message } from '../message/message.ts'
import type { FifoEntry } from '../store/fifo-entry.ts'
import type { Store } from '../store/store.ts'
import { enqueuedMs } from './backlog.ts'
import type { QueueContents } from './queue-contents.ts'
import { storedEntries } from './stored-entries.ts'

/** A message that waits in a queue, looked at and left where it is. */
export interface Browsed {
  readonly message: Message
  readonly enqueuedMs: number
  readonly redelivered: boolean
  /** How often it has come back. */
  readonly deliveryCount: number
}

/**
 * Up to `max` ready messages in the order in which they would be handed out, and none after their payloads have come to
 * `bytesMax` bytes. Nothing changes by it: no message is taken, none that has expired is dropped, and nothing counts as
 * used. `handedOut`: those that are not ready.
 */
export async function browse(
  store: Store,
  contents: QueueContents,
  handedOut: Iterable<{ readonly entry: FifoEntry }>,
  max: number,
  bytesMax: number,
): Promise<Browsed[]> {
  const found: Browsed[] = []
  let bytes = 0
  const isEnough = (): boolean => found.length >= max || bytes >= bytesMax
  const { fifos } = contents.backlog
  const taken = new Set<string>()
  const nowMs = store.clock.now()
  for (const { entry } of handedOut) taken.add(`${contents.backlog.levelOf(entry)}/${entry.seq}`)
  // What is in memory alone so far is on disk then; unless nothing ever is.
  if (fifos.some((fifo) => fifo.readyCount > fifo.ready.length)) await store.commit.flush()
  for (let level = fifos.length - 1; level >= 0 && !isEnough(); level--) {
    const fifo = fifos[level]
    if (fifo === undefined) continue
    let lastSeq = 0
    const add = (
      seq: number,
      each: Pick<FifoEntry, 'message' | 'mark' | 'identifiers'>,
      redelivered: boolean,
    ): void => {
      lastSeq = seq
      if (contents.isOver({ seq, message: each.message, mark: each.mark, identifiers: each.identifiers }, nowMs)) return
      const deliveryCount = contents.deliveryCountOf(seq, level)
      const { message } = each
      bytes += message.payload.length
      found.push({
        message,
        enqueuedMs: enqueuedMs(each),
        redelivered: redelivered || deliveryCount > 0,
        deliveryCount,
      })
    }
    for (let entry = fifo.ready.first; entry !== undefined && !isEnough(); entry = entry.next) {
      add(entry.seq, entry, entry.redelivered)
    }
    if (isEnough() || fifo.readyCount <= fifo.ready.length) continue
    for await (const stored of storedEntries(store, fifo.fifoId, lastSeq + 1)) {
      if (!taken.has(`${level}/${stored.seq}`)) add(stored.seq, stored, false)
      if (isEnough()) break
    }
  }
  return found
}
