import { matchesLevels, type Pattern } from './level.ts'
import { type Branch, Leaf, LevelTree, type TreeNode } from './level-tree.ts'

export interface TopicTrieOptions {
  /** Topics beginning with `$` are not matched by patterns beginning with a wildcard (MQTT-4.7.2-1). Default: true. */
  readonly dollarHidden?: boolean
}

/** Values by pattern (topic filter, binding key), looked up with a topic. Values must not be undefined. */
export class TopicTrie<T> {
  private readonly tree = new LevelTree<T>()
  private readonly dollarHidden: boolean
  // What is still to visit: a node and the level of the topic it is to be visited with. A stack of its own, as the
  // depth of a topic is not bounded by the depth of the JavaScript stack.
  private readonly nodes: TreeNode<T>[] = []
  private readonly depths: number[] = []

  constructor(options: TopicTrieOptions = {}) {
    this.dollarHidden = options.dollarHidden ?? true
  }

  /** Number of patterns. */
  get size(): number {
    return this.tree.size
  }

  get(pattern: Pattern): T | undefined {
    return this.tree.get(pattern)
  }

  set(pattern: Pattern, value: T): void {
    this.tree.set(pattern, value)
  }

  delete(pattern: Pattern): boolean {
    return this.tree.delete(pattern)
  }

  /** Appends the value of each pattern that matches to `found`, each once, in no particular order. */
  match(levels: readonly string[], found: T[]): void {
    const { nodes, depths } = this
    const root = this.tree.root
    const first = levels[0]
    if (this.dollarHidden && first?.charCodeAt(0) === DOLLAR) {
      const child = root.namedChild(first)
      if (child === undefined) return
      nodes.push(child)
      depths.push(1)
    } else {
      nodes.push(root)
      depths.push(0)
    }
    // Made for AMQP only: with a # at the end there is one way to each node.
    let earliest: Map<TreeNode<T>, number> | undefined
    while (nodes.length > 0) {
      let node = nodes.pop() as TreeNode<T> | undefined
      let depth = depths.pop() as number
      while (node !== undefined) {
        if (node instanceof Leaf) {
          if (matchesLevels(node.tail, levels, depth)) found.push(node.value)
          break
        }
        const multi: TreeNode<T> | undefined = node.multi
        if (multi instanceof Leaf) {
          // The tail holds no second MULTI, so only the last levels of the topic can fit it.
          const from = levels.length - multi.tail.length
          const isNew = earliest === undefined || !earliest.has(multi)
          if (isNew && from >= depth && matchesLevels(multi.tail, levels, from)) {
            found.push(multi.value)
            earliest?.set(multi, from)
          }
        } else if (multi !== undefined) {
          earliest ??= new Map()
          this.pushMulti(multi, depth, levels.length, earliest)
        }
        if (depth === levels.length) {
          if (node.value !== undefined) found.push(node.value)
          break
        }
        if (node.single !== undefined) {
          nodes.push(node.single)
          depths.push(depth + 1)
        }
        node = node.namedChild(levels[depth] as string)
        depth++
      }
    }
  }

  /**
   * A node below a MULTI is to be visited with each level from `depth` on. The tree has one way to each node, so a node
   * and a level can come together twice only here; what an earlier visit covered is left out, and the work stays below
   * nodes times levels.
   */
  private pushMulti(node: Branch<T>, depth: number, end: number, earliest: Map<TreeNode<T>, number>): void {
    const covered = earliest.get(node) ?? end + 1
    if (depth >= covered) return
    earliest.set(node, depth)
    for (let i = depth; i < covered; i++) {
      this.nodes.push(node)
      this.depths.push(i)
    }
  }
}

const DOLLAR = 0x24
