import { beforeEach, describe, expect, it } from 'vitest'
import { EMPTY, Message } from '../../src/message/message.ts'
import type { QoS } from '../../src/message/qos.ts'
import { SharedGroup } from '../../src/router/shared-group.ts'
import { subscriptionOn } from '../support/router.ts'
import { ListBacklog, WindowMember } from '../support/shared-group.ts'

let backlog: ListBacklog
let group: SharedGroup

function messages(names: string, qos: QoS = 1): Message[] {
  return Array.from(names).map((name) => new Message(name, EMPTY, qos, false))
}

function offer(names: string, qos: QoS = 1): void {
  for (const message of messages(names, qos)) group.offer(message)
}

function join(member: WindowMember, qos: QoS = 1): WindowMember {
  group.add(member, subscriptionOn('#', { qos }))
  return member
}

beforeEach(() => {
  backlog = new ListBacklog()
  group = new SharedGroup('workers', '#', backlog)
})

describe('a shared group', () => {
  it('gives each message to one member, in turn', () => {
    const [a, b, c] = [join(new WindowMember('a', 9)), join(new WindowMember('b', 9)), join(new WindowMember('c', 9))]
    offer('1234567')
    expect([a.topics, b.topics, c.topics]).toEqual([
      ['1', '4', '7'],
      ['2', '5'],
      ['3', '6'],
    ])
  })

  it('passes over members that are away or whose window is full', () => {
    const a = join(new WindowMember('a', 1))
    const b = join(new WindowMember('b', undefined))
    const c = join(new WindowMember('c', 9))
    offer('1234')
    expect([a.topics, b.topics, c.topics]).toEqual([['1'], [], ['2', '3', '4']])
  })

  it('passes over members whose own queue has no room, unless the message goes out at QoS 0', () => {
    const a = join(new WindowMember('a', 9))
    const b = join(new WindowMember('b', 9))
    a.hasRoom = false
    offer('12')
    offer('34', 0)
    expect([a.topics, b.topics]).toEqual([['3'], ['1', '2', '4']])
  })

  it('gives a member its own subscription in its delivery', () => {
    const member = new WindowMember('a', 9)
    group.add(member, subscriptionOn('#', { qos: 2, identifier: 5, retainAsPublished: true }))
    offer('1')
    const expected = { destination: member, qos: 2, identifiers: [5], retainAsPublished: true, noLocal: false, group }
    expect(member.deliveries).toEqual([expected])
  })

  it('replaces the subscription of a member that joins again', () => {
    const member = new WindowMember('a', 9)
    expect(group.add(member, subscriptionOn('#', { qos: 1, identifier: 5 }))).toBe(true)
    expect(group.add(member, subscriptionOn('#', { qos: 2 }))).toBe(false)
    offer('1')
    expect(member.deliveries).toMatchObject([{ qos: 2, identifiers: [] }])
    expect(group.size).toBe(1)
  })

  it('goes on in turn when a member leaves', () => {
    const [a, b, c] = [join(new WindowMember('a', 9)), join(new WindowMember('b', 9)), join(new WindowMember('c', 9))]
    offer('12')
    expect(group.remove(a)).toBe(true)
    expect(group.remove(a)).toBe(false)
    offer('3456')
    expect([a.topics, b.topics, c.topics]).toEqual([['1'], ['2', '4', '6'], ['3', '5']])
  })
})

describe('a shared group without a ready member', () => {
  it('keeps messages for members whose session is durable, and drops and counts those of QoS 0', () => {
    join(new WindowMember('away', undefined))
    offer('1')
    offer('2', 0)
    offer('3', 2)
    expect(backlog.topics).toEqual(['1', '3'])
    expect(group.dropped).toBe(1)
    expect(group.backlogCount).toBe(2)
  })

  it('drops what members asked for at QoS 0 only', () => {
    join(new WindowMember('away', undefined), 0)
    offer('12')
    expect(backlog.topics).toEqual([])
    expect(group.dropped).toBe(2)
  })

  it('keeps messages for whichever member has room first, also when no session is durable', () => {
    const a = join(new WindowMember('a', 1, false))
    const b = join(new WindowMember('b', 1, false))
    offer('1234')
    offer('5', 0)
    expect([a.topics, b.topics]).toEqual([['1'], ['2']])
    expect(group.dropped).toBe(1)
    b.room = 3
    group.drain(b)
    expect([a.topics, b.topics]).toEqual([['1'], ['2', '3', '4']])
  })

  it('drops and counts where it was given no backlog', () => {
    group = new SharedGroup('workers', '#', undefined)
    const member = join(new WindowMember('away', undefined))
    offer('12')
    expect(group.dropped).toBe(2)
    member.room = 9
    group.drain(member)
    expect(member.topics).toEqual([])
  })
})

describe('the backlog of a shared group', () => {
  it('goes to a member for as long as it is ready', () => {
    const a = join(new WindowMember('a', undefined))
    offer('12345')
    a.room = 3
    group.drain(a)
    expect(a.topics).toEqual(['1', '2', '3'])
    expect(backlog.topics).toEqual(['4', '5'])
    expect(a.deliveries).toMatchObject([{ qos: 1 }, { qos: 1 }, { qos: 1 }])
  })

  it('goes before new messages', () => {
    const a = join(new WindowMember('a', undefined))
    offer('12')
    a.room = 9
    offer('3')
    expect(a.topics).toEqual([])
    group.drain(a)
    offer('4')
    expect(a.topics).toEqual(['1', '2', '3', '4'])
  })

  it('keeps new messages behind it also when the last durable member has left', () => {
    const [away, busy] = [join(new WindowMember('away', undefined)), join(new WindowMember('busy', 0, false))]
    offer('1')
    group.remove(away)
    offer('2')
    expect(backlog.topics).toEqual(['1', '2'])
    busy.room = 9
    group.drain(busy)
    expect(busy.topics).toEqual(['1', '2'])
  })

  it('does not go to a stranger', () => {
    join(new WindowMember('away', undefined))
    offer('1')
    group.drain(new WindowMember('stranger', 9))
    expect(backlog.topics).toEqual(['1'])
  })

  it('goes on when it has loaded more', () => {
    const [a, b] = [join(new WindowMember('a', undefined)), join(new WindowMember('b', undefined))]
    offer('12345')
    a.room = 9
    b.room = 9
    backlog.loaded = 1
    group.drain(a)
    expect(a.topics).toEqual(['1'])
    backlog.loaded = 9
    group.drainReady()
    expect([...a.topics, ...b.topics].sort()).toEqual(['1', '2', '3', '4', '5'])
    expect(b.topics).toHaveLength(2)
  })

  it('stays while the queue of a member that is ready has no room', () => {
    const a = join(new WindowMember('a', undefined))
    offer('12')
    a.room = 9
    a.hasRoom = false
    group.drain(a)
    group.drainReady()
    expect([a.topics, backlog.topics]).toEqual([[], ['1', '2']])
    a.hasRoom = true
    group.drain(a)
    expect([a.topics, backlog.topics]).toEqual([['1', '2'], []])
  })

  it('stays when all windows are full', () => {
    const a = join(new WindowMember('a', undefined))
    offer('123')
    a.room = 2
    group.drainReady()
    expect(a.topics).toEqual(['1', '2'])
    expect(backlog.topics).toEqual(['3'])
  })
})

describe('messages that a leaving member did not acknowledge', () => {
  it('go to the other members', () => {
    const [a, b] = [join(new WindowMember('a', 9)), join(new WindowMember('b', 9))]
    group.reoffer(messages('12'), a)
    expect([a.topics, b.topics]).toEqual([[], ['1', '2']])
  })

  it('go to the front of the backlog in their order when nobody is ready', () => {
    const [a, b] = [join(new WindowMember('a', undefined)), join(new WindowMember('b', 0))]
    offer('45')
    b.room = 1
    group.reoffer(messages('123'), a)
    expect(b.topics).toEqual(['1'])
    expect(backlog.topics).toEqual(['2', '3', '4', '5'])
  })

  it('stand before the backlog where another member has room for both', () => {
    const [a, b] = [join(new WindowMember('a', undefined)), join(new WindowMember('b', 0))]
    offer('34')
    b.room = 9
    group.reoffer(messages('12'), a)
    expect([b.topics, backlog.topics]).toEqual([['1', '2', '3', '4'], []])
  })

  it('wait for the member itself when it is the only one', () => {
    const a = join(new WindowMember('a', 9))
    group.reoffer(messages('12'), a)
    expect(a.topics).toEqual([])
    group.drain(a)
    expect(a.topics).toEqual(['1', '2'])
  })

  it('wait for a busy member when no session is durable', () => {
    const [a, b] = [join(new WindowMember('a', 9, false)), join(new WindowMember('b', 0, false))]
    group.reoffer(messages('12'), a)
    expect([a.topics, b.topics]).toEqual([[], []])
    b.room = 2
    group.drain(b)
    expect(b.topics).toEqual(['1', '2'])
  })

  it('are dropped and counted where there is no backlog', () => {
    const alone = new SharedGroup('g', 'f', undefined)
    const a = new WindowMember('a', 9, false)
    alone.add(a, { filter: 'f', qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 })
    alone.reoffer(messages('12'), a)
    expect(alone.dropped).toBe(2)
  })
})
