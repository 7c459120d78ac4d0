import type { Delivery, Route } from './destination.ts'
import { hasWildcard, type Pattern } from './level.ts'
import { TopicTree } from './topic-tree.ts'

/** Bytes that a route takes here besides its topic and its deliveries: measured with short topics, rounded up. */
const ROUTE_BYTES = 400
const LEVELS_INCLUDED = 16
/** What each further level may cost in the tree, when another topic goes the same way nearly to the end. */
const LEVEL_BYTES = 128
/** So many calls of `forgetUnused` look at all routes once. */
const CALLS_FOR_A_ROUND = 16

export class CachedRoute implements Route {
  readonly topic: string
  readonly deliveries: readonly Delivery[]
  /** Estimated memory. */
  readonly bytes: number
  stale = false
  /** Looked up since the hand passed. */
  used = false
  place = -1

  constructor(topic: string, levelCount: number, deliveries: readonly Delivery[], bytesEach: number) {
    this.topic = topic
    this.deliveries = deliveries
    const deepBytes = LEVEL_BYTES * Math.max(0, levelCount - LEVELS_INCLUDED)
    this.bytes = ROUTE_BYTES + deepBytes + 2 * topic.length + bytesEach * deliveries.length
  }
}

export interface RouteCacheLimits {
  readonly routesMax: number
  readonly bytesMax: number
}

/**
 * Routes by topic, bounded in number and in bytes. When it is full a hand goes round: a route that was looked up since
 * the last round gets another chance, the first that was not is dropped. Whatever leaves the cache is stale, as no
 * change of subscriptions can reach it any more.
 */
export class RouteCache {
  private readonly routes = new Map<string, CachedRoute>()
  private readonly tree = new TopicTree<CachedRoute>()
  private readonly ring: (CachedRoute | undefined)[] = []
  private readonly limits: RouteCacheLimits
  private hand = 0
  private bytesUsed = 0

  constructor(limits: RouteCacheLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.routes.size
  }

  /** Estimated memory. */
  get bytes(): number {
    return this.bytesUsed
  }

  get(topic: string): CachedRoute | undefined {
    const route = this.routes.get(topic)
    if (route !== undefined) route.used = true
    return route
  }

  /** Takes in a route whose topic is not here; one that alone would fill a quarter of the room is only made stale. */
  add(route: CachedRoute, levels: readonly string[]): void {
    const { routesMax, bytesMax } = this.limits
    if (routesMax === 0 || route.bytes > bytesMax / 4) {
      route.stale = true
      return
    }
    let place: number | undefined
    while (this.bytesUsed + route.bytes > bytesMax) place = this.evict()
    place ??= this.ring.length < routesMax ? this.ring.length : this.evict()
    this.ring[place] = route
    route.place = place
    this.routes.set(route.topic, route)
    this.tree.set(route.topic, route, levels)
    this.bytesUsed += route.bytes
  }

  /** Drops the routes of the topics that the filter matches, and only these; returns how many. */
  invalidate(filter: string, pattern: Pattern): number {
    const before = this.routes.size
    if (hasWildcard(pattern)) {
      this.tree.take(pattern, (route) => this.drop(route))
    } else {
      const route = this.routes.get(filter)
      if (route !== undefined) {
        this.tree.delete(route.topic)
        this.drop(route)
      }
    }
    return before - this.routes.size
  }

  /**
   * To be called regularly: drops a part of what was not looked up for a round of these calls, so that topics that were
   * used once, or by clients that are gone, do not stay in memory until the cache is full.
   */
  forgetUnused(): void {
    for (let left = Math.ceil(this.ring.length / CALLS_FOR_A_ROUND); left > 0; left--) {
      const route = this.ring[this.hand]
      if (route?.used === true) route.used = false
      else if (route !== undefined) {
        this.tree.delete(route.topic)
        this.drop(route)
      }
      this.advance()
    }
    while (this.ring.length > 0 && this.ring[this.ring.length - 1] === undefined) this.ring.pop()
    if (this.hand >= this.ring.length) this.hand = 0
  }

  /** A place of the ring that is free, or was freed; the ring must not be empty. */
  private evict(): number {
    for (;;) {
      const place = this.hand
      this.advance()
      const route = this.ring[place]
      if (route === undefined) return place
      if (route.used) {
        route.used = false
      } else {
        this.tree.delete(route.topic)
        this.drop(route)
        return place
      }
    }
  }

  private advance(): void {
    this.hand = this.hand + 1 < this.ring.length ? this.hand + 1 : 0
  }

  private drop(route: CachedRoute): void {
    route.stale = true
    this.ring[route.place] = undefined
    this.routes.delete(route.topic)
    this.bytesUsed -= route.bytes
  }
}
