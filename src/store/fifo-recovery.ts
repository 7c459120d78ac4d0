import type { ChangeSink } from './batch.ts'
import type { Bodies } from './bodies.ts'
import { decodeHead, type HeadRecord } from './fifo-head.ts'
import {
  bodyKey,
  entryBodyId,
  entryBytes,
  entryPrefix,
  entrySeq,
  KIND_BODY,
  KIND_HEAD,
  keyAfter,
  kindKey,
  numberOfKey,
} from './keys.ts'

/** What the start found of one FIFO. All of it is still on disk only. */
export interface RecoveredFifo {
  readonly head: HeadRecord
  readonly count: number
  readonly bytes: number
  /** Of the first and the last entry; 0 when there is none. */
  readonly firstSeq: number
  readonly lastSeq: number
}

/** The part of a store that recovery reads. */
export interface Scanner {
  scan(from: Buffer, to: Buffer, limit: number): Promise<[key: Buffer, value: Buffer][]>
  scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]>
}

const PAGE = 10_000
// More FIFOs at once would only queue up for the threads that read.
const CONCURRENT = 8

/**
 * Reads the heads, then the keys of each FIFO from its head on: number and size of the entries, and how many refer to
 * each shared body. The values stay unread, so that a million messages are counted in about a second.
 */
export async function recoverFifos(store: Scanner, bodies: Bodies): Promise<Map<number, RecoveredFifo>> {
  const found = new Map<number, RecoveredFifo>()
  let from = kindKey(KIND_HEAD)
  const to = kindKey(KIND_HEAD + 1)
  for (;;) {
    const heads = await store.scan(from, to, PAGE)
    const last = heads.at(-1)
    if (last === undefined) return found
    const left = heads.values()
    const walk = async (): Promise<void> => {
      for (const [key, value] of left) {
        const fifoId = numberOfKey(key)
        found.set(fifoId, await countEntries(store, fifoId, decodeHead(value), bodies))
      }
    }
    await Promise.all(Array.from({ length: CONCURRENT }, walk))
    from = keyAfter(last[0])
  }
}

async function countEntries(store: Scanner, fifoId: number, head: HeadRecord, bodies: Bodies): Promise<RecoveredFifo> {
  let count = 0
  let bytes = 0
  let firstSeq = 0
  let lastSeq = 0
  let from = entryPrefix(fifoId, head.headSeq)
  const to = entryPrefix(fifoId + 1, 0)
  for (;;) {
    const keys = await store.scanKeys(from, to, PAGE)
    for (const key of keys) {
      lastSeq = entrySeq(key)
      if (count === 0) firstSeq = lastSeq
      count++
      bytes += entryBytes(key)
      const bodyId = entryBodyId(key)
      if (bodyId !== 0) bodies.recovered(bodyId)
    }
    const last = keys.at(-1)
    if (last === undefined) return { head, count, bytes, firstSeq, lastSeq }
    from = keyAfter(last)
  }
}

/** Deletes bodies to which no entry refers; answers how many there were. */
export async function sweepBodies(store: Scanner, bodies: Bodies, changes: ChangeSink): Promise<number> {
  let swept = 0
  let from = kindKey(KIND_BODY)
  const to = kindKey(KIND_BODY + 1)
  for (;;) {
    const keys = await store.scanKeys(from, to, PAGE)
    for (const key of keys) {
      if (bodies.isReferenced(numberOfKey(key))) continue
      changes.del(bodyKey(numberOfKey(key)))
      swept++
    }
    const last = keys.at(-1)
    if (last === undefined) return swept
    from = keyAfter(last)
  }
}
