import type { Message } from '../../message/message.ts'
import type { GroupBacklog, SharedGroup } from '../../router/shared-group.ts'
import { Fifo } from '../../store/fifo.ts'
import { metaKey, readU48, writeU48 } from '../../store/keys.ts'
import { scanPrefix } from '../../store/scan-prefix.ts'
import type { Store } from '../../store/store.ts'

const KEY_PREFIX = 'group:'
const WINDOW_BYTES = 1024 * 1024
// 24 of an entry's 32 bits of marks.
const GROUP_ID_MAX = 2 ** 24 - 1

/** A group's two queues, for what came back from a member and for what has never left, and its own small number. */
type GroupNumbers = readonly [returned: number, waiting: number, id: number]

export interface BacklogLimits {
  readonly messagesMax: number
  readonly bytesMax: number
}

/** The durable queues in which shared groups keep what none of their members can take. */
export class GroupBacklogs {
  private readonly store: Store
  private readonly limits: BacklogLimits
  private readonly numbers = new Map<string, GroupNumbers>()
  private readonly opened = new Set<string>()

  constructor(store: Store, limits: BacklogLimits) {
    this.store = store
    this.limits = limits
  }

  /** Reads which group has which queue; before any subscription is restored. */
  async recover(): Promise<void> {
    const prefix = metaKey(KEY_PREFIX)
    for await (const [key, value] of scanPrefix(this.store, prefix)) {
      this.numbers.set(key.toString('utf8', prefix.length), [readU48(value, 0), readU48(value, 6), readU48(value, 12)])
    }
  }

  /** Deletes the numbers of groups that no stored subscription has brought back: a crash has ended their members. */
  forgetUnused(): void {
    for (const name of this.numbers.keys()) {
      if (this.opened.has(name)) continue
      this.numbers.delete(name)
      this.store.commit.del(metaKey(KEY_PREFIX + name))
    }
  }

  /** The smallest that no group has, because it has to fit beside an entry's marks. 0: all are given. */
  private freeId(): number {
    const given = new Set([...this.numbers.values()].map(([, , id]) => id))
    for (let id = 1; id <= GROUP_ID_MAX; id++) if (!given.has(id)) return id
    return 0
  }

  open(shareName: string, filter: string, group: () => SharedGroup | undefined): GroupBacklog {
    const name = `${shareName}/${filter}`
    const { commit, numbers } = this.store
    const isStored = this.store.durability !== 'memory'
    this.opened.add(name)
    let pair = this.numbers.get(name)
    if (pair === undefined) {
      pair = isStored ? [numbers.next(commit), numbers.next(commit), this.freeId()] : [0, 0, 0]
      this.numbers.set(name, pair)
      if (isStored) commit.put(metaKey(KEY_PREFIX + name), encodeNumbers(pair))
    }
    const [returned, waiting] = [pair[0], pair[1]].map((number) => {
      const fifo = new Fifo(this.store, number, { durable: true, ...this.limits, windowBytes: WINDOW_BYTES })
      fifo.onReady = () => group()?.drainReady()
      return fifo
    }) as [Fifo, Fifo]
    return new FifoBacklog(pair[2], returned, waiting, () => {
      this.numbers.delete(name)
      this.opened.delete(name)
      if (isStored) commit.del(metaKey(KEY_PREFIX + name))
    })
  }
}

function encodeNumbers(numbers: GroupNumbers): Buffer {
  const value = Buffer.allocUnsafe(18)
  for (const [index, number] of numbers.entries()) writeU48(value, number, 6 * index)
  return value
}

class FifoBacklog implements GroupBacklog {
  readonly id: number
  private readonly returned: Fifo
  private readonly waiting: Fifo
  private readonly forget: () => void

  constructor(id: number, returned: Fifo, waiting: Fifo, forget: () => void) {
    this.id = id
    this.returned = returned
    this.waiting = waiting
    this.forget = forget
  }

  get count(): number {
    return this.returned.count + this.waiting.count
  }

  push(message: Message): boolean {
    return this.waiting.push(message, 0) !== undefined
  }

  shift(): Message | undefined {
    const fifo = this.returned.count > 0 ? this.returned : this.waiting
    const entry = fifo.next()
    if (entry === undefined) return undefined
    // In one batch with the entry in the member's own queue: a crash leaves the message in one of the two.
    fifo.ack(entry)
    return entry.message
  }

  putBack(messages: readonly Message[]): number {
    let kept = 0
    for (const message of messages) if (this.returned.push(message, 0) !== undefined) kept++
    return kept
  }

  destroy(): void {
    this.returned.destroy()
    this.waiting.destroy()
    this.forget()
  }
}
