import type { Delivery, Destination, Route, Subscription } from './destination.ts'
import { filterLevels, topicLevels } from './level.ts'
import { mergeSubscribers } from './merge.ts'
import { CachedRoute, RouteCache } from './route-cache.ts'
import { type GroupBacklog, type GroupMember, SharedGroup } from './shared-group.ts'
import { inOrder, Subscriber, type Subscribers, subscriberOf, withoutSubscriber, withSubscriber } from './subscriber.ts'
import { TopicTrie } from './topic-trie.ts'

export interface RouterOptions {
  /** Topics whose routes are remembered; 0: none. Default: 65,536. */
  readonly cacheRoutesMax?: number
  /** Memory that the remembered routes may take, estimated. Default: 64 MiB. */
  readonly cacheBytesMax?: number
  /** Opens the backlog of a new shared group; without it, what no member can take at once is dropped. */
  readonly openBacklog?: (shareName: string, filter: string) => GroupBacklog
}

/** A delivery shared by all topics costs its route a reference, one that was merged for this topic an object. */
const REFERENCE_BYTES = 8
const MERGED_BYTES = 160

/** The subscription by which a group as a whole is found; its members' own say what each of them gets. */
const GROUP_SUBSCRIPTION = { qos: 2, noLocal: false, retainAsPublished: true, identifier: 0 } as const

/** Topics that no subscription reaches: what begins with the prefix goes to one destination. */
interface Reserved {
  readonly prefix: string
  readonly destinationOf: (topic: string) => Destination
}

/** Who subscribed to what, and who gets the messages of a topic. Filters and topics are to be valid already. */
export class Router {
  private readonly trie = new TopicTrie<Subscribers>()
  private readonly cache: RouteCache
  private readonly groups = new Map<string, SharedGroup>()
  /** Opens the backlog of a new shared group; without it, what no member can take at once is dropped. */
  openBacklog: ((shareName: string, filter: string) => GroupBacklog) | undefined
  private reserved: Reserved | undefined
  private sequence = 0
  private count = 0

  constructor(options: RouterOptions = {}) {
    const { cacheRoutesMax = 65_536, cacheBytesMax = 64 * 1024 * 1024 } = options
    this.cache = new RouteCache({ routesMax: cacheRoutesMax, bytesMax: cacheBytesMax })
    this.openBacklog = options.openBacklog
  }

  /** Subscriptions of destinations, those of the members of shared groups included. */
  get subscriptionCount(): number {
    return this.count
  }

  /** Different filters that somebody subscribed to. */
  get filterCount(): number {
    return this.trie.size
  }

  get cachedRouteCount(): number {
    return this.cache.size
  }

  /** To be called about once a second: forgets the routes of topics that are not in use any more. */
  forgetUnusedRoutes(): void {
    this.cache.forgetUnused()
  }

  /** True: new; false: it replaces the destination's subscription on this filter. */
  subscribe(filter: string, destination: Destination, subscription: Subscription): boolean {
    const isNew = this.add(filter, destination, subscription)
    if (isNew) this.count++
    return isNew
  }

  /** False: there was no such subscription. */
  unsubscribe(filter: string, destination: Destination): boolean {
    const removed = this.remove(filter, destination)
    if (removed) this.count--
    return removed
  }

  /** `filter` is what follows `$share/name/`. True: the member is new. */
  subscribeShared(shareName: string, filter: string, member: GroupMember, subscription: Subscription): boolean {
    const key = groupKey(shareName, filter)
    let group = this.groups.get(key)
    if (group === undefined) {
      group = new SharedGroup(shareName, filter, this.openBacklog?.(shareName, filter))
      this.groups.set(key, group)
      this.add(filter, group, { ...GROUP_SUBSCRIPTION, filter })
    }
    const isNew = group.add(member, subscription)
    if (isNew) this.count++
    return isNew
  }

  /** The group goes with its last member, and its backlog with it. False: it was no member. */
  unsubscribeShared(shareName: string, filter: string, member: GroupMember): boolean {
    const group = this.sharedGroup(shareName, filter)
    if (group === undefined || !group.remove(member)) return false
    this.count--
    if (group.size === 0) {
      this.groups.delete(groupKey(shareName, filter))
      this.remove(filter, group)
      group.destroy()
    }
    return true
  }

  sharedGroup(shareName: string, filter: string): SharedGroup | undefined {
    return this.groups.get(groupKey(shareName, filter))
  }

  get sharedGroupCount(): number {
    return this.groups.size
  }

  sharedGroups(): IterableIterator<SharedGroup> {
    return this.groups.values()
  }

  /** What begins with `prefix` is nobody's topic: it goes to the destination that this answers, and to no other. */
  reserve(prefix: string, destinationOf: (topic: string) => Destination): void {
    this.reserved = { prefix, destinationOf }
  }

  /** Who gets a message on `topic`, in the order of subscribing. To be used at once, or for as long as not stale. */
  route(topic: string): Route {
    const known = this.cache.get(topic)
    if (known !== undefined) return known
    const levels = topicLevels(topic)
    const reserved = this.reservedFor(topic)
    const subscribers = reserved === undefined ? this.matching(levels) : []
    const deliveries = reserved === undefined ? mergeSubscribers(subscribers) : [reserved]
    const bytesEach = deliveries.length === subscribers.length ? REFERENCE_BYTES : MERGED_BYTES
    const route = new CachedRoute(topic, levels.length, deliveries, bytesEach)
    this.cache.add(route, levels)
    return route
  }

  /** Each subscription that matches the topic, not merged, past the cache; a shared group is one destination. */
  subscribersOf(topic: string): readonly Subscriber[] {
    return this.matching(topicLevels(topic))
  }

  private reservedFor(topic: string): Delivery | undefined {
    const { reserved } = this
    if (reserved === undefined || !topic.startsWith(reserved.prefix)) return undefined
    const destination = reserved.destinationOf(topic)
    return { destination, qos: 2, noLocal: false, retainAsPublished: true, identifiers: [] }
  }

  private matching(levels: readonly string[]): readonly Subscriber[] {
    const found: Subscribers[] = []
    this.trie.match(levels, found)
    return inOrder(found)
  }

  private add(filter: string, destination: Destination, subscription: Subscription): boolean {
    const pattern = filterLevels(filter)
    const before = this.trie.get(pattern)
    const known = before === undefined ? undefined : subscriberOf(before, destination)
    if (known !== undefined) {
      if (known.replace(subscription)) this.cache.invalidate(filter, pattern)
      return false
    }
    const after = withSubscriber(before, new Subscriber(destination, subscription, this.sequence++))
    if (after !== before) this.trie.set(pattern, after)
    this.cache.invalidate(filter, pattern)
    return true
  }

  private remove(filter: string, destination: Destination): boolean {
    const pattern = filterLevels(filter)
    const before = this.trie.get(pattern)
    if (before === undefined || subscriberOf(before, destination) === undefined) return false
    const after = withoutSubscriber(before, destination)
    if (after === undefined) this.trie.delete(pattern)
    else if (after !== before) this.trie.set(pattern, after)
    this.cache.invalidate(filter, pattern)
    return true
  }
}

/** A share name holds no `/` (MQTT-4.8.2-1), so two groups never have one key. */
function groupKey(shareName: string, filter: string): string {
  return `${shareName}/${filter}`
}
