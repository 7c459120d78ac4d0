import { describe, expect, it } from 'vitest'
import { EMPTY, Message } from '../../src/message/message.ts'
import { Router } from '../../src/router/router.ts'
import { RecordingDestination, subscriptionOn } from '../support/router.ts'
import { ListBacklog, WindowMember } from '../support/shared-group.ts'

function publish(router: Router, topic: string): void {
  const message = new Message(topic, EMPTY, 1, false)
  for (const delivery of router.route(topic).deliveries) delivery.destination.offer(message, delivery)
}

describe('shared subscriptions', () => {
  it('of two names on one filter each get the message', () => {
    const router = new Router()
    const members = ['a', 'b', 'c', 'd'].map((name) => new WindowMember(name, 9))
    for (const [i, member] of members.entries()) {
      expect(router.subscribeShared(i < 2 ? 'one' : 'two', 't/+', member, subscriptionOn('t/+'))).toBe(true)
    }
    publish(router, 't/1')
    publish(router, 't/2')
    expect(members.map((member) => member.topics)).toEqual([['t/1'], ['t/2'], ['t/1'], ['t/2']])
    expect(router.subscriptionCount).toBe(4)
  })

  it('of one name on two filters are two groups', () => {
    const router = new Router()
    const member = new WindowMember('a', 9)
    router.subscribeShared('one', 't/+', member, subscriptionOn('t/+', { identifier: 1 }))
    router.subscribeShared('one', 't/#', member, subscriptionOn('t/#', { identifier: 2 }))
    publish(router, 't/1')
    expect(member.deliveries).toMatchObject([{ identifiers: [1] }, { identifiers: [2] }])
  })

  it('leave a subscription of the same client and those of others alone', () => {
    const router = new Router()
    const [member, normal] = [new WindowMember('a', 9), new RecordingDestination('normal')]
    router.subscribeShared('one', 't', member, subscriptionOn('t', { identifier: 1 }))
    router.subscribe('t', member, subscriptionOn('t', { identifier: 2 }))
    router.subscribe('t', normal, subscriptionOn('t'))
    publish(router, 't')
    expect(member.deliveries).toMatchObject([{ identifiers: [1] }, { identifiers: [2] }])
    expect(normal.messages).toHaveLength(1)
    expect(router.unsubscribe('t', member)).toBe(true)
    publish(router, 't')
    expect(member.deliveries.at(-1)).toMatchObject({ identifiers: [1] })
    expect(member.deliveries).toHaveLength(3)
  })

  it('go with their last member, and their backlog with them', () => {
    const backlogs = new Map<string, ListBacklog>()
    const router = new Router({
      openBacklog: (shareName, filter) => {
        const backlog = new ListBacklog()
        backlogs.set(`${shareName} ${filter}`, backlog)
        return backlog
      },
    })
    const [a, b] = [new WindowMember('a', undefined), new WindowMember('b', undefined)]
    router.subscribeShared('one', 't', a, subscriptionOn('t', { qos: 1 }))
    router.subscribeShared('one', 't', b, subscriptionOn('t', { qos: 1 }))
    publish(router, 't')
    expect(router.sharedGroup('one', 't')?.backlogCount).toBe(1)
    expect(router.unsubscribeShared('one', 't', a)).toBe(true)
    expect(router.unsubscribeShared('one', 't', a)).toBe(false)
    expect(backlogs.get('one t')?.destroyed).toBe(false)
    expect(router.unsubscribeShared('one', 't', b)).toBe(true)
    expect(backlogs.get('one t')?.destroyed).toBe(true)
    expect(router.route('t').deliveries).toEqual([])
    expect(router.sharedGroup('one', 't')).toBeUndefined()
    expect([...router.sharedGroups()]).toEqual([])
    expect([router.subscriptionCount, router.filterCount]).toEqual([0, 0])
  })

  it('make the routes stale only when a group comes or goes, not when a member does', () => {
    const router = new Router()
    const [a, b] = [new WindowMember('a', 9), new WindowMember('b', 9)]
    const before = router.route('t')
    router.subscribeShared('one', 't', a, subscriptionOn('t'))
    expect(before.stale).toBe(true)
    const between = router.route('t')
    router.subscribeShared('one', 't', b, subscriptionOn('t'))
    router.unsubscribeShared('one', 't', a)
    expect(between.stale).toBe(false)
    router.unsubscribeShared('one', 't', b)
    expect(between.stale).toBe(true)
  })

  it('are not found by a name or a filter that only looks alike', () => {
    const router = new Router()
    const member = new WindowMember('a', 9)
    router.subscribeShared('one', 't', member, subscriptionOn('t'))
    expect(router.unsubscribeShared('on', 't', member)).toBe(false)
    expect(router.unsubscribeShared('one', 't/#', member)).toBe(false)
    expect(router.unsubscribe('t', member)).toBe(false)
    expect(router.subscriptionCount).toBe(1)
  })
})
