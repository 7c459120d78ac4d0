import { describe, expect, it } from 'vitest'
import { filterLevels, MULTI } from '../../src/router/level.ts'
import { TopicTree } from '../../src/router/topic-tree.ts'

const TOPICS = ['a', 'a/b', 'a/b/c', 'a/b/d', 'a/c', 'b', 'b/b', '/', '/a', 'a/', '$SYS', '$SYS/x', 'x/$y']

function treeOf(topics: readonly string[]): TopicTree<string> {
  const tree = new TopicTree<string>()
  for (const topic of topics) tree.set(topic, `value of ${topic}`)
  return tree
}

function found(tree: TopicTree<string>, filter: string): string[] {
  const topics: string[] = []
  tree.match(filter, (topic, value) => {
    expect(value).toBe(`value of ${topic}`)
    topics.push(topic)
  })
  return topics.sort()
}

describe('topic tree', () => {
  it('gives back the value of a topic, and of no other', () => {
    const tree = treeOf(TOPICS)
    for (const topic of TOPICS) expect(tree.get(topic)).toBe(`value of ${topic}`)
    for (const topic of ['a/b/c/d', 'c', '', 'a/b/', '//']) expect(tree.get(topic)).toBeUndefined()
    expect(tree.size).toBe(TOPICS.length)
  })

  it('finds one topic by a filter without wildcards', () => {
    expect(found(treeOf(TOPICS), 'a/b')).toEqual(['a/b'])
    expect(found(treeOf(TOPICS), 'a/x')).toEqual([])
  })

  it('finds topics by +', () => {
    const tree = treeOf(TOPICS)
    expect(found(tree, '+')).toEqual(['a', 'b'])
    expect(found(tree, 'a/+')).toEqual(['a/', 'a/b', 'a/c'])
    expect(found(tree, '+/b')).toEqual(['a/b', 'b/b'])
    expect(found(tree, '+/b/+')).toEqual(['a/b/c', 'a/b/d'])
    expect(found(tree, '+/+')).toEqual(['/', '/a', 'a/', 'a/b', 'a/c', 'b/b', 'x/$y'])
  })

  it('finds topics by #, the one above it included', () => {
    const tree = treeOf(TOPICS)
    expect(found(tree, 'a/#')).toEqual(['a', 'a/', 'a/b', 'a/b/c', 'a/b/d', 'a/c'])
    expect(found(tree, 'a/b/c/#')).toEqual(['a/b/c'])
    expect(found(tree, '#')).toEqual(TOPICS.filter((topic) => !topic.startsWith('$')).sort())
  })

  it('finds topics beginning with $ only by filters that name their first level', () => {
    const tree = treeOf(TOPICS)
    expect(found(tree, '+/x')).toEqual([])
    expect(found(tree, '$SYS/#')).toEqual(['$SYS', '$SYS/x'])
    expect(found(tree, '$SYS/+')).toEqual(['$SYS/x'])
    expect(found(treeOf(['$only']), '#')).toEqual([])
  })

  it('replaces a value without counting it twice', () => {
    const tree = treeOf(['a/b'])
    tree.set('a/b', 'other')
    expect(tree.get('a/b')).toBe('other')
    expect(tree.size).toBe(1)
  })

  it('forgets what is deleted', () => {
    const tree = treeOf(TOPICS)
    expect(tree.delete('a/b')).toBe(true)
    expect(tree.delete('a/b')).toBe(false)
    expect(found(tree, 'a/#')).toEqual(['a', 'a/', 'a/b/c', 'a/b/d', 'a/c'])
    expect(tree.size).toBe(TOPICS.length - 1)
  })

  it('stops when the visitor says so', () => {
    const tree = treeOf(Array.from({ length: 100 }, (_, i) => `t/${i}`))
    let visits = 0
    tree.match('t/+', () => ++visits < 7)
    expect(visits).toBe(7)
  })

  it('bears a visitor that deletes what it is shown', () => {
    const tree = treeOf(TOPICS)
    const seen: string[] = []
    tree.match('#', (topic) => {
      seen.push(topic)
      tree.delete(topic)
    })
    expect(seen.sort()).toEqual(TOPICS.filter((topic) => !topic.startsWith('$')).sort())
    expect(tree.size).toBe(2)
  })

  it('pauses at a cursor and goes on past what was removed meanwhile', () => {
    const tree = treeOf(['t/1', 't/2', 't/3', 't/4/a', 't/4/b'])
    const cursor = tree.cursor('t/#')
    expect(cursor.next()).toBe(true)
    expect([cursor.topic, cursor.value]).toEqual(['t/1', 'value of t/1'])
    tree.delete('t/3')
    tree.delete('t/4/a')
    const rest: string[] = []
    while (cursor.next()) rest.push(cursor.topic)
    expect(rest).toEqual(['t/2', 't/4/b'])
    expect(cursor.next()).toBe(false)
  })

  it('takes out what a filter matches and nothing else', () => {
    const tree = treeOf(TOPICS)
    const taken: string[] = []
    tree.take(filterLevels('a/b/#'), (value) => taken.push(value))
    expect(taken.sort()).toEqual(['value of a/b', 'value of a/b/c', 'value of a/b/d'])
    expect(tree.size).toBe(TOPICS.length - 3)
    expect(found(tree, 'a/#')).toEqual(['a', 'a/', 'a/c'])
    tree.take(filterLevels('#'), () => {})
    expect(tree.size).toBe(2)
    tree.set('a/b/c', 'value of a/b/c')
    expect(found(tree, '#')).toEqual(['a/b/c'])
  })

  it('takes out by a pattern with # in the middle, each topic once', () => {
    const tree = treeOf(['a/x/b/y/b', 'a/b', 'a/b/b', 'a/c', 'b/a/b'])
    const taken: string[] = []
    tree.take(['a', MULTI, 'b', MULTI], (value) => taken.push(value))
    expect(taken.sort()).toEqual(['value of a/b', 'value of a/b/b', 'value of a/x/b/y/b'])
  })

  it('bears topics of the greatest depth', () => {
    const deep = '/'.repeat(65_535)
    const tree = treeOf([deep, `${deep.slice(1)}x`, '/'])
    expect(found(tree, '#')).toEqual([deep, `${deep.slice(1)}x`, '/'].sort())
    tree.take(filterLevels('/#'), () => {})
    expect(tree.size).toBe(0)
  })
})
