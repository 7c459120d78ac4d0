import { describe, expect, it } from 'vitest'
import { matches, parseSharedFilter, topicFilterProblem } from '../../src/message/filter.ts'
import { levelCount, topicNameProblem } from '../../src/message/topic.ts'

describe('a topic name', () => {
  for (const topic of ['a', '/', 'a//b', ' ', '$SYS/x', 'größe/€/😀', 'a'.repeat(65_535)]) {
    it(`may be ${short(topic)}`, () => {
      expect(topicNameProblem(topic)).toBeUndefined()
    })
  }

  const problems: [topic: string, problem: RegExp][] = [
    ['', /empty/],
    ['a/+', /wildcard/],
    ['#', /wildcard/],
    ['a\0', /U\+0000/],
    ['a\ud800', /surrogate/],
    ['\udc00\ud800', /surrogate/],
    ['\ud800a', /surrogate/],
    ['a'.repeat(65_536), /longer than 65535/],
    ['€'.repeat(21_846), /longer than 65535/],
  ]
  for (const [topic, problem] of problems) {
    it(`may not be ${short(topic)}`, () => {
      expect(topicNameProblem(topic)).toMatch(problem)
    })
  }

  it('has one level more than slashes', () => {
    expect(['a', '/', 'a/b', '//', 'a/b/c/'].map(levelCount)).toEqual([1, 2, 2, 3, 4])
  })
})

describe('a topic filter', () => {
  for (const filter of [
    'a',
    '#',
    '+',
    '+/+',
    'a/#',
    '/+',
    '+/',
    '/',
    'a/+/b/#',
    '$SYS/#',
    '$share',
    '$share/g/#',
    '$share/g//',
  ]) {
    it(`may be ${filter}`, () => {
      expect(topicFilterProblem(filter)).toBeUndefined()
    })
  }

  const problems: [filter: string, problem: RegExp][] = [
    ['', /empty/],
    ['a#', /# within a level/],
    ['##', /# before its end/],
    ['#/a', /# before its end/],
    ['a/#/', /# before its end/],
    ['b+', /\+ within a level/],
    ['+b', /\+ within a level/],
    ['x/+y', /\+ within a level/],
    ['++', /\+ within a level/],
    ['a\0', /U\+0000/],
    ['\ud800', /surrogate/],
    ['a'.repeat(65_536), /longer than 65535/],
    ['$share/', /empty share name/],
    ['$share//x', /empty share name/],
    ['$share/g', /nothing after/],
    ['$share/g/', /nothing after/],
    ['$share/+/x', /wildcard in its share name/],
    ['$share/a+/x', /\+ within a level/],
  ]
  for (const [filter, problem] of problems) {
    it(`may not be ${short(filter)}`, () => {
      expect(topicFilterProblem(filter)).toMatch(problem)
    })
  }
})

describe('a shared filter', () => {
  it('has a share name and a filter, which may begin with a slash', () => {
    expect(parseSharedFilter('$share/g/a/+')).toEqual({ shareName: 'g', filter: 'a/+' })
    expect(parseSharedFilter('$share/g//a')).toEqual({ shareName: 'g', filter: '/a' })
  })

  for (const filter of ['a', '$share', '$shared/g/a', '$SHARE/g/a', '$share//x', '$share/g', '$share/g/']) {
    it(`is not ${filter}`, () => {
      expect(parseSharedFilter(filter)).toBeUndefined()
    })
  }
})

describe('matching (section 4.7)', () => {
  const yes: [filter: string, topic: string][] = [
    ['a/b', 'a/b'],
    ['sport/tennis/player1/#', 'sport/tennis/player1'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon'],
    ['#', 'a/b/c'],
    ['#', '/'],
    ['sport/tennis/+', 'sport/tennis/player1'],
    ['sport/+', 'sport/'],
    ['+/+', '/finance'],
    ['/+', '/finance'],
    ['$SYS/#', '$SYS/x/y'],
    ['$SYS/monitor/+', '$SYS/monitor/Clients'],
    ['+/#', 'a'],
    ['a/+/#', 'a/$b'],
  ]
  for (const [filter, topic] of yes) {
    it(`${filter} matches ${topic}`, () => {
      expect(matches(filter, topic)).toBe(true)
    })
  }

  const no: [filter: string, topic: string][] = [
    ['a/b', 'a/b/'],
    ['a/b', 'a'],
    ['A', 'a'],
    ['/a', 'a'],
    ['sport/tennis/+', 'sport/tennis/player1/ranking'],
    ['sport/+', 'sport'],
    ['+', '/finance'],
    ['#', '$SYS/x'],
    ['+/monitor/Clients', '$SYS/monitor/Clients'],
    ['a/#', 'ab'],
    ['a/+/#', 'a'],
  ]
  for (const [filter, topic] of no) {
    it(`${filter} does not match ${topic}`, () => {
      expect(matches(filter, topic)).toBe(false)
    })
  }
})

function short(text: string): string {
  return JSON.stringify(text.length > 20 ? `${text.slice(0, 5)}… (${text.length} characters)` : text)
}
