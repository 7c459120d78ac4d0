import type { Consumer } from './consumer.ts'

interface Group {
  readonly priority: number
  /** Those that may have room, the next to be served first. Who turns out to have none leaves until it resumes. */
  readonly ring: Consumer[]
}

/** Which consumer gets the next message: in turn among those with room, of the highest priority that has any. */
export class Dispatcher {
  readonly consumers = new Set<Consumer>()
  /** With a single active consumer: the one that is served. */
  active: Consumer | undefined
  private readonly single: boolean
  private readonly groups: Group[] = []

  constructor(singleActiveConsumer: boolean) {
    this.single = singleActiveConsumer
  }

  add(consumer: Consumer): void {
    this.consumers.add(consumer)
    if (this.single && this.active === undefined) this.active = consumer
    this.resume(consumer)
  }

  remove(consumer: Consumer): void {
    this.consumers.delete(consumer)
    if (consumer.inRing) {
      const { ring } = this.groupOf(consumer.priority)
      ring.splice(ring.indexOf(consumer), 1)
      consumer.inRing = false
    }
    if (this.active !== consumer) return
    this.active = undefined
    for (const next of this.consumers) if (next.priority > (this.active?.priority ?? -Infinity)) this.active = next
    if (this.active !== undefined) this.resume(this.active)
  }

  /** True: it may be served again. */
  resume(consumer: Consumer): boolean {
    if (consumer.inRing || !consumer.hasRoom || (this.single && consumer !== this.active)) return false
    consumer.inRing = true
    this.groupOf(consumer.priority).ring.push(consumer)
    return true
  }

  /** Who gets the next message; undefined: nobody has room. */
  pick(): Consumer | undefined {
    for (const { ring } of this.groups) {
      while (ring.length > 0) {
        const consumer = ring[0] as Consumer
        if (consumer.hasRoom) return consumer
        ring.shift()
        consumer.inRing = false
      }
    }
    return undefined
  }

  /** Whoever `pick` has answered got a message: the next one's turn. */
  served(consumer: Consumer): void {
    const { ring } = this.groupOf(consumer.priority)
    if (ring.length > 1 && ring[0] === consumer) ring.push(ring.shift() as Consumer)
  }

  private groupOf(priority: number): Group {
    let place = 0
    for (; place < this.groups.length; place++) {
      const group = this.groups[place] as Group
      if (group.priority === priority) return group
      if (group.priority < priority) break
    }
    const group: Group = { priority, ring: [] }
    this.groups.splice(place, 0, group)
    return group
  }
}
