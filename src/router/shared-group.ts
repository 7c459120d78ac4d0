import type { Message } from '../message/message.ts'
import type { Delivery, Destination, Subscription } from './destination.ts'
import { deliveryOf } from './subscriber.ts'

/** A session as a shared subscription sees it. */
export interface GroupMember extends Destination {
  /** Connected, and its window has room. */
  readonly ready: boolean
  /** The session outlives its connection. One that does not leaves the group with its connection. */
  readonly durable: boolean
  /**
   * Whether its own queue takes the message, asked when it is ready: `offer` does not ask again. If not, the member
   * calls `drain` when there is room. `isHeld`: the group holds the message already, or another member.
   */
  hasRoomFor(message: Message, isHeld: boolean): boolean
}

/** Messages that no member could take yet, oldest first. */
export interface GroupBacklog {
  /** By which a member's stored messages name the group, over restarts too; 0: nothing is stored. */
  readonly id: number
  readonly count: number
  /** Messages that were lost because there were too many. */
  readonly dropped: number
  /** Where it is full, loses the message or older ones, or sets `message.refusal`. */
  push(message: Message): void
  /** The next message; undefined: none is at hand, and `drainReady()` is to be called when that changes. */
  peek(): Message | undefined
  /** Takes out what `peek` has answered. */
  shift(): void
  /**
   * What a member gave back, in its order: before everything that has never left. Is never refused: these messages were
   * within the limits of their member's queue, and their publishers have been told that they are safe.
   */
  putBack(messages: readonly Message[]): void
  /** The group is gone, and its messages with it. */
  destroy(): void
}

/** What a member gets through its group: by this it knows whom to give back what it cannot acknowledge. */
export interface SharedDelivery extends Delivery {
  readonly group: SharedGroup
  readonly destination: GroupMember
}

/**
 * One `$share/name/filter`: each message goes to one of the members (MQTT 5, section 4.8.2).
 *
 * Messages keep their order: while a backlog exists, new ones go behind it.
 */
export class SharedGroup implements Destination {
  readonly shareName: string
  readonly filter: string
  private readonly backlog: GroupBacklog | undefined
  private readonly deliveries = new Map<GroupMember, SharedDelivery>()
  private readonly members: SharedDelivery[] = []
  private turn = 0
  private unkeptCount = 0

  /** Without a backlog, what nobody can take at once is dropped. */
  constructor(shareName: string, filter: string, backlog: GroupBacklog | undefined) {
    this.shareName = shareName
    this.filter = filter
    this.backlog = backlog
  }

  /** See `GroupBacklog.id`. */
  get id(): number {
    return this.backlog?.id ?? 0
  }

  get size(): number {
    return this.members.length
  }

  get stores(): boolean {
    return this.backlog !== undefined
  }

  /** Messages that wait for a member. */
  get backlogCount(): number {
    return this.backlog?.count ?? 0
  }

  /** Messages that no member could take and that were not to be kept, or were too many. */
  get dropped(): number {
    return this.unkeptCount + (this.backlog?.dropped ?? 0)
  }

  /** Adds a member, or replaces its subscription; true: it is new. */
  add(member: GroupMember, subscription: Subscription): boolean {
    const delivery: SharedDelivery = { ...deliveryOf(member, subscription), destination: member, group: this }
    const before = this.deliveries.get(member)
    this.deliveries.set(member, delivery)
    if (before === undefined) this.members.push(delivery)
    else this.members[this.members.indexOf(before)] = delivery
    return before === undefined
  }

  /** False: it was none. Its unacknowledged messages are to be given to `reoffer` before. */
  remove(member: GroupMember): boolean {
    const delivery = this.deliveries.get(member)
    if (delivery === undefined) return false
    this.deliveries.delete(member)
    const place = this.members.indexOf(delivery)
    this.members.splice(place, 1)
    if (place < this.turn) this.turn--
    return true
  }

  offer(message: Message): void {
    const isFirst = this.backlogCount === 0
    const taker = isFirst ? this.nextTaker(message, false, undefined) : undefined
    if (taker !== undefined) {
      taker.destination.offer(message, taker)
      return
    }
    if (message.qos === 0 || !this.keeps()) {
      this.unkeptCount++
      return
    }
    this.backlog?.push(message)
    // A member that had no memory for it has nothing to wait for: now it is stored.
    if (isFirst) this.drainReady()
  }

  /** Hands the backlog to a member for as long as it has room: called when it connects and when it acknowledges. */
  drain(member: GroupMember): void {
    const delivery = this.deliveries.get(member)
    const { backlog } = this
    if (delivery === undefined || backlog === undefined) return
    while (member.ready && backlog.count > 0) {
      const message = backlog.peek()
      if (message === undefined || !takes(delivery, message, true)) return
      backlog.shift()
      member.offer(message, delivery)
    }
  }

  /** Hands the backlog to whichever members have room: called when the backlog has loaded messages. */
  drainReady(): void {
    this.drainExcept(undefined)
  }

  /**
   * Takes back what a member that loses its connection or its session has not acknowledged, in the original order.
   * It goes to the other members, or to the front of the backlog. What was sent at QoS 2 must not be among it: it stays
   * with the member (MQTT-4.8.2-4, MQTT-4.8.2-5).
   */
  reoffer(messages: readonly Message[], leaving: GroupMember): void {
    let taken = 0
    if (this.backlogCount === 0) {
      for (; taken < messages.length; taken++) {
        const message = messages[taken] as Message
        const taker = this.nextTaker(message, true, leaving)
        if (taker === undefined) break
        taker.destination.offer(message, taker)
      }
    }
    if (taken === messages.length) return
    if (this.backlog === undefined) {
      this.unkeptCount += messages.length - taken
      return
    }
    // Even where every member asks for QoS 0 by now: these were promised to somebody who asked for more.
    this.backlog.putBack(taken === 0 ? messages : messages.slice(taken))
    this.drainExcept(leaving)
  }

  /** Called when the last member has left. */
  destroy(): void {
    this.backlog?.destroy()
  }

  private drainExcept(except: GroupMember | undefined): void {
    const { backlog } = this
    if (backlog === undefined) return
    while (backlog.count > 0 && this.hasReady(except)) {
      const message = backlog.peek()
      const taker = message === undefined ? undefined : this.nextTaker(message, true, except)
      if (message === undefined || taker === undefined) return
      backlog.shift()
      taker.destination.offer(message, taker)
    }
  }

  /** Whether it is worth reading what waits: that may have to come from disk. */
  private hasReady(except: GroupMember | undefined): boolean {
    for (const { destination } of this.members) if (destination !== except && destination.ready) return true
    return false
  }

  /** Whether messages may wait: behind others, or for a member that comes back or has room again. */
  private keeps(): boolean {
    if (this.backlog === undefined) return false
    if (this.backlog.count > 0) return true
    return this.members.some((delivery) => delivery.qos > 0)
  }

  private nextTaker(message: Message, isHeld: boolean, except: GroupMember | undefined): SharedDelivery | undefined {
    const { members } = this
    for (let i = 0; i < members.length; i++) {
      const place = this.turn < members.length ? this.turn : 0
      const delivery = members[place] as SharedDelivery
      this.turn = place + 1
      if (delivery.destination !== except && takes(delivery, message, isHeld)) return delivery
    }
    return undefined
  }
}

/** What goes out at QoS 0 needs no room in the member's queue. */
function takes({ destination, qos }: SharedDelivery, message: Message, isHeld: boolean): boolean {
  return destination.ready && (qos === 0 || message.qos === 0 || destination.hasRoomFor(message, isHeld))
}
