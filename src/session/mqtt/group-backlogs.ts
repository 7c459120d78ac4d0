import { SluiceError } from '../../base/errors.ts'
import type { Broker } from '../../broker/broker.ts'
import type { Message } from '../../message/message.ts'
import type { GroupBacklog, SharedGroup } from '../../router/shared-group.ts'
import { Fifo } from '../../store/fifo.ts'
import { metaKey, readU48, writeU48 } from '../../store/keys.ts'
import { scanPrefix } from '../../store/scan-prefix.ts'
import type { Store } from '../../store/store.ts'
import { dropSurplus, pushIntoFull } from './queue-overflow.ts'

const KEY_PREFIX = 'group:'
const WINDOW_BYTES = 1024 * 1024
// 24 of an entry's 32 bits of marks.
const GROUP_ID_MAX = 2 ** 24 - 1
const NUMBERS_BYTES = 18

/** A group's two queues, for what came back from a member and for what has never left, and its own small number. */
type GroupNumbers = readonly [returned: number, waiting: number, id: number]

/** The durable queues in which shared groups keep what none of their members can take. */
export class GroupBacklogs {
  private readonly broker: Broker
  private readonly store: Store
  private readonly numbers = new Map<string, GroupNumbers>()
  private readonly opened = new Set<string>()

  constructor(broker: Broker) {
    this.broker = broker
    this.store = broker.store
  }

  /** Reads which group has which queue; before any subscription is restored. */
  async recover(): Promise<void> {
    const prefix = metaKey(KEY_PREFIX)
    for await (const [key, value] of scanPrefix(this.store, prefix)) {
      const name = key.toString('utf8', prefix.length)
      if (value.length !== NUMBERS_BYTES) {
        throw new SluiceError('STORE_RECORD_DAMAGED', `the queues of the shared group '${name}' cannot be read`)
      }
      this.numbers.set(name, [readU48(value, 0), readU48(value, 6), readU48(value, 12)])
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
    const { queuedMessagesMax, queuedBytesMax } = this.broker.config.limits
    const limits = { messagesMax: queuedMessagesMax, bytesMax: queuedBytesMax }
    const options = { durable: true, ...limits, windowBytes: WINDOW_BYTES }
    const returned = new Fifo(this.store, pair[0], options)
    const waiting = new Fifo(this.store, pair[1], options)
    const backlog = new FifoBacklog(this.broker, { id: pair[2], shareName, filter }, returned, waiting, () => {
      this.numbers.delete(name)
      this.opened.delete(name)
      if (isStored) commit.del(metaKey(KEY_PREFIX + name))
    })
    returned.onReady = () => group()?.drainReady()
    waiting.onReady = () => {
      backlog.dropSurplus()
      group()?.drainReady()
    }
    return backlog
  }
}

function encodeNumbers(numbers: GroupNumbers): Buffer {
  const value = Buffer.allocUnsafe(NUMBERS_BYTES)
  for (const [index, number] of numbers.entries()) writeU48(value, number, 6 * index)
  return value
}

interface GroupName {
  readonly id: number
  readonly shareName: string
  readonly filter: string
}

class FifoBacklog implements GroupBacklog {
  readonly id: number
  dropped = 0
  private readonly broker: Broker
  private readonly group: GroupName
  private readonly returned: Fifo
  private readonly waiting: Fifo
  private readonly forget: () => void

  constructor(broker: Broker, group: GroupName, returned: Fifo, waiting: Fifo, forget: () => void) {
    this.id = group.id
    this.broker = broker
    this.group = group
    this.returned = returned
    this.waiting = waiting
    this.forget = forget
  }

  get count(): number {
    return this.returned.count + this.waiting.count
  }

  push(message: Message): void {
    if (this.waiting.push(message, 0) !== undefined) return
    const before = this.broker.counters.publishDropped
    pushIntoFull(this.broker, this.waiting, message, 0)
    this.countDropped(before)
  }

  /** See `queue-overflow`. What came back is not concerned. */
  dropSurplus(): void {
    const before = this.broker.counters.publishDropped
    dropSurplus(this.broker, this.waiting)
    this.countDropped(before)
  }

  peek(): Message | undefined {
    return this.first.peek()?.message
  }

  shift(): void {
    const { first } = this
    const entry = first.next()
    // In one batch with the entry in the member's own queue: a crash leaves the message in one of the two.
    if (entry !== undefined) first.ack(entry)
  }

  // Past the limits, which bound what members had taken before: with what is acknowledged this becomes less only.
  putBack(messages: readonly Message[]): void {
    for (const message of messages) this.returned.pushPastLimits(message, 0)
  }

  destroy(): void {
    this.returned.destroy()
    this.waiting.destroy()
    this.forget()
  }

  private countDropped(before: number): void {
    const { counters, log } = this.broker
    if (counters.publishDropped === before) return
    if (this.dropped === 0) {
      const { shareName, filter } = this.group
      log.warn({ shareName, filter }, 'queue full: messages for a shared subscription are dropped')
    }
    this.dropped += counters.publishDropped - before
  }

  private get first(): Fifo {
    return this.returned.count > 0 ? this.returned : this.waiting
  }
}
