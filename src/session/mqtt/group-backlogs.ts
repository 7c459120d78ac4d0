import type { Message } from '../../message/message.ts'
import type { GroupBacklog, SharedGroup } from '../../router/shared-group.ts'
import { Fifo } from '../../store/fifo.ts'
import { metaKey, readU48, writeU48 } from '../../store/keys.ts'
import { scanPrefix } from '../../store/scan-prefix.ts'
import type { Store } from '../../store/store.ts'

const KEY_PREFIX = 'group:'
const WINDOW_BYTES = 1024 * 1024

/** The two queues of a group: for what came back from a member, and for what has never left. */
type NumberPair = readonly [returned: number, waiting: number]

export interface BacklogLimits {
  readonly messagesMax: number
  readonly bytesMax: number
}

/** The durable queues in which shared groups keep what none of their members can take. */
export class GroupBacklogs {
  private readonly store: Store
  private readonly limits: BacklogLimits
  private readonly numbers = new Map<string, NumberPair>()
  private readonly opened = new Set<string>()

  constructor(store: Store, limits: BacklogLimits) {
    this.store = store
    this.limits = limits
  }

  /** Reads which group has which queue; before any subscription is restored. */
  async recover(): Promise<void> {
    const prefix = metaKey(KEY_PREFIX)
    for await (const [key, value] of scanPrefix(this.store, prefix)) {
      this.numbers.set(key.toString('utf8', prefix.length), [readU48(value, 0), readU48(value, 6)])
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

  open(shareName: string, filter: string, group: () => SharedGroup | undefined): GroupBacklog {
    const name = `${shareName}/${filter}`
    const { commit, numbers } = this.store
    const isStored = this.store.durability !== 'memory'
    this.opened.add(name)
    let pair = this.numbers.get(name)
    if (pair === undefined) {
      pair = isStored ? [numbers.next(commit), numbers.next(commit)] : [0, 0]
      if (isStored) commit.put(metaKey(KEY_PREFIX + name), encodePair(pair))
    }
    const [returned, waiting] = pair.map((number) => {
      const fifo = new Fifo(this.store, number, { durable: true, ...this.limits, windowBytes: WINDOW_BYTES })
      fifo.onReady = () => group()?.drainReady()
      return fifo
    }) as [Fifo, Fifo]
    return new FifoBacklog(returned, waiting, () => {
      this.numbers.delete(name)
      this.opened.delete(name)
      if (isStored) commit.del(metaKey(KEY_PREFIX + name))
    })
  }
}

function encodePair(pair: NumberPair): Buffer {
  const value = Buffer.allocUnsafe(12)
  writeU48(value, pair[0], 0)
  writeU48(value, pair[1], 6)
  return value
}

class FifoBacklog implements GroupBacklog {
  private readonly returned: Fifo
  private readonly waiting: Fifo
  private readonly forget: () => void

  constructor(returned: Fifo, waiting: Fifo, forget: () => void) {
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
