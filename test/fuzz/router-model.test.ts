import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches } from '../../src/message/filter.ts'
import type { QoS } from '../../src/message/qos.ts'
import type { Route, Subscription } from '../../src/router/destination.ts'
import { Router } from '../../src/router/router.ts'
import { runsWithin } from '../support/property-runs.ts'
import { RecordingDestination, subscriptionOn } from '../support/router.ts'

const LIMIT = runsWithin(1500, 6000)
const destinations = Array.from({ length: 12 }, (_, i) => new RecordingDestination(`d${i}`))

const filter = fc.constantFrom('a', 'a/b', 'a/+', '+/b', '#', 'a/#', '$s/#', '+', '$s/+', '/', '+/+', 'a//b', 'a/b/#')
const topic = fc.constantFrom('a', 'a/b', 'a/c', 'c/b', '$s', '$s/a', '/', 'a//b', 'a/b/c', 'x')
const who = fc.nat(destinations.length - 1)
const subscribing = fc.record({
  kind: fc.constant('subscribe' as const),
  filter,
  who,
  qos: fc.constantFrom<QoS>(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  identifier: fc.nat(3),
})
const unsubscribing = fc.record({ kind: fc.constant('unsubscribe' as const), filter, who })
const routing = fc.record({ kind: fc.constant('route' as const), topic })
const steps = fc.array(fc.oneof(subscribing, subscribing, unsubscribing, routing, routing), { maxLength: 120 })

interface Kept {
  readonly who: number
  readonly subscription: Subscription
}

/** The rules of merging once more, over a plain list in the order of subscribing. */
function expectedOf(list: readonly Kept[], text: string): object[] {
  const matching = list.filter((kept) => matches(kept.subscription.filter, text))
  return [...new Set(matching.map((kept) => kept.who))].map((one) => {
    const all = matching.filter((kept) => kept.who === one).map((kept) => kept.subscription)
    const others = all.filter((subscription) => !subscription.noLocal)
    const isMixed = others.length > 0 && others.length < all.length
    return { name: `d${one}`, ...merged(all), ...(isMixed ? { own: merged(others) } : {}) }
  })
}

function merged(all: readonly Subscription[]): object {
  const identifiers = all.map((subscription) => subscription.identifier).filter((identifier) => identifier > 0)
  return {
    qos: Math.max(...all.map((subscription) => subscription.qos)),
    noLocal: all.every((subscription) => subscription.noLocal),
    retainAsPublished: all.some((subscription) => subscription.retainAsPublished),
    identifiers: [...new Set(identifiers)].sort((a, b) => a - b),
  }
}

function actualOf(route: Route): object[] {
  return route.deliveries.map(({ destination, own, ...rest }) => {
    const { destination: same, ...ownRest } = own ?? { destination }
    expect(same).toBe(destination)
    return {
      name: (destination as RecordingDestination).name,
      ...rest,
      ...(own === undefined ? {} : { own: ownRest }),
    }
  })
}

describe('the router against a plain list', () => {
  for (const [cacheRoutesMax, cacheBytesMax] of [
    [0, 1e6],
    [3, 1e6],
    [1000, 3000],
    [1000, 1e6],
  ] as const) {
    it(`agrees after any steps, and a kept route is stale or right (${cacheRoutesMax} routes, ${cacheBytesMax} bytes)`, () => {
      const property = fc.property(steps, (all) => {
        const router = new Router({ cacheRoutesMax, cacheBytesMax })
        let list: Kept[] = []
        const held = new Set<Route>()
        for (const step of all) {
          if (step.kind === 'route') {
            const route = router.route(step.topic)
            expect(actualOf(route)).toEqual(expectedOf(list, step.topic))
            held.add(route)
            expect(router.cachedRouteCount).toBeLessThanOrEqual(cacheRoutesMax)
            continue
          }
          const destination = destinations[step.who] as RecordingDestination
          const place = list.findIndex((kept) => kept.who === step.who && kept.subscription.filter === step.filter)
          if (step.kind === 'subscribe') {
            const subscription = subscriptionOn(step.filter, {
              qos: step.qos,
              noLocal: step.noLocal,
              retainAsPublished: step.retainAsPublished,
              identifier: step.identifier,
            })
            expect(router.subscribe(step.filter, destination, subscription)).toBe(place < 0)
            if (place < 0) list.push({ who: step.who, subscription })
            else list[place] = { who: step.who, subscription }
          } else {
            expect(router.unsubscribe(step.filter, destination)).toBe(place >= 0)
            list = list.filter((_, i) => i !== place)
          }
          for (const route of held) {
            if (route.stale) held.delete(route)
            else expect(actualOf(route)).toEqual(expectedOf(list, route.topic))
          }
          expect(router.subscriptionCount).toBe(list.length)
        }
      })
      fc.assert(property, LIMIT)
    })
  }
})
