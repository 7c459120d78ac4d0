import { describe, expect, it } from 'vitest'
import { filterLevels, type Pattern } from '../../src/router/level.ts'
import { LevelTree } from '../../src/router/level-tree.ts'
import { tailOf } from '../../src/router/tail.ts'

describe('level tree', () => {
  it('keeps no branch when its last pattern is removed', () => {
    const tree = new LevelTree<number>()
    const patterns = ['a/b/c', 'a/b/d', 'a/+/d', 'a/#', '+/b'].map(filterLevels)
    for (const [i, pattern] of patterns.entries()) tree.set(pattern, i)
    expect(tree.root.empty).toBe(false)
    for (const pattern of patterns) tree.delete(pattern)
    expect(tree.root.empty).toBe(true)
    expect(tree.size).toBe(0)
  })

  it('does not find a pattern by one that goes the same way but not as far, or further', () => {
    const tree = new LevelTree<number>()
    tree.set(filterLevels('a/b/c'), 1)
    tree.set(filterLevels('a/b/d'), 2)
    for (const other of ['a', 'a/b', 'a/b/c/d', 'a/b/e', 'a/+/c']) expect(tree.get(filterLevels(other))).toBeUndefined()
    expect(tree.get(filterLevels('a/b/c'))).toBe(1)
  })

  it('shares the tails of filters that end alike', () => {
    const of = (filter: string): Pattern => tailOf(filterLevels(filter), 2)
    expect(of('device/1/temp/now')).toBe(of('device/2/temp/now'))
    expect(of('device/1/cmd/#')).toBe(of('device/2/cmd/#'))
    expect(of('device/1/temp/now')).toEqual(['temp', 'now'])
  })

  it('does not take one tail for another that is written alike', () => {
    expect(tailOf(['x', 'a/b'], 1)).toEqual(['a/b'])
    expect(tailOf(['x', 'a', 'b'], 1)).toEqual(['a', 'b'])
    expect(tailOf(['x', '0'], 1)).toEqual(['0'])
    expect(tailOf(['x', 0], 1)).toEqual([0])
  })

  it('goes on when there are more different tails than it shares', () => {
    for (let i = 0; i < 3000; i++) expect(tailOf(['x', `t${i}`], 1)).toEqual([`t${i}`])
  })
})
