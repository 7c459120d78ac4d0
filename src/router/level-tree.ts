import { type Level, MULTI, type Pattern, SINGLE } from './level.ts'
import { isTail, tailOf } from './tail.ts'

/** The end of one pattern that shares no further level with another: the levels left over, and its value. */
export class Leaf<T> {
  readonly tail: Pattern
  value: T

  constructor(tail: Pattern, value: T) {
    this.tail = tail
    this.value = value
  }
}

/** A place where patterns part. One child is kept in the object itself, a Map is made for the second. */
export class Branch<T> {
  value: T | undefined = undefined
  single: TreeNode<T> | undefined = undefined
  multi: TreeNode<T> | undefined = undefined
  onlyLevel = ''
  only: TreeNode<T> | undefined = undefined
  named: Map<string, TreeNode<T>> | undefined = undefined

  child(level: Level): TreeNode<T> | undefined {
    if (level === SINGLE) return this.single
    if (level === MULTI) return this.multi
    return this.namedChild(level)
  }

  namedChild(level: string): TreeNode<T> | undefined {
    if (this.named !== undefined) return this.named.get(level)
    return this.only !== undefined && this.onlyLevel === level ? this.only : undefined
  }

  put(level: Level, node: TreeNode<T>): void {
    if (level === SINGLE) this.single = node
    else if (level === MULTI) this.multi = node
    else if (this.named !== undefined) this.named.set(level, node)
    else if (this.only === undefined || this.onlyLevel === level) {
      this.onlyLevel = level
      this.only = node
    } else {
      this.named = new Map([
        [this.onlyLevel, this.only],
        [level, node],
      ])
      this.only = undefined
      this.onlyLevel = ''
    }
  }

  /** The Map is emptied before it is dropped and never turned back into a single child: a cursor may be inside it. */
  remove(level: Level): void {
    if (level === SINGLE) this.single = undefined
    else if (level === MULTI) this.multi = undefined
    else if (this.named !== undefined) {
      this.named.delete(level)
      if (this.named.size === 0) this.named = undefined
    } else if (this.onlyLevel === level) {
      this.only = undefined
      this.onlyLevel = ''
    }
  }

  get empty(): boolean {
    return (
      this.value === undefined &&
      this.only === undefined &&
      this.named === undefined &&
      this.single === undefined &&
      this.multi === undefined
    )
  }
}

export type TreeNode<T> = Leaf<T> | Branch<T>

/**
 * One value per pattern, in a tree by levels. Levels are made into branches only as far as patterns share them.
 *
 * A leaf below a MULTI never has a second MULTI in its tail, so that whoever walks the tree with a topic comes to each
 * leaf with at most one number of levels that can fit.
 */
export class LevelTree<T> {
  readonly root = new Branch<T>()
  private count = 0

  get size(): number {
    return this.count
  }

  get(pattern: Pattern): T | undefined {
    let branch = this.root
    for (let i = 0; i < pattern.length; i++) {
      const child = branch.child(pattern[i] as Level)
      if (child === undefined) return undefined
      if (child instanceof Leaf) return isTail(child.tail, pattern, i + 1) ? child.value : undefined
      branch = child
    }
    return branch.value
  }

  /** Puts `value`, which must not be undefined, in the place of the one that was there. */
  set(pattern: Pattern, value: T): void {
    if (this.place(this.root, pattern, 0, value, false)) this.count++
  }

  /** Removes a pattern and the branches that nothing else needs; false: it was not there. */
  delete(pattern: Pattern): boolean {
    const way: Branch<T>[] = []
    let branch = this.root
    let depth = 0
    for (; depth < pattern.length; depth++) {
      way.push(branch)
      const child = branch.child(pattern[depth] as Level)
      if (child === undefined) return false
      if (child instanceof Leaf) {
        if (!isTail(child.tail, pattern, depth + 1)) return false
        this.count--
        prune(way, pattern)
        return true
      }
      branch = child
    }
    if (branch.value === undefined) return false
    branch.value = undefined
    this.count--
    if (branch.empty) prune(way, pattern)
    return true
  }

  /** Tells of values that a cursor has removed itself. */
  forget(count: number): void {
    this.count -= count
  }

  /** True when the pattern is new. `withMulti`: there is a MULTI on the way to `start`. */
  private place(start: Branch<T>, pattern: Pattern, from: number, value: T, withMulti: boolean): boolean {
    const lastMulti = pattern.lastIndexOf(MULTI)
    let branch = start
    let belowMulti = withMulti
    for (let i = from; i < pattern.length; i++) {
      const level = pattern[i] as Level
      if (level === MULTI) belowMulti = true
      const child = branch.child(level)
      if (child instanceof Branch) {
        branch = child
      } else if (child === undefined) {
        if (!belowMulti || lastMulti <= i) {
          branch.put(level, new Leaf(tailOf(pattern, i + 1), value))
          return true
        }
        branch = grow(branch, level)
      } else if (isTail(child.tail, pattern, i + 1)) {
        child.value = value
        return false
      } else {
        // As far as both go the same way at once, so that two long patterns cost their length and not its square.
        const { tail } = child
        branch = grow(branch, level)
        let same = 0
        for (; same < tail.length && tail[same] === pattern[i + 1]; same++, i++) {
          if (tail[same] === MULTI) belowMulti = true
          branch = grow(branch, tail[same] as Level)
        }
        this.place(branch, tail, same, child.value, belowMulti)
      }
    }
    const isNew = branch.value === undefined
    branch.value = value
    return isNew
  }
}

function grow<T>(branch: Branch<T>, level: Level): Branch<T> {
  const next = new Branch<T>()
  branch.put(level, next)
  return next
}

/** Removes the last step of `way`, and each branch that is empty without it. */
function prune<T>(way: readonly Branch<T>[], pattern: Pattern): void {
  for (let i = way.length - 1; i >= 0; i--) {
    const branch = way[i] as Branch<T>
    branch.remove(pattern[i] as Level)
    if (!branch.empty) return
  }
}
