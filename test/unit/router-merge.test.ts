import { describe, expect, it } from 'vitest'
import type { Route, Subscription } from '../../src/router/destination.ts'
import { Router } from '../../src/router/router.ts'
import { RecordingDestination, subscriptionOn } from '../support/router.ts'

function only(route: Route): Route['deliveries'][number] {
  expect(route.deliveries).toHaveLength(1)
  return route.deliveries[0] as Route['deliveries'][number]
}

function routerWith(...subscriptions: Subscription[]): Router {
  const router = new Router()
  const destination = new RecordingDestination('one')
  for (const subscription of subscriptions) router.subscribe(subscription.filter, destination, subscription)
  return router
}

describe('overlapping subscriptions of one destination', () => {
  it('make one delivery with the highest QoS', () => {
    const router = routerWith(
      subscriptionOn('a/b', { qos: 1 }),
      subscriptionOn('a/+', { qos: 2 }),
      subscriptionOn('#', { qos: 0 }),
    )
    expect(only(router.route('a/b')).qos).toBe(2)
    expect(only(router.route('x')).qos).toBe(0)
  })

  it('give all identifiers, ascending and each once', () => {
    const router = routerWith(
      subscriptionOn('a/b', { identifier: 7 }),
      subscriptionOn('a/+', { identifier: 1000 }),
      subscriptionOn('+/b', { identifier: 30 }),
      subscriptionOn('a/#', { identifier: 7 }),
      subscriptionOn('#'),
    )
    expect(only(router.route('a/b')).identifiers).toEqual([7, 30, 1000])
    expect(only(router.route('x')).identifiers).toEqual([])
  })

  it('keep a message from its publisher only when each of them says no-local', () => {
    const router = routerWith(
      subscriptionOn('a/#', { noLocal: true }),
      subscriptionOn('a/b', { noLocal: true }),
      subscriptionOn('+/c', { noLocal: false }),
    )
    expect(only(router.route('a/b')).noLocal).toBe(true)
    expect(only(router.route('a/c')).noLocal).toBe(false)
  })

  it('leave RETAIN as published when any of them says so', () => {
    const router = routerWith(subscriptionOn('a/#'), subscriptionOn('a/b', { retainAsPublished: true }))
    expect(only(router.route('a/b')).retainAsPublished).toBe(true)
    expect(only(router.route('a/c')).retainAsPublished).toBe(false)
  })

  it('do not change what another topic gets', () => {
    const router = routerWith(
      subscriptionOn('a', { qos: 1, identifier: 5 }),
      subscriptionOn('+', { qos: 2, identifier: 6 }),
    )
    expect(only(router.route('a')).identifiers).toEqual([5, 6])
    expect(only(router.route('b'))).toMatchObject({ qos: 2, identifiers: [6] })
  })
})

describe('deliveries of a route', () => {
  it('come in the order of subscribing, whatever the filters', () => {
    const router = new Router()
    const all = Array.from({ length: 30 }, (_, i) => new RecordingDestination(`d${i}`))
    const filters = ['a/b', '#', 'a/+', '+/b', 'a/#']
    for (const [i, destination] of all.entries()) {
      const filter = filters[(i * 3) % 5] as string
      router.subscribe(filter, destination, subscriptionOn(filter))
    }
    expect(router.route('a/b').deliveries.map((delivery) => delivery.destination)).toEqual(all)
  })

  it('keep the place of a destination that subscribes again', () => {
    const router = new Router()
    const [first, second] = [new RecordingDestination('first'), new RecordingDestination('second')]
    expect(router.subscribe('a', first, subscriptionOn('a'))).toBe(true)
    expect(router.subscribe('a', second, subscriptionOn('a'))).toBe(true)
    expect(router.subscribe('a', first, subscriptionOn('a', { qos: 2 }))).toBe(false)
    expect(router.route('a').deliveries).toMatchObject([
      { destination: first, qos: 2 },
      { destination: second, qos: 0 },
    ])
    expect(router.subscriptionCount).toBe(2)
  })

  it('are right when a filter goes from one subscriber to hundreds and back', () => {
    const router = new Router()
    const all = Array.from({ length: 300 }, (_, i) => new RecordingDestination(`d${i}`))
    for (const destination of all) router.subscribe('a', destination, subscriptionOn('a'))
    expect(router.route('a').deliveries.map((delivery) => delivery.destination)).toEqual(all)
    for (let left = all.length; left > 0; ) {
      expect(router.unsubscribe('a', all[--left] as RecordingDestination)).toBe(true)
      expect(router.route('a').deliveries.map((delivery) => delivery.destination)).toEqual(all.slice(0, left))
    }
    expect(router.subscriptionCount).toBe(0)
    expect(router.filterCount).toBe(0)
  })

  it('list each subscription by itself where they are asked for unmerged', () => {
    const router = routerWith(subscriptionOn('a/#', { qos: 1 }), subscriptionOn('a/b', { qos: 2 }))
    expect(router.subscribersOf('a/b').map((subscriber) => subscriber.subscription)).toEqual([
      subscriptionOn('a/#', { qos: 1 }),
      subscriptionOn('a/b', { qos: 2 }),
    ])
  })

  it('are none after the only subscriber left, and leaving twice does nothing', () => {
    const router = new Router()
    const destination = new RecordingDestination('one')
    router.subscribe('a/+', destination, subscriptionOn('a/+'))
    expect(router.unsubscribe('a/b', destination)).toBe(false)
    expect(router.unsubscribe('a/+', new RecordingDestination('other'))).toBe(false)
    expect(router.unsubscribe('a/+', destination)).toBe(true)
    expect(router.unsubscribe('a/+', destination)).toBe(false)
    expect(router.route('a/b').deliveries).toEqual([])
  })
})
