import { bodiesOf, blockPages } from './fifo-recovery.ts'
import { blockDataKey, blockKey, headKey } from './keys.ts'
import type { Store } from './store.ts'

// Blocks for each commit.
const PAGE = 64

/**
 * Deletes the blocks of a doomed FIFO from `fromSeq` on, and its head last, a page for each commit, so that nothing
 * else waits. Should the process end in between, the next start goes on.
 */
export async function sweepEntries(store: Store, fifoId: number, fromSeq: number): Promise<void> {
  const { commit, bodies } = store
  try {
    // First, because entries may have been on their way to disk when the FIFO was destroyed.
    await commit.flush()
    for await (const blocks of blockPages(store, fifoId, fromSeq)) {
      for (let from = 0; from < blocks.length; from += PAGE) {
        const page = blocks.slice(from, from + PAGE)
        const bodyIds = await bodiesOf(store, fifoId, page)
        for (const { firstSeq, dataBytes, inside } of page) {
          commit.del(blockKey(fifoId, firstSeq))
          if (dataBytes === 0) continue
          if (inside === undefined) commit.del(blockDataKey(fifoId, firstSeq))
          store.reclaim.dataDeleted(fifoId, firstSeq, dataBytes, inside !== undefined)
        }
        for (const bodyId of bodyIds) bodies.release(bodyId, commit)
        await commit.flush()
      }
    }
    commit.del(headKey(fifoId))
  } catch (error) {
    store.log.error(
      { fifoId, err: error },
      'the messages of a deleted queue could not all be deleted: the next start will',
    )
  }
}
