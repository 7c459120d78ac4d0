import { FilterState } from './filter-state.ts'
import { MULTI, type Pattern, SINGLE } from './level.ts'
import { type Branch, Leaf, type TreeNode } from './level-tree.ts'

/** One branch on the way from the root to where the cursor is. */
interface Step<T> {
  readonly branch: Branch<T>
  /** Level that led here; '' at the root. */
  readonly level: string
  /** Topic up to this branch; undefined at the root. */
  readonly topic: string | undefined
  readonly state: FilterState
  /** Children still to visit; undefined: not begun. */
  children: Iterator<readonly [string, TreeNode<T>]> | undefined
}

/**
 * Goes through the topics of a tree that a filter matches, one at a time, for as long as its owner likes: it may stop,
 * or go on in a later turn. Topics may be removed or added meanwhile: one that is removed is not visited any more, one
 * that is added may be missed, and one that is removed and added again may be visited again.
 */
export class TopicCursor<T> {
  /** The topic that the last `next()` found. */
  topic = ''
  private found: T | undefined = undefined
  private readonly steps: Step<T>[] = []
  private readonly dollarHidden: boolean
  private readonly removing: boolean

  constructor(root: Branch<T>, pattern: Pattern, dollarHidden: boolean, removing = false) {
    this.dollarHidden = dollarHidden && (pattern[0] === SINGLE || pattern[0] === MULTI)
    this.removing = removing
    this.steps.push({
      branch: root,
      level: '',
      topic: undefined,
      state: FilterState.start(pattern),
      children: undefined,
    })
  }

  /** The value that the last `next()` found. */
  get value(): T {
    return this.found as T
  }

  /** Goes on to the next topic; false: there is none. */
  next(): boolean {
    for (let step = this.steps.at(-1); step !== undefined; step = this.steps.at(-1)) {
      if (step.children === undefined) {
        step.children = this.childrenOf(step)
        if (this.takeOwn(step)) return true
      }
      const child = step.children.next()
      if (child.done === true) this.leave(step)
      else if (this.enter(step, child.value[0], child.value[1])) return true
    }
    return false
  }

  private takeOwn(step: Step<T>): boolean {
    if (!step.state.accepting || step.branch.value === undefined || step.topic === undefined) return false
    this.topic = step.topic
    this.found = step.branch.value
    if (this.removing) step.branch.value = undefined
    return true
  }

  private enter(step: Step<T>, level: string, node: TreeNode<T>): boolean {
    const state = step.state.next(level)
    if (state === undefined) return false
    const topic = step.topic === undefined ? level : `${step.topic}/${level}`
    if (!(node instanceof Leaf)) {
      this.steps.push({ branch: node, level, topic, state, children: undefined })
      return false
    }
    if (!state.acceptsTail(node.tail)) return false
    this.topic = node.tail.length === 0 ? topic : `${topic}/${node.tail.join('/')}`
    this.found = node.value
    if (this.removing) step.branch.remove(level)
    return true
  }

  private leave(step: Step<T>): void {
    this.steps.pop()
    if (this.removing && step.branch.empty) this.steps.at(-1)?.branch.remove(step.level)
  }

  private *childrenOf(step: Step<T>): Generator<readonly [string, TreeNode<T>], void, undefined> {
    const { branch, state } = step
    if (state.others === undefined) {
      for (const text of state.texts) {
        const child = branch.namedChild(text)
        if (child !== undefined) yield [text, child]
      }
      return
    }
    const hidden = this.dollarHidden && step.topic === undefined
    if (branch.only !== undefined) {
      if (!hidden || !branch.onlyLevel.startsWith('$')) yield [branch.onlyLevel, branch.only]
    } else if (branch.named !== undefined) {
      for (const child of branch.named) if (!hidden || !child[0].startsWith('$')) yield child
    }
  }
}
