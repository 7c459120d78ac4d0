import type { Message } from '../../message/message.ts'
import type { GroupBacklog, SharedGroup } from '../../router/shared-group.ts'
import { Fifo } from '../../store/fifo.ts'
import { metaKey, readU48, writeU48 } from '../../store/keys.ts'
import { scanPrefix } from '../../store/scan-prefix.ts'
import type { Store } from '../../store/store.ts'

const KEY_PREFIX = 'group:'
const WINDOW_BYTES = 1024 * 1024

export interface BacklogLimits {
  readonly messagesMax: number
  readonly bytesMax: number
}

/** The durable queues in which shared groups keep what none of their members can take. */
export class GroupBacklogs {
  private readonly store: Store
  private readonly limits: BacklogLimits
  private readonly numbers = new Map<string, number>()

  constructor(store: Store, limits: BacklogLimits) {
    this.store = store
    this.limits = limits
  }

  /** Reads which group has which queue; before any subscription is restored. */
  async recover(): Promise<void> {
    const prefix = metaKey(KEY_PREFIX)
    for await (const [key, value] of scanPrefix(this.store, prefix)) {
      this.numbers.set(key.toString('utf8', prefix.length), readU48(value, 0))
    }
  }

  open(shareName: string, filter: string, group: () => SharedGroup | undefined): GroupBacklog {
    const name = `${shareName}/${filter}`
    const { commit, numbers } = this.store
    let number = this.numbers.get(name)
    if (number === undefined) {
      number = this.store.durability === 'memory' ? 0 : numbers.next(commit)
      if (number !== 0) {
        const value = Buffer.allocUnsafe(6)
        writeU48(value, number, 0)
        commit.put(metaKey(KEY_PREFIX + name), value)
      }
    }
    const fifo = new Fifo(this.store, number, { durable: true, ...this.limits, windowBytes: WINDOW_BYTES })
    fifo.onReady = () => group()?.drainReady()
    return new FifoBacklog(fifo, () => {
      this.numbers.delete(name)
      if (number !== 0) commit.del(metaKey(KEY_PREFIX + name))
    })
  }
}

class FifoBacklog implements GroupBacklog {
  private readonly fifo: Fifo
  private readonly forget: () => void
  // What came back from a member goes before what has never left. In memory: its entry in the member's queue is only
  // deleted in the batch that stores it elsewhere.
  private returned: Message[] = []

  constructor(fifo: Fifo, forget: () => void) {
    this.fifo = fifo
    this.forget = forget
  }

  get count(): number {
    return this.fifo.count + this.returned.length
  }

  push(message: Message): void {
    this.fifo.push(message, 0)
  }

  shift(): Message | undefined {
    const returned = this.returned.shift()
    if (returned !== undefined) return returned
    const entry = this.fifo.next()
    if (entry === undefined) return undefined
    // In one batch with the member's own entry: a crash leaves the message in one of the two.
    this.fifo.ack(entry)
    return entry.message
  }

  unshift(message: Message): void {
    this.returned.unshift(message)
  }

  destroy(): void {
    this.fifo.destroy()
    this.forget()
  }
}
