import type { FifoEntry } from '../store/fifo-entry.ts'
import { entrySeq, KIND_REDELIVERY, ownedPrefix, redeliveryKey } from '../store/keys.ts'
import { scanPrefix } from '../store/scan-prefix.ts'
import type { Store } from '../store/store.ts'
import type { Backlog } from './backlog.ts'

/** How often a message has come back, and how many of the queue's retry delays it has had. */
export interface Redelivery {
  readonly count: number
  readonly retries: number
}

const NEVER: Redelivery = { count: 0, retries: 0 }
const LEVELS = 256
const RECORD_BYTES = 7
const VERSION = 1

/** What has come back at least once. Stored only from then on, so that most messages cost nothing here. */
export class Redeliveries {
  private readonly store: Store
  private readonly durable: boolean
  private readonly records = new Map<number, Redelivery>()

  constructor(store: Store, durable: boolean) {
    this.store = store
    this.durable = durable
  }

  /** `owners`: the FIFOs that have records. */
  async recover(backlog: Backlog, owners: ReadonlySet<number>): Promise<void> {
    for (const [level, { fifoId }] of backlog.fifos.entries()) {
      if (!owners.has(fifoId)) continue
      for await (const [key, value] of scanPrefix(this.store, ownedPrefix(KIND_REDELIVERY, fifoId))) {
        if (value.length !== RECORD_BYTES || value[0] !== VERSION) continue
        const found = { count: value.readUInt32BE(1), retries: value.readUInt16BE(5) }
        this.records.set(entrySeq(key) * LEVELS + level, found)
      }
    }
  }

  of(backlog: Backlog, entry: FifoEntry): Redelivery {
    if (this.records.size === 0) return NEVER
    return this.records.get(numberOf(backlog, entry)) ?? NEVER
  }

  known(seq: number, level: number): Redelivery {
    return this.records.get(seq * LEVELS + level) ?? NEVER
  }

  set(backlog: Backlog, entry: FifoEntry, redelivery: Redelivery): void {
    this.records.set(numberOf(backlog, entry), redelivery)
    if (!this.durable) return
    const record = Buffer.alloc(RECORD_BYTES)
    record[0] = VERSION
    record.writeUInt32BE(redelivery.count, 1)
    record.writeUInt16BE(redelivery.retries, 5)
    this.store.commit.put(this.keyOf(backlog, entry), record)
  }

  /** The message is done with. */
  forget(backlog: Backlog, entry: FifoEntry): void {
    if (this.records.size === 0 || !this.records.delete(numberOf(backlog, entry))) return
    if (this.durable) this.store.commit.del(this.keyOf(backlog, entry))
  }

  /** All that is known of the messages of a backlog goes with it. */
  clear(backlog: Backlog): void {
    for (const number of this.durable ? this.records.keys() : []) {
      const fifoId = backlog.firstFifoId + (number % LEVELS)
      this.store.commit.del(redeliveryKey(fifoId, Math.floor(number / LEVELS)))
    }
    this.records.clear()
  }

  private keyOf(backlog: Backlog, entry: FifoEntry): Buffer {
    return redeliveryKey(backlog.firstFifoId + backlog.levelOf(entry), entry.seq)
  }
}

function numberOf(backlog: Backlog, entry: FifoEntry): number {
  return entry.seq * LEVELS + backlog.levelOf(entry)
}
