import type { Message } from '../message/message.ts'
import type { Backend } from './backend.ts'
import { BlockAccount } from './block-account.ts'
import { decodeHead } from './fifo-head.ts'
import { keyAfter, kindKey, NUMBER_KEY_BYTES, numberOfKey, readU48, retainedKey } from './keys.ts'
import { KIND_BLOCK, KIND_BLOCK_DATA, KIND_BODY, KIND_HEAD, KIND_META, KIND_RETAINED, metaKey } from './keys.ts'
import { decodeMessage } from './message-record.ts'
import { NumberSource } from './number-source.ts'
import { damaged, good, leftover, type Verdict } from './verdict.ts'

/** Who is there to own other records, gathered before these are looked at. */
export interface Owners {
  readonly clientIds: Set<string>
  readonly sessionNumbers: Set<number>
  readonly fifos: Set<number>
  readonly queueNames: Set<string>
  readonly queueNumbers: Set<number>
  readonly exchangeNames: Set<string>
}

/** What one kind of key holds. All throw for a record that cannot be read. */
export interface RecordKind {
  /** In the plural, for a person. */
  readonly name: string
  /** Notes what this record owns. */
  claim?(key: Buffer, value: Buffer, owners: Owners): void
  /** The message in such a record, where each of the kind has one. */
  message?(value: Buffer): Message
  /** Reads the record; answers whom it belongs to that is not there. */
  missing?(key: Buffer, value: Buffer, owners: Owners): string | undefined
  /** Answers why nobody has need of it: the next start deletes it. */
  unused?(key: Buffer, value: Buffer, owners: Owners): string | undefined
}

/** By the first byte of the key. */
export type RecordKinds = ReadonlyMap<number, RecordKind> & {
  /** Throws for a message that could not be sent, however well it can be read. */
  readonly checkMessage?: (message: Message) => void
}

export type Visit = (key: Buffer, value: Buffer, verdict: Verdict) => Promise<void> | void

const PAGE = 2_000
const GROUP_PREFIX = metaKey('group:')
// Two FIFOs, and the group's small number.
const GROUP_BYTES = 18
const GROUP_FIFOS_AT = [0, 6]

/** The kinds that the store itself knows; who keeps others in it adds them. */
export const storeKinds: RecordKinds = new Map<number, RecordKind>([
  [
    KIND_META,
    {
      name: 'settings',
      missing(key, value) {
        const isGroup = key.subarray(0, GROUP_PREFIX.length).equals(GROUP_PREFIX)
        if (!isGroup && !key.equals(NumberSource.key)) return 'nobody knows it'
        return value.length === (isGroup ? GROUP_BYTES : 6) ? undefined : 'it has the wrong length'
      },
      claim(key, value, { fifos }) {
        if (!key.subarray(0, GROUP_PREFIX.length).equals(GROUP_PREFIX) || value.length !== GROUP_BYTES) return
        for (const at of GROUP_FIFOS_AT) fifos.add(readU48(value, at))
      },
    },
  ],
  [
    KIND_RETAINED,
    {
      name: 'retained messages',
      message: (value) => decodeMessage(value),
      missing(key, value) {
        const { topic } = decodeMessage(value)
        return key.equals(retainedKey(topic)) ? undefined : `it is a message of the topic '${topic}'`
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
  await scan(backend, kindKey(KIND_HEAD), kindKey(KIND_HEAD + 1), (key, value) => account.noteHead(key, value))
  await scan(backend, kindKey(KIND_BODY), kindKey(KIND_BODY + 1), (key, value) => account.noteBody(key, value))
  await account.gatherBlocks(backend)
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
    queueNames: new Set(),
    queueNumbers: new Set(),
    exchangeNames: new Set(),
  }
  private readonly bodies = new Set<number>()
  /** Number of the first entry that may be there; Infinity: the FIFO was deleted. */
  private readonly heads = new Map<number, number>()
  private readonly checkMessage: (message: Message) => void
  private readonly blocks: BlockAccount

  constructor(kinds: RecordKinds) {
    this.kinds = kinds
    this.checkMessage = kinds.checkMessage ?? (() => {})
    this.blocks = new BlockAccount(this.heads, this.bodies, this.owners.fifos, this.checkMessage)
  }

  claim(kind: number, key: Buffer, value: Buffer): void {
    try {
      this.kinds.get(kind)?.claim?.(key, value, this.owners)
    } catch {
      // Told when its turn comes.
    }
  }

  noteHead(key: Buffer, value: Buffer): void {
    try {
      checkNumberKey(key)
      const { headSeq, doomed } = decodeHead(value)
      this.heads.set(numberOfKey(key), doomed ? Number.POSITIVE_INFINITY : headSeq)
    } catch {
      // Told when its turn comes.
    }
  }

  async gatherBlocks(backend: Backend): Promise<void> {
    await this.blocks.gather(backend)
  }

  noteBody(key: Buffer, value: Buffer): void {
    try {
      checkNumberKey(key)
      this.checkMessage(decodeMessage(value))
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
      if (kind === KIND_BLOCK) return this.blocks.judge(name, key)
      if (kind === KIND_BLOCK_DATA) return this.blocks.judgeData(name, key, value)
      if (kind === KIND_BODY) return this.judgeBody(name, key, value)
      const known = this.kinds.get(kind)
      if (known === undefined) return damaged(name, 'a key of a kind that this version does not know')
      const missing = known.missing?.(key, value, this.owners)
      if (missing !== undefined) return damaged(name, missing)
      if (known.message !== undefined) this.checkMessage(known.message(value))
      const unused = known.unused?.(key, value, this.owners)
      return unused === undefined ? good(name) : leftover(name, unused)
    } catch (error) {
      return damaged(name, (error as Error).message)
    }
  }

  private nameOf(kind: number): string {
    if (kind === KIND_HEAD) return 'queues'
    if (kind === KIND_BLOCK || kind === KIND_BLOCK_DATA) return 'queued messages'
    if (kind === KIND_BODY) return 'shared messages'
    return this.kinds.get(kind)?.name ?? 'unknown keys'
  }

  private judgeHead(name: string, key: Buffer, value: Buffer): Verdict {
    checkNumberKey(key)
    const fifo = numberOfKey(key)
    if (decodeHead(value).doomed) return leftover(name, 'it was deleted')
    return this.owners.fifos.has(fifo) ? good(name) : leftover(name, 'nobody uses it')
  }

  private judgeBody(name: string, key: Buffer, value: Buffer): Verdict {
    checkNumberKey(key)
    this.checkMessage(decodeMessage(value))
    return this.blocks.referred.has(numberOfKey(key)) ? good(name) : leftover(name, 'no queue refers to it')
  }
}

function checkNumberKey(key: Buffer): void {
  if (key.length !== NUMBER_KEY_BYTES) throw new RangeError('its key has the wrong length')
}
