import { describe, expect, it } from 'vitest'
import type { Route } from '../../src/router/destination.ts'
import { Router, type RouterOptions } from '../../src/router/router.ts'
import { RecordingDestination, subscriptionOn } from '../support/router.ts'

const destination = new RecordingDestination('one')
const other = new RecordingDestination('other')

function routerOn(filters: readonly string[], options?: RouterOptions): Router {
  const router = new Router(options)
  for (const filter of filters) router.subscribe(filter, destination, subscriptionOn(filter))
  return router
}

/** The topics of those routes that are stale. */
function staleOf(routes: readonly Route[]): string[] {
  return routes.filter((route) => route.stale).map((route) => route.topic)
}

describe('the cache of routes', () => {
  it('gives the same object again', () => {
    const router = routerOn(['a/#'])
    const route = router.route('a/b')
    expect(router.route('a/b')).toBe(route)
    expect(route).toMatchObject({ topic: 'a/b', stale: false })
  })

  it('remembers that nobody wants a topic', () => {
    const router = routerOn([])
    const route = router.route('nobody')
    expect(route.deliveries).toEqual([])
    expect(router.route('nobody')).toBe(route)
  })

  it('loses exactly the topics that a new subscription concerns', () => {
    const router = routerOn(['#'])
    const routes = ['a', 'a/b', 'a/c', 'a/b/c', 'b', 'b/b', '$SYS/a'].map((topic) => router.route(topic))
    router.subscribe('+/b', other, subscriptionOn('+/b'))
    expect(staleOf(routes)).toEqual(['a/b', 'b/b'])
    expect(router.cachedRouteCount).toBe(5)
    expect(router.route('a/b').deliveries.map((delivery) => delivery.destination)).toEqual([destination, other])
  })

  it('loses exactly the topics that a subscription concerned that ends', () => {
    const router = routerOn(['#', 'a/#'])
    router.subscribe('a/#', other, subscriptionOn('a/#'))
    const routes = ['a', 'a/b', 'b', '$SYS/a', 'aa'].map((topic) => router.route(topic))
    router.unsubscribe('a/#', other)
    expect(staleOf(routes)).toEqual(['a', 'a/b'])
  })

  it('loses one topic by a filter without wildcards', () => {
    const router = routerOn([])
    const routes = ['a', 'a/b', 'a/b/c'].map((topic) => router.route(topic))
    router.subscribe('a/b', other, subscriptionOn('a/b'))
    expect(staleOf(routes)).toEqual(['a/b'])
  })

  it('spares topics beginning with $ from filters beginning with a wildcard', () => {
    const router = routerOn([])
    const routes = ['$SYS/a', '$share', 'a'].map((topic) => router.route(topic))
    router.subscribe('#', other, subscriptionOn('#'))
    expect(staleOf(routes)).toEqual(['a'])
  })

  it('loses nothing when a client subscribes again to the same with the same options', () => {
    const router = routerOn(['a/#'])
    const route = router.route('a/b')
    expect(router.subscribe('a/#', destination, subscriptionOn('a/#'))).toBe(false)
    expect(route.stale).toBe(false)
  })

  it('loses what a changed option concerns', () => {
    for (const change of [{ qos: 1 }, { noLocal: true }, { retainAsPublished: true }, { identifier: 3 }] as const) {
      const router = routerOn(['a/#'])
      const routes = [router.route('a/b'), router.route('b')]
      router.subscribe('a/#', destination, subscriptionOn('a/#', change))
      expect(staleOf(routes)).toEqual(['a/b'])
      const identifiers = 'identifier' in change ? [3] : []
      expect(router.route('a/b').deliveries[0]).toMatchObject({ ...subscribedWith(change), identifiers })
    }
  })

  it('loses one topic out of 10,000 by each of 2,000 subscriptions among 100,000', () => {
    const router = new Router()
    for (let i = 0; i < 100_000; i++) {
      router.subscribe(`device/${i}/cmd`, destination, subscriptionOn(`device/${i}/cmd`))
    }
    const routes = Array.from({ length: 10_000 }, (_, i) => router.route(`device/${i}/temp`))
    for (let i = 0; i < 2_000; i++) router.subscribe(`device/${i}/+`, other, subscriptionOn(`device/${i}/+`))
    expect(staleOf(routes)).toEqual(Array.from({ length: 2_000 }, (_, i) => `device/${i}/temp`))
    expect(router.cachedRouteCount).toBe(8_000)
    router.subscribe('device/+/cmd', other, subscriptionOn('device/+/cmd'))
    expect(router.cachedRouteCount).toBe(8_000)
  })
})

describe('what is not in use', () => {
  function forget(router: Router, calls: number): void {
    for (let call = 0; call < calls; call++) router.forgetUnusedRoutes()
  }

  it('leaves the cache when the hand has gone round, and is stale', () => {
    const router = routerOn(['#'])
    const routes = Array.from({ length: 1000 }, (_, i) => router.route(`t/${i}`))
    forget(router, 16)
    expect(router.cachedRouteCount).toBe(0)
    expect(staleOf(routes)).toHaveLength(1000)
    expect(router.route('t/1').deliveries).toHaveLength(1)
  })

  it('leaves a part of it at a time', () => {
    const router = routerOn(['#'])
    for (let i = 0; i < 1600; i++) router.route(`t/${i}`)
    forget(router, 1)
    expect(router.cachedRouteCount).toBe(1500)
  })

  it('does not take with it what is asked for again and again', () => {
    const router = routerOn(['#'])
    for (let i = 0; i < 100; i++) router.route(`t/${i}`)
    const favourite = router.route('favourite')
    for (let call = 0; call < 100; call++) {
      router.route('favourite')
      forget(router, 1)
    }
    expect(favourite.stale).toBe(false)
    expect(router.cachedRouteCount).toBe(1)
  })

  it('leaves room for what comes later', () => {
    const router = routerOn([], { cacheRoutesMax: 10 })
    for (let round = 0; round < 50; round++) {
      const routes = Array.from({ length: 15 }, (_, i) => router.route(`${round}/${i}`))
      expect(router.cachedRouteCount).toBeLessThanOrEqual(10)
      expect(routes.filter(({ stale }) => !stale).length).toBeGreaterThan(5)
      forget(router, round)
    }
    forget(router, 16)
    expect(router.cachedRouteCount).toBe(0)
  })
})

describe('the limits of the cache', () => {
  it('keep as many topics as they say, and what they drop is stale', () => {
    const router = routerOn(['#'], { cacheRoutesMax: 10 })
    const routes = Array.from({ length: 11 }, (_, i) => router.route(`t/${i}`))
    expect(router.cachedRouteCount).toBe(10)
    expect(staleOf(routes)).toEqual(['t/0'])
    expect(router.route('t/0').deliveries).toHaveLength(1)
  })

  it('spare a topic that is asked for again and again', () => {
    const router = routerOn([], { cacheRoutesMax: 10 })
    const favourite = router.route('favourite')
    for (let i = 0; i < 200; i++) {
      router.route(`t/${i}`)
      router.route('favourite')
    }
    expect(favourite.stale).toBe(false)
    expect(router.cachedRouteCount).toBe(10)
  })

  it('of 0 keep nothing: each route is good for one use', () => {
    const router = routerOn(['a'], { cacheRoutesMax: 0 })
    expect(router.route('a')).toMatchObject({ stale: true, deliveries: [{ destination }] })
    expect(router.cachedRouteCount).toBe(0)
  })

  it('in bytes keep fewer topics when these are long', () => {
    const router = routerOn([], { cacheRoutesMax: 1000, cacheBytesMax: 100_000 })
    for (let i = 0; i < 500; i++) router.route(`${i}/${'x'.repeat(4800)}`)
    expect(router.cachedRouteCount).toBe(9)
    for (let i = 0; i < 500; i++) router.route(`${i}`)
    expect(router.cachedRouteCount).toBeGreaterThan(100)
  })

  it('in bytes keep a route out that would take a quarter of the room', () => {
    const router = routerOn([], { cacheBytesMax: 40_000 })
    expect(router.route('x'.repeat(4799)).stale).toBe(false)
    expect(router.route('x'.repeat(4801)).stale).toBe(true)
  })

  it('count the levels of a deep topic', () => {
    const router = routerOn([], { cacheBytesMax: 100_000 })
    expect(router.route('/'.repeat(100)).stale).toBe(false)
    expect(router.route('/'.repeat(300)).stale).toBe(true)
  })

  it('count the deliveries of a route', () => {
    const router = new Router({ cacheBytesMax: 100_000 })
    for (let i = 0; i < 2000; i++) router.subscribe('#', new RecordingDestination(`${i}`), subscriptionOn('#'))
    for (let i = 0; i < 100; i++) router.route(`t/${i}`)
    expect(router.cachedRouteCount).toBeGreaterThan(3)
    expect(router.cachedRouteCount).toBeLessThan(7)
  })

  it('hold after all was lost and filled again', () => {
    const router = routerOn([], { cacheRoutesMax: 10 })
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 25; i++) router.route(`t/${i}`)
      expect(router.cachedRouteCount).toBeLessThanOrEqual(10)
      if (round % 2 === 0) router.subscribe('#', destination, subscriptionOn('#'))
      else router.unsubscribe('#', destination)
      expect(router.cachedRouteCount).toBe(0)
    }
  })
})

function subscribedWith(change: { readonly identifier?: number }): object {
  const { identifier: _, ...options } = change
  return options
}
