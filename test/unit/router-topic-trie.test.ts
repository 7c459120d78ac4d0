import { describe, expect, it } from 'vitest'
import { filterLevels, MULTI, type Pattern, SINGLE, topicLevels } from '../../src/router/level.ts'
import { TopicTrie, type TopicTrieOptions } from '../../src/router/topic-trie.ts'

function trieOf(patterns: readonly (string | Pattern)[], options?: TopicTrieOptions): TopicTrie<string> {
  const trie = new TopicTrie<string>(options)
  for (const pattern of patterns) {
    if (typeof pattern === 'string') trie.set(filterLevels(pattern), pattern)
    else trie.set(pattern, pattern.join('.'))
  }
  return trie
}

function found(trie: TopicTrie<string>, topic: string): string[] {
  const list: string[] = []
  trie.match(topicLevels(topic), list)
  return list.sort()
}

describe('topic trie', () => {
  it('finds a filter without wildcards by its own topic only', () => {
    const trie = trieOf(['a/b/c'])
    expect(found(trie, 'a/b/c')).toEqual(['a/b/c'])
    expect(found(trie, 'a/b')).toEqual([])
    expect(found(trie, 'a/b/c/d')).toEqual([])
    expect(found(trie, 'a/b/x')).toEqual([])
  })

  it('lets + stand for exactly one level', () => {
    const trie = trieOf(['a/+/c', '+', '+/+', 'a/+'])
    expect(found(trie, 'a')).toEqual(['+'])
    expect(found(trie, 'a/c')).toEqual(['+/+', 'a/+'])
    expect(found(trie, 'a/b/c')).toEqual(['a/+/c'])
  })

  it('lets # stand for any number of levels, none included', () => {
    const trie = trieOf(['#', 'a/#', 'a/b/#', '+/#'])
    expect(found(trie, 'a')).toEqual(['#', '+/#', 'a/#'])
    expect(found(trie, 'a/b')).toEqual(['#', '+/#', 'a/#', 'a/b/#'])
    expect(found(trie, 'a/b/c/d')).toEqual(['#', '+/#', 'a/#', 'a/b/#'])
    expect(found(trie, 'b')).toEqual(['#', '+/#'])
  })

  it('takes an empty level for a level', () => {
    const trie = trieOf(['/', '+/+', '/a', '/+', '+', 'a//b', 'a/+/b'])
    expect(found(trie, '/')).toEqual(['+/+', '/', '/+'])
    expect(found(trie, '/a')).toEqual(['+/+', '/+', '/a'])
    expect(found(trie, 'a//b')).toEqual(['a/+/b', 'a//b'])
  })

  it('hides topics beginning with $ from filters beginning with a wildcard', () => {
    const trie = trieOf(['#', '+/a', '+/#', '$SYS/#', '$SYS/+', 'x/$a', 'x/+'])
    expect(found(trie, '$SYS/a')).toEqual(['$SYS/#', '$SYS/+'])
    expect(found(trie, '$SYS')).toEqual(['$SYS/#'])
    expect(found(trie, 'x/$a')).toEqual(['#', '+/#', 'x/$a', 'x/+'])
  })

  it('hides nothing where topics beginning with $ are like others', () => {
    const trie = trieOf(['#', '+/a'], { dollarHidden: false })
    expect(found(trie, '$SYS/a')).toEqual(['#', '+/a'])
  })

  it('keeps a wildcard apart from a level of the same text', () => {
    const trie = trieOf([['a', SINGLE], ['a', '+'], ['a', '0'], [MULTI]])
    expect(found(trie, 'a/+')).toEqual(['1', 'a.+', 'a.0'].sort())
    expect(found(trie, 'a/0')).toEqual(['1', 'a.0', 'a.0'])
    expect(trie.size).toBe(4)
  })

  it('finds a pattern with several # once, however many ways lead to it', () => {
    const trie = trieOf([
      [MULTI, 'a', MULTI],
      [MULTI, 'a', MULTI, 'a', MULTI],
      ['a', MULTI, 'a'],
      [MULTI, MULTI],
    ])
    expect(found(trie, 'a/a/a')).toEqual(['1.1', '1.a.1', '1.a.1.a.1', 'a.1.a'])
    expect(found(trie, 'b/a')).toEqual(['1.1', '1.a.1'])
    expect(found(trie, 'b')).toEqual(['1.1'])
  })

  it('does not take exponential time for many # that all match almost everything', () => {
    const trie = new TopicTrie<number>()
    for (let stars = 2; stars <= 28; stars++) {
      const pattern = Array.from({ length: stars }, () => [MULTI, 'a'] as const).flat()
      trie.set([...pattern, 'end'], stars)
      trie.set([...pattern, MULTI, 'end', MULTI], -stars)
    }
    const list: number[] = []
    trie.match(
      Array.from({ length: 120 }, () => 'a'),
      list,
    )
    expect(list).toEqual([])
    trie.match([...Array.from({ length: 120 }, () => 'a'), 'end'], list)
    expect(list).toHaveLength(54)
  })

  it('bears topics and filters of the greatest depth', () => {
    const deep = '/'.repeat(65_535)
    const trie = trieOf([deep, `${deep.slice(1)}#`, `${deep.slice(2)}x`, `${'+/'.repeat(32_767)}+`])
    expect(found(trie, deep)).toEqual([`${deep.slice(1)}#`, deep].sort())
    expect(trie.delete(filterLevels(deep))).toBe(true)
    expect(found(trie, deep)).toEqual([`${deep.slice(1)}#`])
  })

  it('replaces the value of a filter that it has', () => {
    const trie = trieOf(['a/b', 'a/b/c', 'a/+'])
    trie.set(filterLevels('a/b'), 'new')
    trie.set(filterLevels('a/b/c'), 'other')
    expect(trie.size).toBe(3)
    expect(trie.get(filterLevels('a/b'))).toBe('new')
    expect(found(trie, 'a/b/c')).toEqual(['other'])
  })

  it('removes one filter and leaves those that share levels with it', () => {
    const trie = trieOf(['a', 'a/b', 'a/b/c', 'a/b/d', 'a/+', 'a/#', '#'])
    expect(trie.delete(filterLevels('a/b'))).toBe(true)
    expect(trie.delete(filterLevels('a/b'))).toBe(false)
    expect(trie.delete(filterLevels('a/b/c/d'))).toBe(false)
    expect(trie.delete(filterLevels('a/x'))).toBe(false)
    expect(found(trie, 'a/b')).toEqual(['#', 'a/#', 'a/+'])
    expect(found(trie, 'a/b/c')).toEqual(['#', 'a/#', 'a/b/c'])
    expect(trie.size).toBe(6)
  })

  it('is empty again after all filters are removed', () => {
    const filters = ['a', 'a/b', 'a/b/c', 'a/b/d', 'a/+', 'a/#', '#', '+', '+/+/x', '/']
    const trie = trieOf(filters)
    for (const filter of filters) trie.delete(filterLevels(filter))
    expect(trie.size).toBe(0)
    for (const topic of ['a', 'a/b', 'a/b/c', '/', 'x/y/x']) expect(found(trie, topic)).toEqual([])
  })
})
