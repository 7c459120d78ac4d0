import { filterLevels, hasWildcard, type Pattern, topicLevels } from './level.ts'
import { LevelTree } from './level-tree.ts'
import { TopicCursor } from './topic-cursor.ts'

/**
 * One value per topic, looked up by topic or by topic filter. A filter beginning with a wildcard does not find topics
 * beginning with `$` (MQTT-4.7.2-1). Values must not be undefined.
 */
export class TopicTree<T> {
  private readonly tree = new LevelTree<T>()

  /** Number of topics. */
  get size(): number {
    return this.tree.size
  }

  get(topic: string): T | undefined {
    return this.tree.get(topicLevels(topic))
  }

  /** `levels` are the topic's own, where the caller has them at hand. */
  set(topic: string, value: T, levels: readonly string[] = topicLevels(topic)): void {
    this.tree.set(levels, value)
  }

  /** False: there was no such topic. */
  delete(topic: string): boolean {
    return this.tree.delete(topicLevels(topic))
  }

  /** Calls `visit` with each topic that the filter matches, until it returns false. It may delete topics. */
  match(filter: string, visit: (topic: string, value: T) => boolean | void): void {
    const pattern = filterLevels(filter)
    if (!hasWildcard(pattern)) {
      const value = this.tree.get(pattern)
      if (value !== undefined) visit(filter, value)
      return
    }
    const cursor = new TopicCursor(this.tree.root, pattern, true)
    while (cursor.next()) if (visit(cursor.topic, cursor.value) === false) return
  }

  /** The same one topic at a time, for whoever has to pause. */
  cursor(filter: string): TopicCursor<T> {
    return new TopicCursor(this.tree.root, filterLevels(filter), true)
  }

  /** Removes each topic that the pattern matches and calls `visit` with its value. */
  take(pattern: Pattern, visit: (value: T) => void): void {
    const cursor = new TopicCursor(this.tree.root, pattern, true, true)
    let count = 0
    for (; cursor.next(); count++) visit(cursor.value)
    this.tree.forget(count)
  }
}
