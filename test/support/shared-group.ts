import type { Message } from '../../src/message/message.ts'
import type { GroupBacklog, GroupMember } from '../../src/router/shared-group.ts'
import { RecordingDestination } from './router.ts'

/** A member whose window takes `room` messages; undefined: it is not connected. */
export class WindowMember extends RecordingDestination implements GroupMember {
  room: number | undefined
  /** In its own queue. */
  hasRoom = true
  readonly durable: boolean

  constructor(name: string, room: number | undefined, durable = true) {
    super(name)
    this.room = room
    this.durable = durable
  }

  get ready(): boolean {
    return this.room !== undefined && this.messages.length < this.room
  }

  hasRoomFor(): boolean {
    return this.hasRoom
  }

  get topics(): string[] {
    return this.messages.map((message) => message.topic)
  }
}

/** A backlog in memory. */
export class ListBacklog implements GroupBacklog {
  readonly id = 0
  dropped = 0
  readonly messages: Message[] = []
  destroyed = false
  /** How many of the messages are at hand. */
  loaded = Number.POSITIVE_INFINITY

  get count(): number {
    return this.messages.length
  }

  push(message: Message): void {
    this.messages.push(message)
  }

  peek(): Message | undefined {
    return this.loaded > 0 ? this.messages[0] : undefined
  }

  shift(): void {
    this.loaded--
    this.messages.shift()
  }

  putBack(messages: readonly Message[]): void {
    this.messages.unshift(...messages)
  }

  destroy(): void {
    this.destroyed = true
  }

  get topics(): string[] {
    return this.messages.map((message) => message.topic)
  }
}
