import type { Message } from '../message/message.ts'
import type { Delivery, Destination, Subscription } from './destination.ts'
import { deliveryOf } from './subscriber.ts'

/** A session as a shared subscription sees it. */
export interface GroupMember extends Destination {
  /** Connected, and its window has room. */
  readonly ready: boolean
  /** The session outlives its connection. One that does not leaves the group with its connection. */
  readonly durable: boolean
}

/** Messages that no member could take yet, oldest first. */
export interface GroupBacklog {
  /** By which a member's stored messages name the group, over restarts too; 0: nothing is stored. */
  readonly id: number
  readonly count: number
  /** False: the backlog is full. */
  push(message: Message): boolean
  /** Undefined: none is at hand; `drainReady()` is to be called when that changes. */
  shift(): Message | undefined
  /** What a member gave back, in its order: before everything that has never left. Returns how many it had room for. */
  putBack(messages: readonly Message[]): number
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
  private droppedCount = 0

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

  /** Messages that no member could take and that were not to be kept. */
  get dropped(): number {
    return this.droppedCount
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
    if (this.backlogCount === 0) {
      const ready = this.nextReady(undefined)
      if (ready !== undefined) {
        ready.destination.offer(message, ready)
        return
      }
    }
    if (message.qos === 0) this.droppedCount++
    else if (this.keeps()) {
      if (this.backlog?.push(message) === false) this.droppedCount++
    } else this.droppedCount++
  }

  /** Hands the backlog to a member for as long as it stays ready: called when it connects and when it acknowledges. */
  drain(member: GroupMember): void {
    const delivery = this.deliveries.get(member)
    if (delivery === undefined || this.backlog === undefined) return
    while (member.ready && this.backlog.count > 0) {
      const message = this.backlog.shift()
      if (message === undefined) return
      member.offer(message, delivery)
    }
  }

  /** Hands the backlog to whichever members are ready: called when the backlog has loaded messages. */
  drainReady(): void {
    while (this.backlogCount > 0) {
      const ready = this.nextReady(undefined)
      if (ready === undefined) return
      const message = this.backlog?.shift()
      if (message === undefined) return
      ready.destination.offer(message, ready)
    }
  }

  /**
   * Takes back what a member that loses its connection or its session has not acknowledged, in the original order.
   * It goes to the other members, or to the front of the backlog. What was sent at QoS 2 must not be among it: it stays
   * with the member (MQTT-4.8.2-4, MQTT-4.8.2-5).
   */
  reoffer(messages: readonly Message[], leaving: GroupMember): void {
    let taken = 0
    for (; taken < messages.length; taken++) {
      const ready = this.nextReady(leaving)
      if (ready === undefined) break
      ready.destination.offer(messages[taken] as Message, ready)
    }
    const left = messages.slice(taken)
    // Even where every member asks for QoS 0 by now: these were promised to somebody who asked for more.
    this.droppedCount += left.length - (this.backlog?.putBack(left) ?? 0)
  }

  /** Called when the last member has left. */
  destroy(): void {
    this.backlog?.destroy()
  }

  private nextReady(except: GroupMember | undefined): SharedDelivery | undefined {
    return this.next((delivery) => delivery.destination !== except && delivery.destination.ready)
  }

  /** Whether messages may wait: behind others, or for a member that comes back or has room again. */
  private keeps(): boolean {
    if (this.backlog === undefined) return false
    if (this.backlog.count > 0) return true
    return this.members.some((delivery) => delivery.qos > 0)
  }

  private next(fits: (delivery: SharedDelivery) => boolean): SharedDelivery | undefined {
    const { members } = this
    for (let i = 0; i < members.length; i++) {
      const place = this.turn < members.length ? this.turn : 0
      const delivery = members[place] as SharedDelivery
      this.turn = place + 1
      if (fits(delivery)) return delivery
    }
    return undefined
  }
}
