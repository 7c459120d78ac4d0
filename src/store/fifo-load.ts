import type { Message } from '../message/message.ts'
import { decodeEntry, type EntryRecord } from './entry-record.ts'
import { bodyKey, entryBodyId, entryPrefix } from './keys.ts'
import { decodeMessage } from './message-record.ts'
import type { Store } from './store.ts'

/** An entry as it was read: its message is shared with other FIFOs once it is admitted. */
export interface LoadedEntry {
  readonly key: Buffer
  /** Undefined: it cannot be read, which has been logged. */
  readonly record: EntryRecord | undefined
  readonly message: Message | undefined
}

/** Reads the entries with fromSeq <= seq <= toSeq and the bodies they refer to; none: there are no more. */
export async function loadEntries(
  store: Store,
  fifoId: number,
  fromSeq: number,
  toSeq: number,
  limit: number,
  bytesMax: number,
): Promise<LoadedEntry[]> {
  const rows = await store.scan(entryPrefix(fifoId, fromSeq), entryPrefix(fifoId, toSeq + 1), limit, bytesMax)
  const bodies = await loadBodies(store, rows)
  return rows.map(([key, value]) => {
    try {
      const record = decodeEntry(value)
      const message = record.message ?? bodies.get(entryBodyId(key))
      if (message === undefined && !record.settled) throw new Error('its message is missing')
      return { key, record, message }
    } catch (error) {
      store.log.error({ fifoId, key: key.toString('hex'), err: error }, 'a queued message cannot be read: left out')
      return { key, record: undefined, message: undefined }
    }
  })
}

async function loadBodies(store: Store, rows: [key: Buffer, value: Buffer][]): Promise<Map<number, Message>> {
  const found = new Map<number, Message>()
  const missing = new Set<number>()
  for (const [key] of rows) {
    const bodyId = entryBodyId(key)
    if (bodyId === 0 || found.has(bodyId)) continue
    const message = store.bodies.find(bodyId)
    if (message === undefined) missing.add(bodyId)
    else found.set(bodyId, message)
  }
  if (missing.size === 0) return found
  const bodyIds = [...missing]
  const values = await store.getMany(bodyIds.map(bodyKey))
  for (const [i, bodyId] of bodyIds.entries()) {
    const value = values[i]
    if (value === undefined) continue
    try {
      found.set(bodyId, decodeMessage(value))
    } catch (error) {
      store.log.error({ bodyId, err: error }, 'a stored message cannot be read')
    }
  }
  return found
}
