import { entryBodyId, entryPrefix, headKey, keyAfter } from './keys.ts'
import type { Store } from './store.ts'

const PAGE = 1_000

/**
 * Deletes the entries of a doomed FIFO from `fromSeq` on, and its head last, a page for each commit, so that nothing
 * else waits. Should the process end in between, the next start goes on.
 */
export async function sweepEntries(store: Store, fifoId: number, fromSeq: number): Promise<void> {
  const { commit, bodies } = store
  let from = entryPrefix(fifoId, fromSeq)
  const to = entryPrefix(fifoId + 1, 0)
  try {
    for (;;) {
      // First, because entries may have been on their way to disk when the FIFO was destroyed.
      await commit.flush()
      const keys = await store.scanKeys(from, to, PAGE)
      const last = keys.at(-1)
      if (last === undefined) break
      for (const key of keys) {
        commit.del(key)
        const bodyId = entryBodyId(key)
        if (bodyId !== 0) bodies.release(bodyId, commit)
      }
      from = keyAfter(last)
    }
    commit.del(headKey(fifoId))
  } catch (error) {
    store.log.error(
      { fifoId, err: error },
      'the messages of a deleted queue could not all be deleted: the next start will',
    )
  }
}
