import type { Backend } from './backend.ts'
import { decodeEntry } from './entry-record.ts'
import { decodeHead } from './fifo-head.ts'
import { ENTRY_KEY_BYTES, entryBodyId, entrySeq, keyAfter, kindKey, numberOfKey, readU48, stringOfKey } from './keys.ts'
import { KIND_BODY, KIND_ENTRY, KIND_HEAD, KIND_META, KIND_RETAINED, metaKey } from './keys.ts'
import { decodeMessage } from './message-record.ts'
import { NumberSource } from './number-source.ts'

/** Who is there to own other records, gathered before these are looked at. */
export interface Owners {
  readonly clientIds: Set<string>
  readonly sessionNumbers: Set<number>
  readonly fifos: Set<number>
}

/** What one kind of key holds. Both throw for a record that cannot be read. */
export interface RecordKind {
  /** In the plural, for a person. */
  readonly name: string
  /** Notes what this record owns. */
  claim?(key: Buffer, value: Buffer, owners: Owners): void
  /** Reads the record; answers whom it belongs to that is not there. */
  missing?(key: Buffer, value: Buffer, owners: Owners): string | undefined
}

/** By the first byte of the key. */
export type RecordKinds = ReadonlyMap<number, RecordKind>

/** `leftover`: a crash can leave it, and the next start deletes it. */
export interface Verdict {
  readonly state: 'good' | 'leftover' | 'damaged'
  readonly kind: string
  readonly why: string
  /** Damaged only because the head of this FIFO is: it can be made again. */
  readonly headless?: number
}

export type Visit = (key: Buffer, value: Buffer, verdict: Verdict) => Promise<void> | void

const PAGE = 2_000
const GROUP_PREFIX = metaKey('group:')

/** The kinds that the store itself knows; who keeps others in it adds them. */
export const storeKinds: RecordKinds = new Map<number, RecordKind>([
  [
    KIND_META,
    {
      name: 'settings',
      missing(key, value) {
        const isGroup = key.subarray(0, GROUP_PREFIX.length).equals(GROUP_PREFIX)
        if (!isGroup && !key.equals(NumberSource.key)) return 'nobody knows it'
        const fits = isGroup ? value.length > 0 && value.length % 6 === 0 : value.length === 6
        return fits ? undefined : 'it has the wrong length'
      },
      claim(key, value, { fifos }) {
        if (!key.subarray(0, GROUP_PREFIX.length).equals(GROUP_PREFIX)) return
        for (let at = 0; at + 6 <= value.length; at += 6) fifos.add(readU48(value, at))
      },
    },
  ],
  [
    KIND_RETAINED,
    {
      name: 'retained messages',
      missing(key, value) {
        const { topic } = decodeMessage(value)
        return topic === stringOfKey(key) ? undefined : `it is a message of the topic '${topic}'`
      },
    },
  ],
])

/** Looks at every key, in the order of keys, and says whether it can be read and whom it belongs to. */
export async function accountFor(backend: Backend, kinds: RecordKinds, visit: Visit): Promise<void> {
  const account = new Account(kinds)
  for (const [kind, record] of kinds) {
    if (record.claim === undefined) continue
    await scan(backend, kindKey(kind), kindKey(kind + 1), (key, value) => account.claim(kind, key, value))
  }
  await scan(backend, kindKey(KIND_BODY), kindKey(KIND_BODY + 1), (key, value) => account.noteBody(key, value))
  await scan(backend, kindKey(0), kindKey(0xff), (key, value) => visit(key, value, account.judge(key, value)))
}

async function scan(
  backend: Backend,
  from: Buffer,
  to: Buffer,
  each: (key: Buffer, value: Buffer) => Promise<void> | void,
): Promise<void> {
  let next = from
  for (;;) {
    const page = await backend.scan(next, to, PAGE)
    const last = page.at(-1)
    if (last === undefined) return
    for (const [key, value] of page) await each(key, value)
    next = keyAfter(last[0])
  }
}

class Account {
  private readonly kinds: RecordKinds
  private readonly owners: Owners = {
    clientIds: new Set(),
    sessionNumbers: new Set(),
    fifos: new Set(),
  }
  private readonly bodies = new Set<number>()
  private readonly referred = new Set<number>()
  /** Number of the first entry that may be there; Infinity: the FIFO was deleted. */
  private readonly heads = new Map<number, number>()

  constructor(kinds: RecordKinds) {
    this.kinds = kinds
  }

  claim(kind: number, key: Buffer, value: Buffer): void {
    try {
      this.kinds.get(kind)?.claim?.(key, value, this.owners)
    } catch {
      // Told when its turn comes.
    }
  }

  noteBody(key: Buffer, value: Buffer): void {
    try {
      decodeMessage(value)
      this.bodies.add(numberOfKey(key))
    } catch {
      // Told when its turn comes.
    }
  }

  judge(key: Buffer, value: Buffer): Verdict {
    const kind = key[0] ?? 0
    const name = this.nameOf(kind)
    try {
      if (kind === KIND_HEAD) return this.judgeHead(name, key, value)
      if (kind === KIND_ENTRY) return this.judgeEntry(name, key, value)
      if (kind === KIND_BODY) return this.judgeBody(name, key, value)
      const known = this.kinds.get(kind)
      if (known === undefined) return damaged(name, 'a key of a kind that this version does not know')
      const missing = known.missing?.(key, value, this.owners)
      return missing === undefined ? good(name) : damaged(name, missing)
    } catch (error) {
      return damaged(name, (error as Error).message)
    }
  }

  private nameOf(kind: number): string {
    if (kind === KIND_HEAD) return 'queues'
    if (kind === KIND_ENTRY) return 'queued messages'
    if (kind === KIND_BODY) return 'shared messages'
    return this.kinds.get(kind)?.name ?? 'unknown keys'
  }

  private judgeHead(name: string, key: Buffer, value: Buffer): Verdict {
    const fifo = numberOfKey(key)
    const { headSeq, doomed } = decodeHead(value)
    this.heads.set(fifo, doomed ? Number.POSITIVE_INFINITY : headSeq)
    if (doomed) return leftover(name, 'it was deleted')
    return this.owners.fifos.has(fifo) ? good(name) : leftover(name, 'nobody uses it')
  }

  private judgeEntry(name: string, key: Buffer, value: Buffer): Verdict {
    if (key.length !== ENTRY_KEY_BYTES) return damaged(name, 'its key has the wrong length')
    const fifo = numberOfKey(key)
    const bodyId = entryBodyId(key)
    const record = decodeEntry(value)
    if (bodyId !== 0) this.referred.add(bodyId)
    if (bodyId !== 0 && !this.bodies.has(bodyId)) return damaged(name, 'its message is missing')
    if (bodyId === 0 && record.message === undefined && !record.settled) return damaged(name, 'it holds no message')
    const headSeq = this.heads.get(fifo)
    if (headSeq === undefined) {
      const verdict = damaged(name, 'the head of its queue is missing')
      return this.owners.fifos.has(fifo) ? { ...verdict, headless: fifo } : verdict
    }
    if (headSeq === Number.POSITIVE_INFINITY || !this.owners.fifos.has(fifo))
      return leftover(name, 'of a deleted queue')
    return entrySeq(key) < headSeq ? damaged(name, 'it is in front of the first of its queue') : good(name)
  }

  private judgeBody(name: string, key: Buffer, value: Buffer): Verdict {
    decodeMessage(value)
    return this.referred.has(numberOfKey(key)) ? good(name) : leftover(name, 'no queue refers to it')
  }
}

const good = (kind: string): Verdict => ({ state: 'good', kind, why: '' })
const leftover = (kind: string, why: string): Verdict => ({ state: 'leftover', kind, why })
const damaged = (kind: string, why: string): Verdict => ({ state: 'damaged', kind, why })
