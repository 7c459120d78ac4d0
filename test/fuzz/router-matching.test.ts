import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches } from '../../src/message/filter.ts'
import { filterLevels, type Level, MULTI, type Pattern, SINGLE, topicLevels } from '../../src/router/level.ts'
import { TopicTree } from '../../src/router/topic-tree.ts'
import { TopicTrie } from '../../src/router/topic-trie.ts'
import { runsWithin } from '../support/property-runs.ts'

const LIMIT = runsWithin(2000, 4000)

// Few different levels, so that filters overlap and topics meet them.
const word = fc.constantFrom('a', 'b', '', '$s', 'long-enough-to-be-a-slice')
const topic = fc.array(word, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(word, fc.constant('+')), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([levels, multi]) => [...levels, ...(multi ? ['#'] : [])].slice(multi ? 1 : 0).join('/'))
  .filter((text) => text !== '')
const patternLevel: fc.Arbitrary<Level> = fc.oneof(
  { arbitrary: fc.constantFrom('a', 'b', '+'), weight: 3 },
  { arbitrary: fc.constantFrom(SINGLE, MULTI), weight: 2 },
)
const pattern = fc.array(patternLevel, { minLength: 1, maxLength: 6 })
const words = fc.array(fc.constantFrom('a', 'b', '+'), { minLength: 1, maxLength: 7 })

/** As the standards word it, without a thought for time. */
function matchesPattern(wanted: Pattern, levels: readonly string[]): boolean {
  const [first, ...rest] = wanted
  if (first === undefined) return levels.length === 0
  if (first === MULTI) {
    return matchesPattern(rest, levels) || (levels.length > 0 && matchesPattern(wanted, levels.slice(1)))
  }
  const [level, ...others] = levels
  return level !== undefined && (first === SINGLE || first === level) && matchesPattern(rest, others)
}

/** A filter against a topic as section 4.7 of MQTT 5 words it, one character of both after the other. */
function matchesNaively(wanted: string, name: string): boolean {
  const isHidden = name.startsWith('$') && (wanted.startsWith('+') || wanted.startsWith('#'))
  return !isHidden && restMatches(wanted, name)
}

function restMatches(wanted: string, name: string): boolean {
  if (wanted === '#') return true
  // The parent level is among what # stands for.
  if (name === '' && wanted === '/#') return true
  if (wanted === '') return name === ''
  if (wanted.startsWith('+')) {
    const end = name.includes('/') ? name.indexOf('/') : name.length
    return restMatches(wanted.slice(1), name.slice(end))
  }
  const [first] = wanted
  return name !== '' && name[0] === first && restMatches(wanted.slice(1), name.slice(1))
}

describe('matching random filters and topics', () => {
  it('matches says what the standard says', () => {
    const anyLevel = fc.oneof(word, fc.constantFrom('$', '.', '*', '(a|b)', '\\', '[', 'A', 'é', '$SYS'))
    const anyTopic = fc.array(anyLevel, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
    const anyFilter = fc
      .tuple(fc.array(fc.oneof(anyLevel, fc.constant('+')), { maxLength: 4 }), fc.boolean())
      .map(([levels, multi]) => [...levels, ...(multi || levels.length === 0 ? ['#'] : [])].join('/'))
    // Mostly of the same levels, or a filter would seldom match.
    const alike = anyTopic.chain((name) => {
      const levels = name.split('/')
      return fc
        .tuple(
          fc.array(fc.boolean(), { minLength: levels.length, maxLength: levels.length }),
          fc.nat(levels.length),
          fc.boolean(),
        )
        .map(([isWild, kept, multi]) => {
          const some = levels.map((level, i) => (isWild[i] ? '+' : level)).slice(0, kept)
          return [[...some, ...(multi || kept === 0 ? ['#'] : [])].join('/'), name] as const
        })
    })
    const property = fc.property(fc.oneof(fc.tuple(anyFilter, anyTopic), alike), ([wanted, name]) => {
      expect(matches(wanted, name)).toBe(matchesNaively(wanted, name))
    })
    fc.assert(property, runsWithin(5000, 1000))
  })

  it('the trie finds the filters that match one by one', () => {
    const property = fc.property(fc.uniqueArray(filter, { maxLength: 30 }), fc.array(topic), (filters, topics) => {
      const trie = new TopicTrie<string>()
      for (const text of filters) trie.set(filterLevels(text), text)
      for (const text of topics) {
        const found: string[] = []
        trie.match(topicLevels(text), found)
        expect(found.sort()).toEqual(filters.filter((one) => matches(one, text)).sort())
      }
    })
    fc.assert(property, LIMIT)
  })

  it('the trie finds patterns with # anywhere, each once, also after half of them left', () => {
    const key = (levels: Pattern): string => JSON.stringify(levels)
    const patterns = fc.uniqueArray(pattern, { maxLength: 30, selector: key })
    const property = fc.property(patterns, fc.array(words, { maxLength: 8 }), (all, topics) => {
      const trie = new TopicTrie<string>({ dollarHidden: false })
      for (const levels of all) trie.set(levels, key(levels))
      const check = (left: Pattern[]): void => {
        for (const levels of topics) {
          const found: string[] = []
          trie.match(levels, found)
          expect(found.sort()).toEqual(
            left
              .filter((one) => matchesPattern(one, levels))
              .map(key)
              .sort(),
          )
        }
      }
      check(all)
      for (const levels of all.slice(0, all.length / 2)) expect(trie.delete(levels)).toBe(true)
      check(all.slice(all.length / 2))
    })
    fc.assert(property, LIMIT)
  })

  it('the tree finds and takes out the topics that match one by one', () => {
    const property = fc.property(fc.uniqueArray(topic, { maxLength: 40 }), fc.array(filter), (topics, filters) => {
      const tree = new TopicTree<string>()
      for (const text of topics) tree.set(text, text)
      let left = topics
      for (const text of filters) {
        const found: string[] = []
        tree.match(text, (name, value) => {
          expect(value).toBe(name)
          found.push(name)
        })
        expect(found.sort()).toEqual(left.filter((one) => matches(text, one)).sort())
        const taken: string[] = []
        tree.take(filterLevels(text), (value) => taken.push(value))
        expect(taken.sort()).toEqual(found)
        left = left.filter((one) => !matches(text, one))
        expect(tree.size).toBe(left.length)
        for (const one of topics) expect(tree.get(one)).toBe(left.includes(one) ? one : undefined)
      }
    })
    fc.assert(property, LIMIT)
  })

  it('the tree takes out by patterns with # anywhere', () => {
    const topics = fc.uniqueArray(words, { maxLength: 30, selector: (levels) => levels.join('/') })
    const property = fc.property(topics, pattern, (all, wanted) => {
      const tree = new TopicTree<readonly string[]>()
      for (const levels of all) tree.set(levels.join('/'), levels)
      const taken: string[] = []
      tree.take(wanted, (levels) => taken.push(levels.join('/')))
      const expected = all.filter((levels) => matchesPattern(wanted, levels)).map((levels) => levels.join('/'))
      expect(taken.sort()).toEqual(expected.sort())
    })
    fc.assert(property, LIMIT)
  })
})
